package flows

import "strconv"

// kind is what a value of a flow file is once its variables are replaced.
type kind uint8

const (
	null kind = iota
	boolean
	integer
	float
	text
	list
	object
)

// value is one value of a flow file and its place. Scalars keep the text they were read from.
type value struct {
	kind         kind
	source       string // file name
	line, column int    // counted from 1

	text    string // of scalars
	boolean bool
	integer int64
	float   float64
	items   []*value
	entries []entry
	tag     string // of objects: "CLIPEncoder" of a YAML tag !CLIPEncoder
	anchor  bool   // has a YAML anchor: what it holds may be used elsewhere in the file
}

// entry is one key of an object and its value.
type entry struct {
	key          string
	line, column int
	value        *value
}

// at returns the value of a key, or nil.
func (v *value) at(key string) *value {
	for i := range v.entries {
		if v.entries[i].key == key {
			return v.entries[i].value
		}
	}
	return nil
}

// clone copies v and everything below it.
func (v *value) clone() *value {
	c := *v
	c.items = make([]*value, len(v.items))
	for i, item := range v.items {
		c.items[i] = item.clone()
	}
	c.entries = make([]entry, len(v.entries))
	for i, e := range v.entries {
		c.entries[i] = e
		c.entries[i].value = e.value.clone()
	}
	return &c
}

// plain gives v in Go's basic types: nil, bool, int64, float64, string, []any, map[string]any.
func (v *value) plain() any {
	switch v.kind {
	case boolean:
		return v.boolean
	case integer:
		return v.integer
	case float:
		return v.float
	case text:
		return v.text
	case list:
		items := make([]any, len(v.items))
		for i, item := range v.items {
			items[i] = item.plain()
		}
		return items
	case object:
		m := make(map[string]any, len(v.entries))
		for _, e := range v.entries {
			m[e.key] = e.value.plain()
		}
		return m
	default:
		return nil
	}
}

// describe names v for a message: a text in quotes, others as written.
func (v *value) describe() string {
	switch v.kind {
	case null:
		return "nothing"
	case list:
		return "a list"
	case object:
		return "an object"
	case text:
		return quote(v.text)
	default:
		return shorten(v.text)
	}
}

// quote puts s in double quotes for a message, cut when it is long.
func quote(s string) string { return strconv.Quote(shorten(s)) }

// shorten cuts a text that would fill a message.
func shorten(s string) string {
	const most = 80
	if len(s) <= most {
		return s
	}
	cut := most
	for cut > 0 && s[cut]&0xC0 == 0x80 { // not in the middle of a character
		cut--
	}
	return s[:cut] + "…"
}
