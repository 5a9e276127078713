package jinajson

import (
	"unicode/utf16"
	"unicode/utf8"
)

// unescape writes what the inside of a well-formed JSON string stands for to dst, which may be text itself: no escape is
// shorter than what it stands for. Half of a surrogate pair becomes U+FFFD, as JavaScript's own encoder has it.
func unescape(dst, text []byte) []byte {
	n := 0
	for i := 0; i < len(text); {
		if text[i] != '\\' {
			dst[n] = text[i]
			n, i = n+1, i+1
			continue
		}
		i += 2
		switch c := text[i-1]; c {
		case 'b':
			dst[n] = '\b'
		case 'f':
			dst[n] = '\f'
		case 'n':
			dst[n] = '\n'
		case 'r':
			dst[n] = '\r'
		case 't':
			dst[n] = '\t'
		case 'u':
			r := hex4(text[i:])
			i += 4
			if utf16.IsSurrogate(r) {
				pair := rune(utf8.RuneError)
				if i+6 <= len(text) && text[i] == '\\' && text[i+1] == 'u' {
					pair = utf16.DecodeRune(r, hex4(text[i+2:]))
				}
				if pair != utf8.RuneError {
					i += 6
				}
				r = pair
			}
			n += utf8.EncodeRune(dst[n:n+utf8.RuneLen(r)], r)
			continue
		default: // quote, backslash, slash
			dst[n] = c
		}
		n++
	}
	return dst[:n]
}

// hex4 reads four hexadecimal digits.
func hex4(b []byte) rune {
	var r rune
	for _, c := range b[:4] {
		r = r<<4 | rune(hexDigit(c))
	}
	return r
}

// hexDigit returns the value of a hexadecimal digit, or -1.
func hexDigit(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}
