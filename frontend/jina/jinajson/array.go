package jinajson

import (
	"encoding/binary"
	"fmt"
	"math"
	"strconv"

	"clipd/frontend/jina/pb"
)

// maxDimensions is the most that an array can have; numpy's limit.
const maxDimensions = 32

// element is the type in which an array's values are kept so far.
type element int

const (
	uint8s   element = iota // |u1: whole numbers from 0 to 255, as pixels are
	int64s                  // <i8
	float64s                // <f8
)

// arrayReader reads nested lists of numbers. The original keeps whole numbers as <i8 whatever their size; bytes need an
// eighth of the memory, and mean the same to everything that reads them.
type arrayReader struct {
	p     *parser
	kind  element
	buf   []byte
	bools int   // how many of the values are true or false
	n     int   // values
	shape []int // -1 for a dimension of which no list has ended yet
	leaf  int   // how deep the lists are that hold numbers; 0 = not known yet
	wrong string
}

// array reads a tensor: nested lists of equal lengths.
func (p *parser) array() *pb.NdArrayProto {
	begin := p.at
	if p.peek() != '[' {
		p.skip()
		p.fail(begin, "value is not a valid list", "type_error.list", "must be nested lists of numbers")
		return nil
	}
	r := arrayReader{p: p}
	r.list(1)
	if r.wrong != "" {
		p.note(r.wrong, "value_error.array", " is no array: "+r.wrong)
		return nil
	}
	shape := make([]uint32, len(r.shape))
	for i, n := range r.shape {
		shape[i] = uint32(n)
	}
	dtype := [...]string{"|u1", "<i8", "<f8"}[r.kind]
	if r.n > 0 && r.bools == r.n {
		dtype = "|b1"
	}
	if r.n == 0 {
		dtype = "<f8" // as numpy has it
	}
	return newArray(r.buf, shape, dtype)
}

// embedding reads an array, or base64 of little-endian float32, the form of answers to "encoding_format": "base64".
func (p *parser) embedding() *pb.NdArrayProto {
	if p.peek() != '"' {
		return p.array()
	}
	bytes := p.blob()
	if bytes == nil {
		return nil
	}
	if len(bytes)%4 != 0 {
		p.note("not a whole number of float32", brokenBase64, fmt.Sprintf(" is base64 of %d bytes, which is no whole number of 32-bit floats", len(bytes)))
		return nil
	}
	return newArray(bytes, []uint32{uint32(len(bytes) / 4)}, "<f4")
}

func newArray(buf []byte, shape []uint32, dtype string) *pb.NdArrayProto {
	a := &struct {
		array pb.NdArrayProto
		dense pb.NdArrayProto_Dense
		body  pb.DenseNdArrayProto
	}{}
	a.body.Buffer, a.body.Shape, a.body.Dtype = buf, shape, dtype
	a.dense.Dense = &a.body
	a.array.Content = &a.dense
	a.array.ClsName = "numpy"
	return &a.array
}

// list reads the list at the cursor, which lies depth deep.
func (r *arrayReader) list(depth int) {
	p := r.p
	if depth > len(r.shape) {
		r.shape = append(r.shape, -1)
	}
	p.at++
	count := 0
	for first := true; p.more(first, ']'); first = false {
		count++
		switch {
		case r.wrong != "":
			p.skip()
		case p.peek() != '[':
			if r.leaf == 0 && depth == len(r.shape) {
				r.leaf = depth
			}
			if r.leaf != depth {
				r.wrong = "lists and numbers stand side by side"
			}
			r.value()
		case depth == r.leaf:
			r.wrong = "lists and numbers stand side by side"
			p.skip()
		case depth == maxDimensions:
			r.wrong = fmt.Sprintf("it has more than %d dimensions", maxDimensions)
			p.skip()
		default:
			r.list(depth + 1)
		}
	}
	if want := r.shape[depth-1]; want < 0 {
		r.shape[depth-1] = count
	} else if want != count && r.wrong == "" {
		r.wrong = fmt.Sprintf("its lists have different lengths, %d and %d", want, count)
	}
}

// value reads a number, or true or false as 1 and 0.
func (r *arrayReader) value() {
	p := r.p
	switch b := p.peek(); {
	case b == 't' || b == 'f':
		p.scalar()
		r.bools++
		if b == 't' {
			r.whole(1)
		} else {
			r.whole(0)
		}
	case b == '-' || '0' <= b && b <= '9':
		r.number(p.scalar())
	default:
		begin := p.at
		p.skip()
		r.wrong = fmt.Sprintf("it holds %s, which is no number", quoted(p.body[begin:p.at]))
	}
}

func (r *arrayReader) number(text []byte) {
	if v, ok := wholeNumber(text); ok {
		r.whole(v)
		return
	}
	v, err := strconv.ParseFloat(view(text), 64)
	if err != nil {
		r.wrong = fmt.Sprintf("it holds %s, which is not within the range of 64-bit floats", quoted(text))
		return
	}
	r.widen(float64s)
	r.buf = binary.LittleEndian.AppendUint64(r.buf, math.Float64bits(v))
	r.n++
}

// wholeNumber reads a number of at most 18 digits without fraction and exponent.
func wholeNumber(text []byte) (int64, bool) {
	digits := text
	if len(text) > 0 && text[0] == '-' {
		digits = text[1:]
	}
	if len(digits) == 0 || len(digits) > 18 {
		return 0, false
	}
	var v int64
	for _, c := range digits {
		if c -= '0'; c > 9 {
			return 0, false
		}
		v = 10*v + int64(c)
	}
	if len(digits) < len(text) {
		v = -v
	}
	return v, true
}

func (r *arrayReader) whole(v int64) {
	if r.kind == uint8s && uint64(v) > math.MaxUint8 {
		r.widen(int64s)
	}
	switch r.kind {
	case uint8s:
		r.buf = append(r.buf, byte(v))
	case int64s:
		r.buf = binary.LittleEndian.AppendUint64(r.buf, uint64(v))
	case float64s:
		r.buf = binary.LittleEndian.AppendUint64(r.buf, math.Float64bits(float64(v)))
	}
	r.n++
}

// widen turns the values so far into a wider type.
func (r *arrayReader) widen(to element) {
	if r.kind >= to {
		return
	}
	from, old := r.kind, r.buf
	r.kind = to
	if from == uint8s {
		r.buf = make([]byte, 0, 8*(len(old)+1))
	} else {
		r.buf = old[:0] // both take 8 bytes
	}
	for i := range r.n {
		v := int64(0)
		if from == uint8s {
			v = int64(old[i])
		} else {
			v = int64(binary.LittleEndian.Uint64(old[8*i:]))
		}
		bits := uint64(v)
		if to == float64s {
			bits = math.Float64bits(float64(v))
		}
		r.buf = binary.LittleEndian.AppendUint64(r.buf, bits)
	}
}
