package jinajson

import (
	"bytes"
	"unicode/utf8"

	"clipd/frontend/fault"
)

// Bounds of a body, beside those of Limits.
const (
	// maxDepth is how deep lists and objects may lie in one another.
	maxDepth = 300
	// maxDocumentDepth is how deep documents may lie in one another, as chunks or matches; the protobuf readers of the
	// clients take no more than 100 messages.
	maxDocumentDepth = 100
	// freeValues and bytesPerValue bound the values in parameters, tags and scores, each of which takes some 80 bytes as
	// a message, and two as JSON: so many are always fine, more only when the body is as large as their text usually is.
	freeValues    = 1 << 16
	bytesPerValue = 8
)

// place says what the value under the cursor is.
type place int

const (
	elsewhere place = iota // nothing that is kept
	root                   // the body
	data                   // a list of documents, or an object that holds one
	documents              // a list of documents
	document               //
	values                 // parameters, tags or scores, or something in them
)

// member returns the place of the value under the key of an object.
func (p place) member(key []byte) place {
	switch p {
	case root:
		switch string(key) {
		case "data":
			return data
		case "parameters":
			return values
		}
	case data:
		if string(key) == "docs" {
			return documents
		}
	case document:
		switch string(key) {
		case "chunks", "matches":
			return documents
		case "tags", "scores", "evaluations":
			return values
		}
	case values:
		return values
	}
	return elsewhere
}

// element returns the place of the elements of a list.
func (p place) element() place {
	switch p {
	case data, documents:
		return document
	case values:
		return values
	}
	return elsewhere
}

// scanner checks the syntax of a body and counts what it holds; it changes nothing and allocates nothing.
type scanner struct {
	cursor
	limits    Limits
	documents int
	values    int
	objects   int // among the values
	numbers   int // elsewhere: those of tensors and embeddings
	short     int // bytes of strings that are copied
	depth     int // of lists and objects
	nested    int // of documents
}

// scan checks the whole body.
func (s *scanner) scan() *Error {
	if err := s.value(root); err != nil {
		return err
	}
	if s.peek(); s.at < len(s.body) {
		return s.syntax("Extra data")
	}
	return nil
}

func (s *scanner) syntax(what string) *Error { return syntaxError(what, s.body, s.at) }

func (s *scanner) value(p place) *Error {
	if p == values {
		if s.values++; s.values > max(freeValues, len(s.body)/bytesPerValue) {
			return limitError(fault.TooLarge, "the parameters, tags and scores hold more than %d values; send fewer", s.values-1)
		}
	}
	switch b := s.peek(); b {
	case '{':
		return s.object(p)
	case '[':
		return s.list(p)
	case '"':
		return s.text()
	case 't', 'f':
		if p != values {
			s.numbers++ // in a tensor
		}
		if b == 't' {
			return s.literal("true")
		}
		return s.literal("false")
	case 'n':
		return s.literal("null")
	default:
		if b == '-' || '0' <= b && b <= '9' {
			if p != values {
				s.numbers++
			}
			return s.number()
		}
	}
	return s.syntax("Expecting value")
}

// enter counts a list or an object that begins; leave must follow.
func (s *scanner) enter(p place, isObject bool) *Error {
	s.at++
	if s.depth++; s.depth > maxDepth {
		return limitError(fault.Invalid, "the body's lists and objects lie more than %d deep in one another (byte %d)", maxDepth, s.at-1)
	}
	if p == values && isObject {
		s.objects++
	}
	if p != document || !isObject {
		return nil
	}
	if s.nested++; s.nested > maxDocumentDepth {
		return limitError(fault.Invalid, "documents lie more than %d deep in one another (byte %d)", maxDocumentDepth, s.at-1)
	}
	if s.documents++; s.limits.MaxDocuments > 0 && s.documents > s.limits.MaxDocuments {
		return limitError(fault.TooLarge, "the request holds more than %d documents, chunks and matches counted; send fewer at a time", s.limits.MaxDocuments)
	}
	return nil
}

func (s *scanner) leave(p place, isObject bool) {
	s.at++
	s.depth--
	if p == document && isObject {
		s.nested--
	}
}

