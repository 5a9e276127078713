package ftfy

import (
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"clipd/engine/tokenizer/runes"
)

// maxNonStarters is a number of combining marks in a row up to which the norm package surely adds no character of its own:
// after 30, counted in decomposed form, it puts in U+034F to keep streams safe, which the reference does not.
const maxNonStarters = 8

// composeNFC brings text to normalization form C of Unicode 14.0.
func composeNFC(text string) string {
	if norm.NFC.IsNormalString(text) {
		return text
	}
	out := make([]byte, 0, len(text)+len(text)/8)
	for len(text) > 0 {
		// What was unassigned in Unicode 14.0 stays and, being no mark there, lets nothing pass.
		end := strings.IndexFunc(text, func(r rune) bool { return runes.Is(r, runes.Unassigned) })
		if end < 0 {
			end = len(text)
		}
		out = appendNFC(out, text[:end])
		_, size := utf8.DecodeRuneInString(text[end:])
		out = append(out, text[end:end+size]...)
		text = text[end+size:]
	}
	return string(out)
}

// appendNFC appends the composed form of text, which has no unassigned character.
func appendNFC(out []byte, text string) []byte {
	if longestMarks(text) <= maxNonStarters {
		return append(out, norm.NFC.String(text)...) // not AppendString, which would join text with the end of out
	}
	return appendComposed(out, decompose(text))
}

// longestMarks returns the length of the longest run of combining marks in text.
func longestMarks(text string) int {
	longest, run := 0, 0
	for i := 0; i < len(text); {
		properties := norm.NFC.PropertiesString(text[i:])
		if properties.CCC() == 0 {
			run = 0
		} else {
			run++
			longest = max(longest, run)
		}
		i += max(properties.Size(), 1)
	}
	return longest
}

// mark is a decomposed character with its canonical combining class.
type mark struct {
	r     rune
	class uint8
}

// decompose returns the canonical decomposition of text, marks in canonical order.
func decompose(text string) []mark {
	marks := make([]mark, 0, utf8.RuneCountInString(text))
	for i := 0; i < len(text); {
		properties := norm.NFD.PropertiesString(text[i:])
		size := max(properties.Size(), 1)
		parts := properties.Decomposition()
		if parts == nil {
			parts = norm.NFD.AppendString(nil, text[i:i+size]) // Hangul has no table entry
		}
		for len(parts) > 0 {
			r, n := utf8.DecodeRune(parts)
			marks = append(marks, mark{r, norm.NFD.Properties(parts).CCC()})
			parts = parts[n:]
		}
		i += size
	}
	for i := 0; i < len(marks); i++ {
		first := i
		for i < len(marks) && marks[i].class != 0 {
			i++
		}
		slices.SortStableFunc(marks[first:i], func(a, b mark) int { return int(a.class) - int(b.class) })
	}
	return marks
}

// appendComposed joins each starter with the marks after it that are not blocked (Unicode Standard, D117).
func appendComposed(out []byte, marks []mark) []byte {
	starter := -1 // index of the last character of class 0
	lastClass := -1
	kept := marks[:0]
	for _, m := range marks {
		if starter >= 0 && (lastClass < int(m.class) || lastClass == -1) {
			if joined, ok := join(kept[starter].r, m.r); ok {
				kept[starter].r = joined
				continue
			}
		}
		if m.class == 0 {
			starter, lastClass = len(kept), -1
		} else {
			lastClass = int(m.class)
		}
		kept = append(kept, m)
	}
	for _, m := range kept {
		out = utf8.AppendRune(out, m.r)
	}
	return out
}

// join returns the primary composite of two characters.
func join(first, second rune) (rune, bool) {
	pair := utf8.AppendRune(utf8.AppendRune(nil, first), second)
	composed := norm.NFC.Bytes(pair)
	r, size := utf8.DecodeRune(composed)
	return r, size == len(composed)
}
