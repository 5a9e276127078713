package ftfy

import "strings"

// variants maps each character that has a plainer form to it: ligatures, full-width and half-width forms, curly quotes and
// the line breaks that other systems use. Carriage return and line feed together are one line break.
var variants = newVariants()

func newVariants() map[rune]string {
	plain := map[rune]string{'\r': "\n", '\u0085': "\n", '\u2028': "\n", '\u2029': "\n", '\u02BC': "'"}
	for r := '\u2018'; r <= '\u201B'; r++ {
		plain[r] = "'"
	}
	for r := '\u201C'; r <= '\u201F'; r++ {
		plain[r] = `"`
	}
	for r, s := range ligatures {
		plain[r] = strings.ReplaceAll(s, "\u02BC", "'") // ŉ
	}
	for r, s := range widths {
		plain[r] = s
	}
	return plain
}

// replaceVariants replaces every character of variants.
func replaceVariants(text string) string {
	var out strings.Builder
	out.Grow(len(text))
	start := 0
	for i, r := range text {
		if findings.At(r)&hasVariant == 0 {
			continue
		}
		out.WriteString(text[start:i])
		start = i + len(string(r))
		if r == '\r' && strings.HasPrefix(text[start:], "\n") {
			continue
		}
		out.WriteString(variants[r])
	}
	out.WriteString(text[start:])
	return out.String()
}
