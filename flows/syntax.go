package flows

import (
	"bytes"
	"fmt"
	"regexp"
	"sort"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// syntaxError turns what the YAML reader says into an Error with the line where the trouble shows. The reader names the
// line on which the surrounding object begins, so the line is found by reading ever shorter beginnings of the file.
func syntaxError(data []byte, source string, err error) *Error {
	if line, column := tabIndent(data); line > 0 {
		if _, problem := yamlProblem(data[:lineEnd(data, line)]); problem {
			return &Error{source, line, column, "a tab stands in the indentation; YAML is indented with spaces"}
		}
	}
	return &Error{source, troubleLine(data, err), 0, "the YAML cannot be read: " + syntaxMessage(err)}
}

var readerPrefix = regexp.MustCompile(`^yaml: (?:line ([0-9]+): )?`)

// syntaxMessage is the reader's message without the place.
func syntaxMessage(err error) string {
	message := readerPrefix.ReplaceAllString(err.Error(), "")
	switch {
	case strings.Contains(message, "mapping values are not allowed"):
		message += " (a second colon in a line, or a wrong indentation above; text with a colon and a blank needs quotes)"
	case strings.Contains(message, "found character that cannot start any token"):
		message += " (text that begins with @, ` or % needs quotes: '@r')"
	case strings.Contains(message, "could not find expected ':'"):
		message += " (a key without its colon)"
	}
	return message
}

// tabIndent finds the first line that begins with a tab, perhaps after spaces.
func tabIndent(data []byte) (line, column int) {
	for i, l := range bytes.SplitAfter(data, []byte("\n")) {
		rest := bytes.TrimLeft(l, " ")
		if len(rest) > 1 && rest[0] == '\t' && len(bytes.TrimSpace(rest)) > 0 {
			return i + 1, len(l) - len(rest) + 1
		}
	}
	return 0, 0
}

// lineEnd is the offset behind the first n lines.
func lineEnd(data []byte, n int) int {
	end := 0
	for ; n > 0; n-- {
		i := bytes.IndexByte(data[end:], '\n')
		if i < 0 {
			return len(data)
		}
		end += i + 1
	}
	return end
}

// yamlProblem reads the documents of data and returns the reader's message.
func yamlProblem(data []byte) (message string, problem bool) {
	defer func() {
		if r := recover(); r != nil {
			message, problem = fmt.Sprint(r), true
		}
	}()
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	for {
		var n yaml.Node
		if err := decoder.Decode(&n); err != nil {
			return err.Error(), err.Error() != "EOF"
		}
	}
}

// troubleLine is the last line of the shortest beginning of the file that gives the same message. Files too long for
// that (some ten readings) get the reader's own line.
func troubleLine(data []byte, err error) int {
	const longest = 64 << 10
	if len(data) > longest {
		line, _ := strconv.Atoi(readerPrefix.FindStringSubmatch(err.Error() + " ")[1])
		return line
	}
	lines := 1 + bytes.Count(bytes.TrimRight(data, "\n"), []byte("\n"))
	return 1 + sort.Search(lines-1, func(i int) bool {
		message, problem := yamlProblem(data[:lineEnd(data, i+1)])
		return problem && message == err.Error()
	})
}
