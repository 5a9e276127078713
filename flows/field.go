package flows

import (
	"fmt"
	"math"
	"strconv"
	"time"
)

// The constructors below make a field from its type, default and place in T, so that what is checked, what is filled in
// and what the reference page says cannot differ.

func boolField[T any](name, doc string, at func(*T) *bool) field[T] {
	return field[T]{name: name, typ: "true or false", def: "false", doc: doc,
		read: func(r *reader, into *T, v *value) {
			if b, ok := r.boolean(name, v); ok {
				*at(into) = b
			}
		}}
}

// on makes true the default of a boolField.
func (f field[T]) on(at func(*T) *bool) field[T] {
	f.def, f.setDef = "true", func(into *T) { *at(into) = true }
	return f
}

func intField[T any, I int | int64](name string, def, least, most I, doc string, at func(*T) *I) field[T] {
	typ := fmt.Sprintf("%d to %d", least, most)
	if int64(most) == math.MaxInt64 {
		typ = fmt.Sprintf("%d or more", least)
	}
	return field[T]{name: name, typ: typ, def: strconv.FormatInt(int64(def), 10), doc: doc,
		setDef: func(into *T) { *at(into) = def },
		read: func(r *reader, into *T, v *value) {
			if i, ok := r.integer(name, "", v, int64(least), int64(most)); ok {
				*at(into) = I(i)
			}
		}}
}

// bytesField takes a size from least to most.
func bytesField[T any](name string, def, least, most int64, doc string, at func(*T) *int64) field[T] {
	return field[T]{name: name, typ: "bytes, or text such as 64MiB", def: sizeText(def), doc: doc,
		setDef: func(into *T) { *at(into) = def },
		read: func(r *reader, into *T, v *value) {
			if n, ok := r.bytes(name, v, least, most); ok {
				*at(into) = n
			}
		}}
}

func textField[T any](name, def, doc string, at func(*T) *string) field[T] {
	return field[T]{name: name, typ: "text", def: def, doc: doc,
		setDef: func(into *T) { *at(into) = def },
		read: func(r *reader, into *T, v *value) {
			if s, ok := r.text(name, v); ok {
				*at(into) = s
			}
		}}
}

// wordField takes one of words; without one the server chooses.
func wordField[T any](name string, words []string, meant map[string]string, def, doc string, at func(*T) *string) field[T] {
	typ := ""
	for i, w := range words {
		if i > 0 {
			typ += ", "
		}
		typ += "`" + w + "`"
	}
	return field[T]{name: name, typ: typ, def: def, doc: doc,
		read: func(r *reader, into *T, v *value) {
			if w, ok := r.word(name, v, words, meant); ok {
				*at(into) = w
			}
		}}
}

// timeField takes milliseconds; -1 is stored as endless.
func timeField[T any](name string, def, endless time.Duration, defText, doc string, at func(*T) *time.Duration) field[T] {
	return field[T]{name: name, typ: "milliseconds, -1 = no limit", def: defText, doc: doc,
		setDef: func(into *T) { *at(into) = def },
		read: func(r *reader, into *T, v *value) {
			d, ok := r.milliseconds(name, v)
			if ok && d < 0 {
				d = endless
			}
			if ok {
				*at(into) = d
			}
		}}
}

func envField[T any](doc string, at func(*T) *map[string]string) field[T] {
	return field[T]{name: "env", typ: "object", doc: doc,
		setDef: func(into *T) { *at(into) = map[string]string{} },
		read:   func(r *reader, into *T, v *value) { r.environment("env", v, *at(into)) }}
}

func settingsField[T any](name, doc string, at func(*T) *map[string]any) field[T] {
	return field[T]{name: name, typ: "object", doc: doc,
		read: func(r *reader, into *T, v *value) { *at(into) = r.settings(name, v) }}
}

// ignoredFields are keys that the original knows and that have no meaning here, all for the same reason.
func ignoredFields[T any](why string, names ...string) []field[T] {
	fields := make([]field[T], len(names))
	for i, name := range names {
		fields[i] = field[T]{name: name, ignored: why}
	}
	return fields
}

// required shows that there is no default.
func (f field[T]) required() field[T] {
	f.def = "required"
	return f
}

// byDefault makes the field, written in with:, a default of every executor.
func (f field[T]) byDefault() field[T] {
	f.inherited = true
	return f
}
