package jinajson

import (
	"encoding/base64"
	"encoding/binary"
	"math"
	"slices"
	"strconv"

	"clipd/frontend/jina/pb"
)

// valueType is one of numpy's types of numbers.
type valueType struct {
	kind  byte // b bool, i and u integers, f floats
	bytes int  // 1, 2, 4, 8
	big   bool // the high byte first
}

// typeOf reads numpy's name of a type, such as "<f4", "|u1" or "float32".
func typeOf(dtype string) (t valueType, ok bool) {
	if dtype == "" {
		return t, false
	}
	switch dtype[0] {
	case '>':
		t.big = true
		dtype = dtype[1:]
	case '<', '|', '=':
		dtype = dtype[1:]
	}
	switch dtype {
	case "f4", "float32":
		t.kind, t.bytes = 'f', 4
	case "f8", "float64":
		t.kind, t.bytes = 'f', 8
	case "f2", "float16":
		t.kind, t.bytes = 'f', 2
	case "u1", "uint8":
		t.kind, t.bytes = 'u', 1
	case "u2", "uint16":
		t.kind, t.bytes = 'u', 2
	case "u4", "uint32":
		t.kind, t.bytes = 'u', 4
	case "u8", "uint64":
		t.kind, t.bytes = 'u', 8
	case "i1", "int8":
		t.kind, t.bytes = 'i', 1
	case "i2", "int16":
		t.kind, t.bytes = 'i', 2
	case "i4", "int32":
		t.kind, t.bytes = 'i', 4
	case "i8", "int64":
		t.kind, t.bytes = 'i', 8
	case "b1", "bool":
		t.kind, t.bytes = 'b', 1
	default:
		return t, false
	}
	return t, true
}

// bits returns the bytes of a value as a number.
func (t valueType) bits(b []byte) uint64 {
	var order binary.ByteOrder = binary.LittleEndian
	if t.big {
		order = binary.BigEndian
	}
	switch t.bytes {
	case 1:
		return uint64(b[0])
	case 2:
		return uint64(order.Uint16(b))
	case 4:
		return uint64(order.Uint32(b))
	}
	return order.Uint64(b)
}

// signed widens the bits of a signed integer.
func (t valueType) signed(bits uint64) int64 {
	shift := 64 - 8*t.bytes
	return int64(bits<<shift) >> shift
}

// float returns a value as a float; float64 holds all but large 64-bit integers exactly.
func (t valueType) float(b []byte) float64 {
	bits := t.bits(b)
	switch t.kind {
	case 'f':
		switch t.bytes {
		case 2:
			return halfFloat(uint16(bits))
		case 4:
			return float64(math.Float32frombits(uint32(bits)))
		}
		return math.Float64frombits(bits)
	case 'i':
		return float64(t.signed(bits))
	}
	return float64(bits)
}

// halfFloat converts an IEEE 754 binary16.
func halfFloat(h uint16) float64 {
	exponent, fraction := int(h>>10&0x1F), float64(h&0x3FF)
	var v float64
	switch exponent {
	case 0x1F:
		v = math.Inf(1)
		if fraction != 0 {
			v = math.NaN()
		}
	case 0:
		v = math.Ldexp(fraction, -24)
	default:
		v = math.Ldexp(1024+fraction, exponent-25)
	}
	if h>>15 == 1 {
		v = -v
	}
	return v
}

// append appends one value as numpy's tolist has it.
func (t valueType) append(dst, b []byte) []byte {
	bits := t.bits(b)
	switch t.kind {
	case 'u':
		return strconv.AppendUint(dst, bits, 10)
	case 'i':
		return strconv.AppendInt(dst, t.signed(bits), 10)
	case 'b':
		return strconv.AppendBool(dst, bits != 0)
	}
	if t.bytes == 8 {
		return appendFloat64(dst, math.Float64frombits(bits))
	}
	return appendFloat32(dst, float32(t.float(b)))
}

// dense returns the parts of an array that can be written; ok is false for a missing, sparse or inconsistent one.
func dense(a *pb.NdArrayProto) (buf []byte, shape []uint32, t valueType, ok bool) {
	d := a.GetDense()
	if d == nil {
		return nil, nil, t, false
	}
	t, ok = typeOf(d.Dtype)
	if !ok || len(d.Shape) > maxDimensions {
		return nil, nil, t, false
	}
	if len(d.Buffer) == 0 && slices.Contains(d.Shape, 0) {
		return nil, nil, t, true // just empty, not a list of a billion empty lists
	}
	count := uint64(1)
	for _, n := range d.Shape {
		if count *= uint64(n); count > uint64(len(d.Buffer)) {
			return nil, nil, t, false
		}
	}
	return d.Buffer, d.Shape, t, count > 0 && count*uint64(t.bytes) == uint64(len(d.Buffer))
}

// appendArray appends an array as nested lists, and null for what is no dense array of numbers.
func appendArray(dst []byte, a *pb.NdArrayProto) []byte {
	buf, shape, t, ok := dense(a)
	if !ok {
		return append(dst, "null"...)
	}
	if len(buf) == 0 {
		return append(dst, "[]"...)
	}
	if len(shape) == 0 {
		return t.append(dst, buf)
	}
	return t.appendLists(dst, buf, shape)
}

func (t valueType) appendLists(dst, buf []byte, shape []uint32) []byte {
	dst = append(dst, '[')
	switch each := len(buf) / int(shape[0]); {
	case len(shape) > 1:
		for i := 0; i < len(buf); i += each {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = t.appendLists(dst, buf[i:i+each], shape[1:])
		}
	case t == valueType{kind: 'f', bytes: 4}:
		dst = appendFloat32s(dst, buf)
	default:
		for i := 0; i < len(buf); i += each {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = t.append(dst, buf[i:])
		}
	}
	return append(dst, ']')
}

// appendBase64Array appends the values of an array as base64 of little-endian float32.
func appendBase64Array(dst []byte, a *pb.NdArrayProto) []byte {
	buf, _, t, ok := dense(a)
	if !ok {
		return append(dst, "null"...)
	}
	if (t != valueType{kind: 'f', bytes: 4}) {
		floats := make([]byte, 0, len(buf)/t.bytes*4)
		for i := 0; i < len(buf); i += t.bytes {
			floats = binary.LittleEndian.AppendUint32(floats, math.Float32bits(float32(t.float(buf[i:]))))
		}
		buf = floats
	}
	dst = append(dst, '"')
	dst = base64.StdEncoding.AppendEncode(dst, buf)
	return append(dst, '"')
}
