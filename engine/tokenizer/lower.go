package tokenizer

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"clipd/engine/tokenizer/runes"
)

const (
	capitalSigma   = '\u03A3'
	finalSigma     = '\u03C2'
	capitalDottedI = '\u0130'
)

// appendLower appends text in lower case: the full mapping of Unicode 14.0 without those of single languages, as Python's
// str.lower. Two characters are special: U+0130 becomes two, and a capital sigma depends on what is around it.
func appendLower(dst []byte, text string) []byte {
	for i, r := range text {
		switch {
		case r < utf8.RuneSelf:
			if 'A' <= r && r <= 'Z' {
				r += 'a' - 'A'
			}
			dst = append(dst, byte(r))
		case r == capitalSigma && endsWord(text[:i], text[i+len("\u03A3"):]):
			dst = utf8.AppendRune(dst, finalSigma)
		case r == capitalDottedI:
			dst = append(dst, "i\u0307"...)
		case runes.Is(r, runes.Unassigned):
			dst = utf8.AppendRune(dst, r)
		default:
			dst = utf8.AppendRune(dst, unicode.ToLower(r))
		}
	}
	return dst
}

// endsWord tells whether a letter is before and none after, leaving out what does not count (Unicode, Final_Sigma).
func endsWord(before, after string) bool {
	ignorable := func(r rune) bool { return runes.Is(r, runes.CaseIgnorable) }
	last, _ := utf8.DecodeLastRuneInString(strings.TrimRightFunc(before, ignorable))
	next, _ := utf8.DecodeRuneInString(strings.TrimLeftFunc(after, ignorable))
	return runes.Is(last, runes.Cased) && !runes.Is(next, runes.Cased)
}