func (s *scanner) object(p place) *Error {
	if err := s.enter(p, true); err != nil {
		return err
	}
	if s.peek() == '}' {
		s.leave(p, true)
		return nil
	}
	var space [6 * len("evaluations")]byte // of the longest key that matters; an escape takes six bytes at most
	for {
		if s.peek() != '"' {
			return s.syntax("Expecting property name enclosed in double quotes")
		}
		begin := s.at + 1
		if err := s.text(); err != nil {
			return err
		}
		key := s.body[begin : s.at-1]
		if len(key) <= len(space) && bytes.IndexByte(key, '\\') >= 0 {
			key = unescape(space[:], key)
		}
		if s.peek() != ':' {
			return s.syntax("Expecting ':' delimiter")
		}
		s.at++
		if err := s.value(p.member(key)); err != nil {
			return err
		}
		switch s.peek() {
		case ',':
			s.at++
		case '}':
			s.leave(p, true)
			return nil
		default:
			return s.syntax("Expecting ',' delimiter")
		}
	}
}

func (s *scanner) list(p place) *Error {
	if err := s.enter(p, false); err != nil {
		return err
	}
	if s.peek() == ']' {
		s.leave(p, false)
		return nil
	}
	for {
		if err := s.value(p.element()); err != nil {
			return err
		}
		switch s.peek() {
		case ',':
			s.at++
		case ']':
			s.leave(p, false)
			return nil
		default:
			return s.syntax("Expecting ',' delimiter")
		}
	}
}

func (s *scanner) literal(word string) *Error {
	if len(s.body)-s.at < len(word) || string(s.body[s.at:s.at+len(word)]) != word {
		return s.syntax("Expecting value")
	}
	s.at += len(word)
	return nil
}

// number steps over a number of RFC 8259; NaN and Infinity are none.
func (s *scanner) number() *Error {
	begin := s.at
	if s.body[s.at] == '-' {
		s.at++
	}
	whole := s.at
	if !s.digits() {
		s.at = begin
		return s.syntax("Expecting value")
	}
	if s.body[whole] == '0' && s.at > whole+1 {
		s.at = whole + 1
		return s.syntax("Expecting ',' delimiter") // a zero is not followed by digits
	}
	if s.at < len(s.body) && s.body[s.at] == '.' {
		s.at++
		if !s.digits() {
			return s.syntax("Expecting a digit after the decimal point")
		}
	}
	if s.at < len(s.body) && (s.body[s.at] == 'e' || s.body[s.at] == 'E') {
		s.at++
		if s.at < len(s.body) && (s.body[s.at] == '+' || s.body[s.at] == '-') {
			s.at++
		}
		if !s.digits() {
			return s.syntax("Expecting a digit in the exponent")
		}
	}
	return nil
}

func (s *scanner) digits() bool {
	begin := s.at
	for s.at < len(s.body) && s.body[s.at]-'0' < 10 {
		s.at++
	}
	return s.at > begin
}

// text steps over a string.
func (s *scanner) text() *Error {
	quote := s.at
	s.at++
	for {
		s.at += plain(s.body[s.at:])
		if s.at >= len(s.body) {
			s.at = quote
			return s.syntax("Unterminated string starting at")
		}
		switch b := s.body[s.at]; {
		case b == '"':
			s.at++
			if n := s.at - quote; n < longString+2 {
				s.short += n
			}
			return nil
		case b == '\\':
			if err := s.escape(); err != nil {
				return err
			}
		case b < 0x20:
			return s.syntax("Invalid control character at")
		default:
			r, n := utf8.DecodeRune(s.body[s.at:])
			if r == utf8.RuneError && n == 1 {
				return s.syntax("Invalid UTF-8")
			}
			s.at += n
		}
	}
}

func (s *scanner) escape() *Error {
	rest := s.body[s.at+1:]
	if len(rest) == 0 {
		return s.syntax("Invalid \\escape")
	}
	switch rest[0] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		s.at += 2
		return nil
	case 'u':
		if len(rest) < 5 || hexDigit(rest[1])|hexDigit(rest[2])|hexDigit(rest[3])|hexDigit(rest[4]) < 0 {
			return s.syntax("Invalid \\uXXXX escape")
		}
		s.at += 6
		return nil
	}
	return s.syntax("Invalid \\escape")
}
