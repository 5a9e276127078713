package ftfy

import (
	"strings"
	"unicode/utf8"

	"clipd/engine/tokenizer/runes"
)

// controls returns the control characters that have no business in text: not white space, not what joins or orders letters.
func controls() []rune {
	var list []rune
	for _, span := range [][2]rune{
		{0x00, 0x08}, {0x0B, 0x0B}, {0x0E, 0x1F}, {0x7F, 0x7F},
		{0x206A, 0x206F}, // deprecated
		{0xFEFF, 0xFEFF}, // byte order mark
		{0xFFF9, 0xFFFC}, // interlinear annotation, object replacement
	} {
		for r := span[0]; r <= span[1]; r++ {
			list = append(list, r)
		}
	}
	return list
}

// removeControls removes the characters of controls.
func removeControls(text string) string {
	return strings.Map(func(r rune) rune {
		if findings.At(r)&hasControl != 0 {
			return -1
		}
		return r
	}, text)
}

// removeTerminalEscapes removes the sequences that colour text in a terminal: ESC, "[", decimal digits (of any script) and
// semicolons, an ASCII letter.
func removeTerminalEscapes(text string) string {
	const introducer = "\x1B["
	var out strings.Builder
	start := 0
	for i := strings.Index(text, introducer); i >= 0; {
		end := i + len(introducer)
		end += len(text[end:]) - len(strings.TrimLeftFunc(text[end:], func(r rune) bool {
			return r == ';' || runes.Is(r, runes.Digit)
		}))
		if end < len(text) && isASCIILetter(text[end]) {
			end++
			out.WriteString(text[start:i])
			start = end
		}
		next := strings.Index(text[end:], introducer)
		if next < 0 {
			break
		}
		i = end + next
	}
	if start == 0 {
		return text
	}
	out.WriteString(text[start:])
	return out.String()
}

func isASCIILetter(c byte) bool {
	return c < utf8.RuneSelf && ('a' <= c|0x20 && c|0x20 <= 'z')
}
