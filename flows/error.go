package flows

import (
	"fmt"
	"sort"
	"strings"
)

// Error is one mistake in a flow file.
type Error struct {
	Source       string // file name, as it was given
	Line, Column int    // counted from 1; Column 0 when only the line is known, Line 0 when neither is
	Message      string
}

func (e *Error) Error() string {
	return position(e.Source, e.Line, e.Column) + e.Message
}

// Errors are all mistakes of a flow file, by file and line.
type Errors []*Error

func (l Errors) Error() string {
	lines := make([]string, len(l))
	for i, e := range l {
		lines[i] = e.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap lets errors.As find the single mistakes.
func (l Errors) Unwrap() []error {
	errs := make([]error, len(l))
	for i, e := range l {
		errs[i] = e
	}
	return errs
}

// mark is a place in a file.
type mark struct {
	source       string
	line, column int
}

// Errorf makes an error that names the place of a key of the executor, such as "name" or "device", or the executor's own
// place when the file does not give the key. It is for what shows only later: an unknown model, a GPU that is not there.
func (e *Executor) Errorf(key, format string, args ...any) *Error {
	at, found := e.marks[key]
	if !found {
		at = e.marks[""]
	}
	return &Error{at.source, at.line, at.column, fmt.Sprintf(format, args...)}
}

// Given reports whether the file sets an argument of the encoder, such as "lanes", rather than leaving it to the default.
func (e *Executor) Given(key string) bool {
	_, given := e.marks[key]
	return given && key != ""
}

// Notice says once that a key of the file has no meaning here, or another than in the original, and why.
type Notice struct {
	Source       string
	Line, Column int
	Key          string
	Message      string // one sentence
}

func (n Notice) String() string {
	return position(n.Source, n.Line, n.Column) + n.Message
}

// position gives "flow.yml:7:5: ", without the parts that are not known.
func position(source string, line, column int) string {
	switch {
	case line <= 0:
		return source + ": "
	case column <= 0:
		return fmt.Sprintf("%s:%d: ", source, line)
	default:
		return fmt.Sprintf("%s:%d:%d: ", source, line, column)
	}
}

// maxErrors is how many mistakes of a file are told; nobody reads more at once.
const maxErrors = 50

// sorted orders the mistakes by line and drops repeated ones: a default for all executors is read once for each of them.
// Mistakes of the flow file stand before those of files that it names. The last one counts those beyond maxErrors.
func (l Errors) sorted(source string) Errors {
	seen := map[Error]bool{}
	var out Errors
	for _, e := range l {
		if !seen[*e] {
			seen[*e] = true
			out = append(out, e)
		}
	}
	sort.SliceStable(out, func(i, j int) bool {
		a, b := out[i], out[j]
		if a.Source != b.Source {
			if a.Source == source || b.Source == source {
				return a.Source == source
			}
			return a.Source < b.Source
		}
		if a.Line != b.Line {
			return a.Line < b.Line
		}
		return a.Column < b.Column
	})
	if more := len(out) - maxErrors; more > 0 {
		out = append(out[:maxErrors:maxErrors], &Error{Source: source, Message: fmt.Sprintf("and %d more mistakes", more)})
	}
	return out
}
