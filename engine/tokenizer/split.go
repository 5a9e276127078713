package tokenizer

import (
	"strings"
	"unicode/utf8"
	"unsafe"

	"clipd/engine/tokenizer/runes"
)

// The split pattern, leftmost and first alternative, ignoring case:
//
//	<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+
//
// Text that fits nothing is left out: white space, and U+0345.

// longS counts as s in the pattern, being equal to it but for case.
const longS = "\u017F"

// appendPieces splits clean text to pieces and appends their ids until dst has limit ids.
func (t *Tokenizer) appendPieces(dst []int32, clean []byte, limit int) []int32 {
	text := unsafe.String(unsafe.SliceData(clean), len(clean)) // clean does not change while this runs
	for text != "" && len(dst) < limit {
		if id, length, ok := t.marker(text); ok {
			dst = append(dst, id)
			text = text[length:]
			continue
		}
		length, isPiece := nextPiece(text)
		if isPiece {
			dst = t.appendPiece(dst, text[:length], limit)
		}
		text = text[length:]
	}
	return dst
}

// nextPiece returns the length of the piece at the start of clean text, or of a character that is in none.
func nextPiece(text string) (length int, isPiece bool) {
	switch text[0] {
	case '\'':
		if n := contraction(text); n > 0 {
			return n, true
		}
	case '<':
		// A marker with a long s is a piece but not the marker.
		const before, after = "<|", "tartoftext|>"
		if strings.HasPrefix(text, before+longS+after) {
			return len(before + longS + after), true
		}
	}
	r, size := utf8.DecodeRuneInString(text)
	switch class := runes.Of(r) & (runes.Letter | runes.Number | runes.Symbol); class {
	case 0:
		return size, false
	case runes.Number:
		return size, true
	default:
		return runLength(text, size, class), true
	}
}

// runLength returns the length of the run of characters of a class that text starts with; the first length bytes are known to
// be in it.
func runLength(text string, length int, class runes.Property) int {
	for length < len(text) {
		r, size := utf8.DecodeRuneInString(text[length:])
		if !runes.Is(r, class) {
			break
		}
		length += size
	}
	return length
}

// contraction returns the length of the English contraction, such as 'll, at the start of clean text, which is not empty,
// or 0.
func contraction(text string) int {
	if strings.HasPrefix(text, "'"+longS) {
		return len("'" + longS)
	}
	return contractionASCII(text)
}

// contractionASCII is contraction for ASCII text, in capitals or small letters.
func contractionASCII(text string) int {
	if text[0] != '\'' || len(text) < 2 {
		return 0
	}
	second := text[1] | 0x20
	switch second {
	case 's', 't', 'm', 'd':
		return 2
	}
	if len(text) < 3 {
		return 0
	}
	third := text[2] | 0x20
	if third == 'e' && (second == 'r' || second == 'v') || third == 'l' && second == 'l' {
		return 3
	}
	return 0
}
