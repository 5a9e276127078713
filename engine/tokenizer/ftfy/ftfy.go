// Package ftfy repairs text that went through wrong encodings, as ftfy.fix_text of the Python library ftfy 6.3.1 does with
// its default settings, character by character the same. Its rules and tables come from that library (Apache-2.0,
// Robyn Speer).
//
// The only difference: work is bounded. The library repeats its fixes until nothing changes, which nested character
// references make quadratic; here the repetitions of one text are limited by a budget (see passes) that only hostile
// texts of many kilobytes exhaust.
package ftfy

import (
	"strings"
	"unicode/utf8"
)

// maxSegment is the number of characters after which a line is cut and repaired in parts (max_decode_length).
const maxSegment = 1_000_000

// Fix returns the repaired text. Bytes that are not UTF-8 count as U+FFFD each.
func Fix(text string) string {
	segments := NewSegments(text)
	first, _ := segments.Next()
	second, more := segments.Next()
	if !more {
		return first
	}
	var out strings.Builder
	out.WriteString(first)
	for ; more; second, more = segments.Next() {
		out.WriteString(second)
	}
	return out.String()
}

// Segments repairs a text segment by segment, so that a reader may stop early. A segment is a line with its line feed, or a
// part of a very long line.
type Segments struct {
	rest string
	fix  fixer
}

// NewSegments returns the segments of text.
func NewSegments(text string) Segments {
	if !utf8.ValidString(text) {
		text = replaceInvalid(text)
	}
	return Segments{rest: text, fix: fixer{unescape: true, passes: newPasses(len(text))}}
}

// replaceInvalid replaces each byte that is not part of UTF-8 with U+FFFD.
func replaceInvalid(text string) string {
	var out strings.Builder
	for _, r := range text {
		out.WriteRune(r)
	}
	return out.String()
}

// Next returns the next repaired segment, and false after the last.
func (s *Segments) Next() (string, bool) {
	if s.rest == "" {
		return "", false
	}
	end := segmentEnd(s.rest)
	segment := s.rest[:end]
	s.rest = s.rest[end:]
	return s.fix.segment(segment), true
}

// segmentEnd returns the length in bytes of the first segment of text.
func segmentEnd(text string) int {
	end := strings.IndexByte(text, '\n') + 1
	if end == 0 {
		end = len(text)
	}
	if end <= maxSegment {
		return end
	}
	characters := 0
	for i := range text[:end] {
		if characters == maxSegment {
			return i
		}
		characters++
	}
	return end
}
