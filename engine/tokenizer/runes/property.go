// Package runes knows the properties of characters that text cleaning and splitting depend on, in the Unicode versions of
// the reference, which are not those of Go's unicode package.
package runes

// Property is a set of properties of a character.
type Property uint16

// span is a run of characters with the same properties: it ends where the next one starts.
type span struct {
	first      rune
	properties Property
}

var properties = newProperties()

func newProperties() *Table[Property] {
	t := NewTable[Property]()
	for i, s := range spans {
		end := rune(maxRune + 1)
		if i+1 < len(spans) {
			end = spans[i+1].first
		}
		t.Set(s.first, end, s.properties)
	}
	return t
}

// Of returns the properties of r.
func Of(r rune) Property { return properties.At(r) }

// Is tells whether r has one of the properties p.
func Is(r rune, p Property) bool { return properties.At(r)&p != 0 }
