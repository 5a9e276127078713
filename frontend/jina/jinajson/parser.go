package jinajson

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"unsafe"

	"clipd/frontend/fault"
	"clipd/frontend/jina/pb"
)

// parser makes messages of a body that the scanner has passed. After a mistake it goes on, so that several
// can be told.
type parser struct {
	cursor
	slab     []documentParts     // documents not taken yet
	pointers []*pb.DocumentProto // room for the list of the root documents
	chunk    []byte              // where short strings are copied to
	path     []step              // to the value at hand
	details  []Detail
}

// step is a key of an object, or a place in a list when index is not negative.
type step struct {
	key   string
	index int
}

func (p *parser) pushKey(key string) { p.path = append(p.path, step{key, -1}) }

func (p *parser) pushIndex(i int) { p.path = append(p.path, step{"", i}) }

func (p *parser) pop() { p.path = p.path[:len(p.path)-1] }

// key reads a member's key and the colon after it.
func (p *parser) key() []byte {
	key, escaped := p.raw()
	if escaped {
		key = unescape(key, key)
	}
	p.peek()
	p.at++
	p.peek()
	return key
}

// isNull steps over a null.
func (p *parser) isNull() bool {
	if p.peek() != 'n' {
		return false
	}
	p.at += len("null")
	return true
}

// skip steps over a value.
func (p *parser) skip() {
	depth := 0
	for {
		switch p.peek() {
		case 0:
			return
		case '"':
			p.raw()
		case '{', '[':
			depth++
			p.at++
		case '}', ']':
			depth--
			p.at++
		case ',', ':':
			p.at++
			continue
		default:
			p.scalar()
		}
		if depth == 0 {
			return
		}
	}
}

// scalar steps over a number or a word and returns it.
func (p *parser) scalar() []byte {
	begin := p.at
	for p.at < len(p.body) {
		switch p.body[p.at] {
		case ' ', '\n', '\r', '\t', ',', ':', ']', '}':
			return p.body[begin:p.at]
		}
		p.at++
	}
	return p.body[begin:]
}

// fail notes that the value that began at begin, and that the cursor has passed, is wrong; want is what would be right,
// as the end of a sentence.
func (p *parser) fail(begin int, msg, kind, want string) {
	p.note(msg, kind, fmt.Sprintf(" is %s; it %s", quoted(bytes.TrimSpace(p.body[begin:p.at])), want))
}

// note notes a mistake at the path; what goes on after the name of the place.
func (p *parser) note(msg, kind, what string) {
	loc := make([]any, 0, len(p.path)+1)
	loc = append(loc, "body")
	var where strings.Builder
	for i, s := range p.path {
		if s.index >= 0 {
			loc = append(loc, s.index)
			fmt.Fprintf(&where, "[%d]", s.index)
			continue
		}
		key := shortened(s.key)
		loc = append(loc, key)
		if i > 0 {
			where.WriteByte('.')
		}
		where.WriteString(key)
	}
	p.details = append(p.details, Detail{Loc: loc, Msg: msg, Type: kind, where: where.String(), what: what})
	if len(p.details) == maxDetails {
		p.at = len(p.body) // enough is told: to everything that reads on, the body ends here
	}
}

// name puts the document at the path into the mistakes from the first on that lie in it and in none of its own.
func (p *parser) name(first int, d *pb.DocumentProto) {
	for i := first; i < len(p.details); i++ {
		if e := &p.details[i]; e.document == "" {
			e.document = fmt.Sprintf(" of document %d (id %s)", p.path[len(p.path)-1].index, quoted([]byte(d.Id)))
			if e.Type == brokenBase64 {
				e.Msg = e.sentence()
			}
		}
	}
}

// failure makes the error of all mistakes.
func (p *parser) failure() *Error {
	return &Error{Details: p.details, cause: fault.New(fault.Invalid, "%s", p.details[0].sentence())}
}

// view is the string that lies in b; nothing may write to b from then on.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// bytesOf is the inverse of view; nothing may write to what it returns.
func bytesOf(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }

const (
	// longString is the length in bytes from which on a string stays a part of the body.
	longString = 1 << 10
	// firstChunk and chunkBytes are how much memory short strings share: the first time and from then on.
	firstChunk = 256
	chunkBytes = 4 << 10
)

// keep makes a string of bytes of the body.
func (p *parser) keep(b []byte) string {
	switch {
	case len(b) == 0:
		return ""
	case len(b) >= longString:
		return view(b)
	}
	if cap(p.chunk)-len(p.chunk) < len(b) {
		size := chunkBytes
		if p.chunk == nil {
			size = firstChunk
		}
		p.chunk = make([]byte, 0, max(len(b), min(size, len(p.body)-p.at+len(b)))) // the rest of the body has no more
	}
	begin := len(p.chunk)
	p.chunk = append(p.chunk, b...)
	return view(p.chunk[begin:])
}

// string reads a string; a number is taken as its text, as the original does.
func (p *parser) string() string {
	begin := p.at
	switch b := p.peek(); {
	case b == '"':
		text, escaped := p.raw()
		if escaped {
			text = unescape(text, text)
		}
		return p.keep(text)
	case b == '-' || '0' <= b && b <= '9':
		return p.keep(p.scalar())
	}
	p.skip()
	p.fail(begin, "str type expected", "type_error.str", "must be a string")
	return ""
}

// float reads a finite number.
func (p *parser) float(bits int) float64 {
	begin := p.at
	if b := p.peek(); b != '-' && (b < '0' || b > '9') {
		p.skip()
		p.fail(begin, "value is not a valid float", "type_error.float", "must be a number")
		return 0
	}
	v, err := strconv.ParseFloat(view(p.scalar()), bits)
	if err != nil {
		want := fmt.Sprintf("must be within the range of %d-bit floats", bits)
		p.fail(begin, "ensure this value is a finite number", "value_error.number.not_finite_number", want)
		return 0
	}
	return v
}

// uint reads a number of 32 bits without a sign; 1.0 is one.
func (p *parser) uint() uint32 {
	begin := p.at
	var v float64
	if b := p.peek(); '0' <= b && b <= '9' {
		v, _ = strconv.ParseFloat(view(p.scalar()), 64)
		if v <= 1<<32-1 && v == float64(uint32(v)) {
			return uint32(v)
		}
	} else {
		p.skip()
	}
	p.fail(begin, "value is not a valid integer", "type_error.integer", "must be a whole number from 0 to 4294967295")
	return 0
}
