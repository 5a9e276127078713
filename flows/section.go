package flows

import (
	"fmt"
	"slices"
	"strings"
)

// field is one key that a section of a flow file may hold, and how it lands in a T. The reference page is written from
// the same fields.
type field[T any] struct {
	name     string
	synonyms []string
	typ      string // for the reference page
	def      string // for the reference page: the default as one would write it
	doc      string // for the reference page: Markdown, no full stop at the end
	// ignored says in one sentence why the key has no meaning here; such a key is accepted unread.
	ignored string
	// inherited: a default for every executor when it stands in with:.
	inherited bool
	setDef    func(into *T)
	read      func(r *reader, into *T, v *value) // v is never null
}

// section is an object of a flow file: where it stands and what it may hold.
type section[T any] struct {
	name   string // as in messages: "uses: with:"
	fields []field[T]
	// other takes a key that is none of the fields, known being those with a meaning; nil makes such a key a mistake.
	other func(r *reader, v *value, e entry, known []string)
}

func (s *section[T]) find(key string) *field[T] {
	for i := range s.fields {
		f := &s.fields[i]
		if f.name == key {
			return f
		}
		for _, synonym := range f.synonyms {
			if synonym == key {
				return f
			}
		}
	}
	return nil
}

// setDefaults writes every default of the section.
func (s *section[T]) setDefaults(into *T) {
	for _, f := range s.fields {
		if f.setDef != nil {
			f.setDef(into)
		}
	}
}

// readSection reads the keys of v into *into and returns the values it found by their main names. Keys that skip
// accepts are left out.
func readSection[T any](r *reader, s *section[T], v *value, into *T, skip func(key string) bool) map[string]*value {
	found := map[string]*value{}
	if v.kind == null {
		return found
	}
	if v.kind != object {
		r.fail(v, "%s is an object of keys and values, not %s", s.name, v.describe())
		return found
	}
	for _, e := range v.entries {
		if skip != nil && skip(e.key) {
			continue
		}
		f := s.find(e.key)
		if f == nil && s.other != nil {
			s.other(r, v, e, s.meaningful(""))
			continue
		}
		if f == nil {
			r.unknownKey(v, e, s.name, s.meaningful(""), s.ignored())
			continue
		}
		if before := found[f.name]; before != nil {
			r.failAt(v, e.line, e.column, "%s means the same as the key %s on line %d; keep one of them", quote(e.key), quote(f.name), before.line)
			continue
		}
		if f.ignored != "" {
			r.notice(v, e, f.ignored)
			continue
		}
		found[f.name] = e.value
		if e.value.kind != null {
			f.read(r, into, e.value)
		}
	}
	return found
}

// unknownKey names the key that was perhaps meant, or the place where the key belongs.
func (r *reader) unknownKey(v *value, e entry, section string, known, ignored []string) {
	places := r.places()
	for _, place := range places {
		if slices.Contains(place.keys, e.key) && place.name != section {
			r.failAt(v, e.line, e.column, "the key %s does not belong to %s; it goes under %s", quote(e.key), section, place.name)
			return
		}
	}
	message := fmt.Sprintf("unknown key %s in %s", quote(e.key), section)
	if near := nearest(e.key, append(known, ignored...)); near != "" {
		r.failAt(v, e.line, e.column, "%s", message+didYouMean(near))
		return
	}
	for _, place := range places {
		if near := nearest(e.key, place.keys); near != "" {
			r.failAt(v, e.line, e.column, "%s; did you mean %s under %s?", message, quote(near), place.name)
			return
		}
	}
	if len(known) <= 12 {
		message += "; known are " + strings.Join(known, ", ")
	}
	r.failAt(v, e.line, e.column, "%s", message)
}

// ignored are the keys that are accepted without meaning.
func (s *section[T]) ignored() []string {
	var keys []string
	for _, f := range s.fields {
		if f.ignored != "" {
			keys = append(keys, f.name)
		}
	}
	return keys
}

// place is a section and the keys that have a meaning in it.
type place struct {
	name string
	keys []string
}

// places lists the sections in which a misplaced key is looked for, the most likely first.
func places() []place {
	return []place{
		{encoderSection.name, encoderSection.meaningful("name")},
		{executorSection.name, executorSection.meaningful("name")},
		{usesSection.name, usesSection.meaningful("")},
		{gatewaySection.name, gatewaySection.meaningful("")},
		{limitsSection.name, limitsSection.meaningful("")},
		{authSection.name, authSection.meaningful("")},
		{urisSection.name, urisSection.meaningful("timeout")},
		{flowSection.name, flowSection.meaningful("with")},
	}
}

// meaningful are the keys of the section, synonyms included, without those that are ignored and one that other sections
// have more often.
func (s *section[T]) meaningful(except string) []string {
	var keys []string
	for _, f := range s.fields {
		if f.ignored == "" && f.name != except {
			keys = append(append(keys, f.name), f.synonyms...)
		}
	}
	return keys
}
