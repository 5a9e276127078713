package charref

import (
	_ "embed"
	"strings"
	"sync"
)

// entityTable has a line "name TAB characters" for each named character reference of HTML 5, without the ampersand; names
// that may also stand without a semicolon have two lines. Tab and NewLine are missing.
//
//go:embed entities.tsv
var entityTable string

// entities maps each name to its characters. It is read at the first text that needs it.
var entities = sync.OnceValue(func() map[string]string {
	names := ParseTable(entityTable)
	names["Tab;"] = "\t"
	names["NewLine;"] = "\n"
	return names
})

// ParseTable reads lines "name TAB characters" of a generated table.
func ParseTable(table string) map[string]string {
	names := make(map[string]string, strings.Count(table, "\n"))
	for line := range strings.Lines(table) {
		name, characters, found := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		if !found {
			panic("BUG: character reference without a value: " + line)
		}
		names[name] = characters
	}
	return names
}

// Named returns the characters of a named reference, given without the ampersand, such as "eacute;" or "eacute".
func Named(name string) (characters string, ok bool) {
	characters, ok = entities()[name]
	return characters, ok
}
