package jinajson

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"unicode/utf8"

	"clipd/frontend/fault"
)

// maxDetails is how many mistakes of a body are told at once.
const maxDetails = 8

// Error is what is wrong with a body. Its cause, for errors.As, is a *fault.Error.
type Error struct {
	Details []Detail
	cause   *fault.Error
}

// Detail is one mistake, in the shape that FastAPI answers with.
type Detail struct {
	Loc  []any  // strings and ints: "body", then keys and places; or "body" and the byte where the syntax breaks
	Msg  string // what is wrong there
	Type string // pydantic's name for the kind of mistake
	// Context is what the parser expected at a break of the syntax, or "".
	Context string

	where, document, what string // the parts of the sentence: the path, whose it is, what is wrong
}

// brokenBase64 is the type of mistakes in base64; pydantic has no name of its own for it.
const brokenBase64 = "value_error.base64"

func (d *Detail) sentence() string { return d.where + d.document + d.what }

// Error implements error with one sentence: the first mistake.
func (e *Error) Error() string { return e.cause.Message }

// Unwrap returns what the mistake is over each transport, a *fault.Error.
func (e *Error) Unwrap() error { return e.cause }

// Status is the HTTP status of the answer that AppendDetail is the body of: 413 past a limit of size, and 422 for
// everything else, broken syntax too, as FastAPI has it.
func (e *Error) Status() int {
	if e.cause.Code == fault.TooLarge {
		return http.StatusRequestEntityTooLarge
	}
	return http.StatusUnprocessableEntity
}

// AppendDetail appends the answer's body, {"detail":[...]}.
func (e *Error) AppendDetail(dst []byte) []byte {
	dst = append(dst, `{"detail":[`...)
	for i, d := range e.Details {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = d.append(dst)
	}
	return append(dst, "]}"...)
}

func (d *Detail) append(dst []byte) []byte {
	dst = append(dst, `{"type":`...)
	dst = appendString(dst, d.Type)
	dst = append(dst, `,"loc":[`...)
	for i, step := range d.Loc {
		if i > 0 {
			dst = append(dst, ',')
		}
		switch step := step.(type) {
		case int:
			dst = strconv.AppendInt(dst, int64(step), 10)
		case string:
			dst = appendString(dst, step)
		}
	}
	dst = append(dst, `],"msg":`...)
	dst = appendString(dst, d.Msg)
	if d.Context != "" {
		dst = append(dst, `,"input":{},"ctx":{"error":`...)
		dst = append(appendString(dst, d.Context), '}')
	}
	return append(dst, '}')
}

// syntaxError says that the body is no JSON from byte at on; what is in the words of Python's reader.
func syntaxError(what string, body []byte, at int) *Error {
	found := "the body ends there"
	if at < len(body) {
		found = "there is " + quoted(body[at:])
	}
	return &Error{
		Details: []Detail{{Loc: []any{"body", at}, Msg: "JSON decode error", Type: "json_invalid", Context: what}},
		cause:   fault.New(fault.Malformed, "the body is not JSON: %s at byte %d; %s", strings.TrimSuffix(what, " at"), at, found),
	}
}

// limitError says that the body is more than is read.
func limitError(code fault.Code, format string, args ...any) *Error {
	cause := fault.New(code, format, args...)
	return &Error{
		Details: []Detail{{Loc: []any{"body"}, Msg: cause.Message, Type: "value_error.limit"}},
		cause:   cause,
	}
}

// bodyError is a mistake of the body as a whole.
func bodyError(msg, kind, sentence string, loc ...any) *Error {
	return &Error{
		Details: []Detail{{Loc: append([]any{"body"}, loc...), Msg: msg, Type: kind}},
		cause:   fault.New(fault.Invalid, "%s", sentence),
	}
}

// shownBytes is how much of a caller's value an error shows.
const shownBytes = 40

// quoted shows the beginning of a piece of the body.
func quoted(b []byte) string {
	if len(b) <= shownBytes {
		return fmt.Sprintf("%q", b)
	}
	return fmt.Sprintf("%q…", b[:cut(b)])
}

// shortened is the beginning of a key.
func shortened(key string) string {
	if len(key) <= shownBytes {
		return strings.Clone(key)
	}
	return key[:cut([]byte(key[:shownBytes+1]))] + "…"
}

// cut returns where b, which is longer than what is shown, can be cut without cutting a character.
func cut(b []byte) int {
	n := shownBytes
	for n > shownBytes-utf8.UTFMax && !utf8.RuneStart(b[n]) {
		n--
	}
	return n
}
