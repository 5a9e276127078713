package jinajson

import (
	"encoding/base64"
	"unicode/utf8"
)

// appendString appends s as a JSON string. Bytes that are no UTF-8 become U+FFFD; characters that only HTML cares about
// stay as they are.
func appendString(dst []byte, s string) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	for b := bytesOf(s); len(b) > 0; {
		n := plain(b)
		for n < len(b) && b[n] >= utf8.RuneSelf { // other scripts in one piece
			r, size := utf8.DecodeRune(b[n:])
			if r == utf8.RuneError && size == 1 {
				break
			}
			n += size
			n += plain(b[n:])
		}
		dst = append(dst, b[:n]...)
		if b = b[n:]; len(b) == 0 {
			break
		}
		switch c := b[0]; c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\n':
			dst = append(dst, `\n`...)
		case '\r':
			dst = append(dst, `\r`...)
		case '\t':
			dst = append(dst, `\t`...)
		default:
			if c < 0x20 {
				dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
			} else {
				dst = append(dst, "\uFFFD"...)
			}
		}
		b = b[1:]
	}
	return append(dst, '"')
}

// appendBytes appends b as a JSON string of standard base64.
func appendBytes(dst, b []byte) []byte {
	dst = append(dst, '"')
	dst = base64.StdEncoding.AppendEncode(dst, b)
	return append(dst, '"')
}
