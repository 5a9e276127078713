package tokenizer

import (
	"strings"
	"sync"
	"unicode/utf8"

	"clipd/engine/tokenizer/charref"
	"clipd/engine/tokenizer/ftfy"
	"clipd/engine/tokenizer/runes"
)

// Clean returns the text after the cleaning of the reference: ftfy's repairs, HTML unescaped twice, white space trimmed and
// every run of it one space, lower case. Bytes that are not UTF-8 count as U+FFFD each.
func Clean(text string) string {
	var unescaped strings.Builder
	lines := newLines(text)
	for line, ok := lines.next(); ok; line, ok = lines.next() {
		unescaped.WriteString(line)
	}
	trimmed := strings.TrimFunc(unescaped.String(), func(r rune) bool { return runes.Is(r, runes.PythonSpace) })
	return string(appendLower(nil, joinSpace(trimmed)))
}

// joinSpace makes every run of white space one space.
func joinSpace(text string) string {
	out := make([]byte, 0, len(text))
	inSpace := false
	for _, r := range text {
		isSpace := runes.Is(r, runes.Space)
		switch {
		case !isSpace:
			out = utf8.AppendRune(out, r)
		case !inSpace:
			out = append(out, ' ')
		}
		inSpace = isSpace
	}
	return string(out)
}

// lineBuffers holds buffers for lines in lower case, as *[]byte, each of at most maxPooledLine bytes.
var lineBuffers = sync.Pool{New: func() any { return new([]byte) }}

const maxPooledLine = 64 << 10

// lines gives a text line by line, repaired and unescaped. No character reference, piece or final sigma reaches over the end of
// a line, so that what is done to lines gives the same as what is done to the whole.
type lines struct {
	segments ftfy.Segments
}

func newLines(text string) lines { return lines{ftfy.NewSegments(text)} }

// next returns the next line, with its line feed, and false after the last.
func (l *lines) next() (string, bool) {
	line, ok := l.segments.Next()
	if !ok {
		return "", false
	}
	if !strings.HasSuffix(line, "\n") {
		line += l.restOfLine()
	}
	return charref.Unescape(charref.Unescape(line)), true
}

// restOfLine joins segments up to one that ends in a line feed. A line has several if it is very long, or if a repair took
// its line feed away.
func (l *lines) restOfLine() string {
	var rest strings.Builder
	for {
		segment, ok := l.segments.Next()
		rest.WriteString(segment)
		if !ok || strings.HasSuffix(segment, "\n") {
			return rest.String()
		}
	}
}
