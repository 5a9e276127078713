package jinajson

import (
	"bytes"
	"encoding/binary"
	"math/bits"
)

// cursor is a place in a JSON text.
type cursor struct {
	body []byte
	at   int
}

// peek skips white space and returns the byte after it; 0 at the end, which no JSON value begins with.
func (c *cursor) peek() byte {
	for c.at < len(c.body) {
		switch b := c.body[c.at]; b {
		case ' ', '\n', '\r', '\t':
			c.at++
		default:
			return b
		}
	}
	return 0
}

// more steps to the next member or element of the object or list that ends with closing, and reports whether there is
// one; first is true right after the opening bracket. The text must be well-formed.
func (c *cursor) more(first bool, closing byte) bool {
	switch c.peek() {
	case closing:
		c.at++
		return false
	case 0:
		return false
	}
	if !first {
		c.at++ // the comma
	}
	return true
}

// raw steps over the string at the cursor, in a well-formed text, and returns what is between its quotes.
func (c *cursor) raw() (text []byte, escaped bool) {
	c.peek()
	c.at++
	begin := min(c.at, len(c.body))
	if end := bytes.IndexByte(c.body[begin:], '"'); end >= 0 && bytes.IndexByte(c.body[begin:begin+end], '\\') < 0 {
		c.at += end + 1
		return c.body[begin : begin+end], false
	}
	for c.at < len(c.body) {
		c.at += plain(c.body[c.at:])
		if c.at >= len(c.body) {
			break
		}
		switch c.body[c.at] {
		case '"':
			c.at++
			return c.body[begin : c.at-1], escaped
		case '\\':
			escaped = true
			c.at += 2
		default:
			c.at++
		}
	}
	return c.body[begin:], escaped
}

// plain returns how many bytes at the beginning of b stand for themselves in a JSON string and are ASCII: none of them is
// a quote, a backslash or a control character.
func plain(b []byte) int {
	i := 0
	for ; i+32 <= len(b); i += 32 {
		w := b[i : i+32 : i+32]
		if special(w)|special(w[8:])|special(w[16:])|special(w[24:]) != 0 {
			break
		}
	}
	for ; i+8 <= len(b); i += 8 {
		if s := special(b[i:]); s != 0 {
			return i + bits.TrailingZeros64(s)/8
		}
	}
	for i < len(b) && b[i] >= 0x20 && b[i] < 0x80 && b[i] != '"' && b[i] != '\\' {
		i++
	}
	return i
}

// special sets the high bits of the special bytes among the first eight of b. Bytes above the first one may be marked
// without being special: a subtraction borrows from the byte above it only where the byte below is special itself.
func special(b []byte) uint64 {
	const (
		ones = 0x0101010101010101
		high = 0x8080808080808080
	)
	w := binary.LittleEndian.Uint64(b)
	return ((w - ones*0x20) | ((w ^ ones*'"') - ones) | ((w ^ ones*'\\') - ones) | w) & high
}
