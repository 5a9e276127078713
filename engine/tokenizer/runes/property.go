// Package runes knows the properties of characters that text cleaning and splitting depend on, in the Unicode versions of
// the reference, which are not those of Go's unicode package.
package runes

import "iter"

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
		t.Set(s.first, spanEnd(i), s.properties)
	}
	return t
}

// spanEnd returns the code point after span i.
func spanEnd(i int) rune {
	if i+1 < len(spans) {
		return spans[i+1].first
	}
	return maxRune + 1
}

// Of returns the properties of r.
func Of(r rune) Property { return properties.At(r) }

// Is tells whether r has one of the properties p.
func Is(r rune, p Property) bool { return properties.At(r)&p != 0 }

// With returns the runs of characters that have one of the properties p: their first code point and the one after the last.
func With(p Property) iter.Seq2[rune, rune] {
	return func(yield func(first, end rune) bool) {
		for i, s := range spans {
			if s.properties&p != 0 && !yield(s.first, spanEnd(i)) {
				return
			}
		}
	}
}
