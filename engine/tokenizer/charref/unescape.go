// Package charref replaces the character references of HTML as Python's html.unescape does.
package charref

import (
	"strings"
	"unicode/utf8"
)

// maxName is the number of characters after the ampersand that can belong to a named reference, without the semicolon.
const maxName = 32

// Unescape replaces every named and numeric character reference in text, also those without a semicolon where HTML 5
// allows that; the longest known name wins. The result of a reference is not read again.
func Unescape(text string) string {
	next := strings.IndexByte(text, '&')
	if next < 0 {
		return text
	}
	var out strings.Builder
	out.Grow(len(text))
	for next >= 0 {
		out.WriteString(text[:next])
		text = text[next+1:]
		if characters, length, ok := reference(text); ok {
			out.WriteString(characters)
			text = text[length:]
		} else {
			out.WriteByte('&')
		}
		next = strings.IndexByte(text, '&')
	}
	out.WriteString(text)
	return out.String()
}

// reference reads the reference whose ampersand is before text, and returns what it stands for and its length in text.
func reference(text string) (characters string, length int, ok bool) {
	if strings.HasPrefix(text, "#") {
		return numeric(text)
	}
	return named(text)
}

// named finds the longest name that text starts with.
func named(text string) (characters string, length int, ok bool) {
	end := 0
	for end < len(text) && end < maxName && isAlphanumeric(text[end]) {
		end++
	}
	if end < len(text) && text[end] == ';' {
		end++
	}
	// No name is shorter than two characters.
	for ; end >= 2; end-- {
		if characters, ok := Named(text[:end]); ok {
			return characters, end, true
		}
	}
	return "", 0, false
}

// numeric reads "#" decimal digits or "#x" hexadecimal digits, and a semicolon if there is one.
func numeric(text string) (characters string, length int, ok bool) {
	base, start := rune(10), 1
	if len(text) > 1 && (text[1] == 'x' || text[1] == 'X') {
		base, start = 16, 2
	}
	var value rune
	end := start
	for ; end < len(text); end++ {
		digit := digitValue(text[end])
		if digit >= base {
			break
		}
		if value <= utf8.MaxRune { // past it, the value does not matter
			value = value*base + digit
		}
	}
	if end == start {
		return "", 0, false
	}
	if end < len(text) && text[end] == ';' {
		end++
	}
	return character(value), end, true
}

// c1 holds what the references 0x80 to 0x9F stand for: Windows-1252, and its five unassigned bytes as they are
// (HTML, numeric character reference end state).
var c1 = [32]rune{
	0x20AC, 0x81, 0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021, 0x02C6, 0x2030, 0x0160, 0x2039, 0x0152, 0x8D, 0x017D, 0x8F,
	0x90, 0x2018, 0x2019, 0x201C, 0x201D, 0x2022, 0x2013, 0x2014, 0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0x9D, 0x017E, 0x0178,
}

// character returns what the numeric reference of value stands for: nothing for control characters and noncharacters.
func character(value rune) string {
	switch {
	case value == 0 || value > utf8.MaxRune || 0xD800 <= value && value <= 0xDFFF:
		return string(utf8.RuneError)
	case 0x80 <= value && value <= 0x9F:
		return string(c1[value-0x80])
	case value <= 0x08 || value == 0x0B || 0x0E <= value && value <= 0x1F || value == 0x7F:
		return ""
	case 0xFDD0 <= value && value <= 0xFDEF || value&0xFFFE == 0xFFFE:
		return ""
	}
	return string(value)
}

// digitValue returns the value of a hexadecimal digit, and 16 for every other byte.
func digitValue(c byte) rune {
	switch {
	case '0' <= c && c <= '9':
		return rune(c - '0')
	case 'a' <= c && c <= 'f':
		return rune(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return rune(c-'A') + 10
	}
	return 16
}

func isAlphanumeric(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}
