package ftfy

import "unicode/utf8"

// decodeUTF8 decodes UTF-8, CESU-8 (each surrogate of a pair in three bytes) and Java's two-byte zero, and fails at
// everything else (codec "utf-8-variants").
//
// The library's patterns end in "$", which also fits before a line feed at the end: there the line feed counts as the
// last byte of a sequence that lacks one. That is kept.
func decodeUTF8(in []byte) (string, bool) {
	if utf8.Valid(in) {
		return string(in), true
	}
	out := make([]byte, 0, len(in))
	for len(in) > 0 {
		if in[0] < utf8.RuneSelf {
			out = append(out, in[0])
			in = in[1:]
			continue
		}
		if in[0] == 0xC0 && len(in) > 1 && (in[1] == 0x80 || isLastLineFeed(in, 1)) {
			out = append(out, 0)
			in = in[2:]
			continue
		}
		if r, ok := decodeCESU8(in); ok {
			out = utf8.AppendRune(out, r)
			in = in[6:]
			continue
		}
		r, size := utf8.DecodeRune(in)
		if r == utf8.RuneError && size <= 1 {
			return "", false
		}
		out = append(out, in[:size]...)
		in = in[size:]
	}
	return string(out), true
}

// decodeCESU8 decodes the six bytes of a surrogate pair at the start of in:
// 11101101 1010abcd 10efghij 11101101 1011klmn 10opqrst is 0x10000 + abcdefghijklmnopqrst.
func decodeCESU8(in []byte) (rune, bool) {
	if len(in) < 6 || in[0] != 0xED || in[3] != 0xED {
		return 0, false
	}
	if in[1]&0xF0 != 0xA0 || !isContinuation(in[2]) || in[4]&0xF0 != 0xB0 {
		return 0, false
	}
	if !isContinuation(in[5]) && !isLastLineFeed(in, 5) {
		return 0, false
	}
	high := rune(in[1]&0x0F)<<6 | rune(in[2]&0x3F)
	low := rune(in[4]&0x0F)<<6 | rune(in[5]&0x3F)
	return 0x10000 + (high<<10 | low), true
}

func isContinuation(b byte) bool { return b&0xC0 == 0x80 }

func isLastLineFeed(in []byte, i int) bool { return i == len(in)-1 && in[i] == '\n' }
