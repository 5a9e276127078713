package ftfy

import (
	"strings"
	"unicode/utf8"
)

// fixEncoding undoes wrong decodings one after another, until the text looks right or nothing helps.
func fixEncoding(text string, passes *passes) string {
	for {
		fixed := fixEncodingOnce(text, passes)
		if fixed == text {
			return text
		}
		text = fixed
		if !passes.spend(len(text)) {
			return text
		}
	}
}

// fixEncodingOnce undoes one wrong decoding.
func fixEncodingOnce(text string, passes *passes) string {
	if isASCII(text) || !isBad(text) {
		return text
	}
	possible := possibleCharmaps(text)
	for k, c := range charmaps {
		if possible&(1<<k) == 0 {
			continue
		}
		bytes := encode(text, k)
		if c.name != "macroman" { // there it would take an en dash and a space for mojibake
			bytes = restoreByteA0(bytes)
		}
		if c.sloppy {
			bytes = replaceLossySequences(bytes)
		}
		if fixed, ok := decodeUTF8(bytes); ok {
			return fixed
		}
	}
	if fixed := decodeInconsistentUTF8(text, passes); fixed != text {
		return fixed
	}
	if possible&(1<<latin1) != 0 {
		if fixed, ok := latin1AsWindows1252(text); ok && fixed != text {
			return fixed
		}
	}
	return fixC1Controls(text)
}

// decodeInconsistentUTF8 repairs the parts of text that look like UTF-8 in a wrong encoding, each by itself, where the text
// as a whole is in no one encoding.
func decodeInconsistentUTF8(text string, passes *passes) string {
	var out strings.Builder
	start := 0
	var before clue // of the character before position i
	for i := 0; i < len(text); {
		n := 0
		if before&strictContinuation == 0 {
			n = mojibakeLength(text[i:])
		}
		if n == 0 {
			r, size := utf8.DecodeRuneInString(text[i:])
			before = categories.At(r).clue
			i += size
			continue
		}
		part := text[i : i+n]
		i += n
		last, _ := utf8.DecodeLastRuneInString(part)
		before = categories.At(last).clue
		// A part that is all of the text would be gone through again for ever.
		if n == len(text) || !isBad(part) {
			continue
		}
		out.WriteString(text[start : i-n])
		out.WriteString(fixEncoding(part, passes))
		start = i
	}
	if start == 0 {
		return text
	}
	out.WriteString(text[start:])
	return out.String()
}

// mojibakeLength returns the length of the characters at the start of text that may stand for whole UTF-8 sequences
// (UTF8_DETECTOR_RE). Of several readings the one with the shorter sequence is taken.
func mojibakeLength(text string) int {
	total := 0
next:
	for {
		first, size := utf8.DecodeRuneInString(text[total:])
		clues := categories.At(first).clue
		for n, lead := range []clue{firstOf2, firstOf3, firstOf4} {
			if clues&lead == 0 {
				continue
			}
			if rest, ok := continuations(text[total+size:], n+1); ok {
				total += size + rest
				continue next
			}
		}
		return total
	}
}

// continuations returns the length of the first n characters of text if all may stand for continuation bytes.
func continuations(text string, n int) (int, bool) {
	length := 0
	for range n {
		r, size := utf8.DecodeRuneInString(text[length:])
		if categories.At(r).clue&continuation == 0 {
			return 0, false
		}
		length += size
	}
	return length, true
}

func isASCII(text string) bool {
	for i := 0; i < len(text); i++ {
		if text[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
