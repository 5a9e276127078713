package ftfy

import (
	_ "embed"
	"strings"
	"sync"

	"clipd/engine/tokenizer/charref"
)

// uppercaseEntityTable has a line "name TAB characters" for each character reference in capitals that stands for the
// capital of the reference in small letters, such as EACUTE; for É.
//
//go:embed uppercase_entities.tsv
var uppercaseEntityTable string

var uppercaseEntities = sync.OnceValue(func() map[string]string { return charref.ParseTable(uppercaseEntityTable) })

// maxEntity is the greatest number of letters and digits of a character reference.
const maxEntity = 24

// unescapeEntities replaces character references, only those that end in a semicolon.
func unescapeEntities(text string) string {
	var out strings.Builder
	start := 0
	for i := strings.IndexByte(text, '&'); i >= 0; {
		n := entityLength(text[i:])
		if n == 0 {
			n = 1
		} else if characters, ok := entity(text[i : i+n]); ok {
			out.WriteString(text[start:i])
			out.WriteString(characters)
			start = i + n
		}
		next := strings.IndexByte(text[i+n:], '&')
		if next < 0 {
			break
		}
		i += n + next
	}
	if start == 0 {
		return text
	}
	out.WriteString(text[start:])
	return out.String()
}

// entityLength returns the length of what has the form of a character reference at the start of text, or 0.
func entityLength(text string) int {
	first := 1
	if len(text) > 1 && text[1] == '#' {
		first = 2
	}
	end := first
	for end < len(text) && end-first < maxEntity && isAlphanumeric(text[end]) {
		end++
	}
	if end == first || end == len(text) || text[end] != ';' {
		return 0
	}
	return end + 1
}

func isAlphanumeric(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// entity returns what a reference, from "&" to ";", stands for.
func entity(reference string) (string, bool) {
	if reference[1] == '#' {
		// Not if a part of it would stay, or a semicolon come out.
		characters := charref.Unescape(reference)
		return characters, strings.IndexByte(characters, ';') < 0
	}
	name := reference[1:]
	if characters, ok := charref.Named(name); ok {
		return characters, true
	}
	characters, ok := uppercaseEntities()[name]
	return characters, ok
}
