package checkpoint

import (
	"encoding/binary"
	"fmt"
	"math"
)

// Tensor is one named array of a checkpoint. Its bytes stay where they are (usually in a mapped file) and are
// converted while they are read.
type Tensor struct {
	Name   string
	DType  DType
	Shape  []int
	Origin string // file and offset, for messages

	data    []byte // from the first element on; little-endian
	strides []int  // in elements; nil means C order without gaps
}

// Len is the number of elements.
func (t *Tensor) Len() int {
	n := 1
	for _, d := range t.Shape {
		n *= d
	}
	return n
}

// Bytes returns the elements as they are stored when they lie in C order without gaps, else nil. The memory belongs
// to the checkpoint.
func (t *Tensor) Bytes() []byte {
	if t.strides != nil {
		return nil
	}
	return t.data[:t.Len()*t.DType.Size()]
}

// Floats converts the elements [from, from+len(dst)), counted in C order, to float32.
func (t *Tensor) Floats(dst []float32, from int) error {
	if from < 0 || from+len(dst) > t.Len() {
		return fmt.Errorf("tensor %q (%s) has %d elements, asked for [%d, %d)", t.Name, t.Origin, t.Len(), from, from+len(dst))
	}
	if t.strides == nil {
		convert(dst, t.data[from*t.DType.Size():], t.DType)
		return nil
	}
	index := make([]int, len(t.Shape))
	for i, rest := len(t.Shape)-1, from; i >= 0; i-- {
		index[i] = rest % t.Shape[i]
		rest /= t.Shape[i]
	}
	for i := range dst {
		offset := 0
		for d, v := range index {
			offset += v * t.strides[d]
		}
		convert(dst[i:i+1], t.data[offset*t.DType.Size():], t.DType)
		for d := len(index) - 1; d >= 0; d-- {
			if index[d]++; index[d] < t.Shape[d] {
				break
			}
			index[d] = 0
		}
	}
	return nil
}

// convert reads len(dst) little-endian elements from src.
func convert(dst []float32, src []byte, d DType) {
	le := binary.LittleEndian
	src = src[:len(dst)*d.Size()]
	switch d {
	case Float32:
		for i := range dst {
			dst[i] = math.Float32frombits(le.Uint32(src[4*i:]))
		}
	case Float16:
		for i := range dst {
			dst[i] = halfToFloat(le.Uint16(src[2*i:]))
		}
	case BFloat16:
		for i := range dst {
			dst[i] = math.Float32frombits(uint32(le.Uint16(src[2*i:])) << 16)
		}
	case Float64:
		for i := range dst {
			dst[i] = float32(math.Float64frombits(le.Uint64(src[8*i:])))
		}
	case Int64:
		for i := range dst {
			dst[i] = float32(int64(le.Uint64(src[8*i:])))
		}
	case Int32:
		for i := range dst {
			dst[i] = float32(int32(le.Uint32(src[4*i:])))
		}
	case Int16:
		for i := range dst {
			dst[i] = float32(int16(le.Uint16(src[2*i:])))
		}
	case Int8:
		for i := range dst {
			dst[i] = float32(int8(src[i]))
		}
	case Uint8, Bool:
		for i := range dst {
			dst[i] = float32(src[i])
		}
	default:
		panic("BUG: tensor of an invalid type")
	}
}

// halfToFloat converts IEEE 754 binary16.
func halfToFloat(h uint16) float32 {
	sign := uint32(h&0x8000) << 16
	exponent, fraction := uint32(h>>10&0x1f), uint32(h&0x3ff)
	switch exponent {
	case 0: // zero or subnormal: fraction * 2^-24
		f := float32(fraction) * (1.0 / (1 << 24))
		return math.Float32frombits(math.Float32bits(f) | sign)
	case 31:
		return math.Float32frombits(sign | 0x7f800000 | fraction<<13)
	}
	return math.Float32frombits(sign | (exponent+112)<<23 | fraction<<13)
}

// maxElements bounds one tensor; the largest of a published CLIP (a vocabulary of 901,629 rows of 1280) has 2^30.1.
const maxElements = 1 << 33

// elements multiplies a shape, refusing negative sizes and overflow.
func elements(shape []int) (int, error) {
	n := 1
	for _, d := range shape {
		if d < 0 {
			return 0, fmt.Errorf("shape %v has a negative size", shape)
		}
		if d > 0 && n > maxElements/d {
			return 0, fmt.Errorf("shape %v has more than %d elements", shape, maxElements)
		}
		n *= d
	}
	return n, nil
}

// newTensor makes a tensor over storage, the bytes of a whole storage or data section. It checks that every
// element lies inside. offset and strides count elements; nil strides mean C order.
func newTensor(name string, d DType, shape, strides []int, storage []byte, offset int) (*Tensor, error) {
	n, err := elements(shape)
	if err != nil {
		return nil, err
	}
	have := len(storage) / d.Size()
	if offset < 0 || offset > have {
		return nil, fmt.Errorf("starts at element %d of a storage of %d", offset, have)
	}
	t := &Tensor{Name: name, DType: d, Shape: shape, data: storage[offset*d.Size():]}
	last := n - 1
	if strides != nil && n > 0 {
		if len(strides) != len(shape) {
			return nil, fmt.Errorf("shape %v and strides %v differ in length", shape, strides)
		}
		last = 0
		contiguous, expect := true, 1
		for i := len(shape) - 1; i >= 0; i-- {
			if strides[i] < 0 || strides[i] > maxElements {
				return nil, fmt.Errorf("stride %d is out of range", strides[i])
			}
			if shape[i] != 1 && strides[i] != expect {
				contiguous = false
			}
			if shape[i] > 1 && strides[i] > 0 && shape[i]-1 > maxElements/strides[i] {
				return nil, fmt.Errorf("shape %v with strides %v reaches too far", shape, strides)
			}
			expect *= shape[i]
			last += (shape[i] - 1) * strides[i]
		}
		if !contiguous {
			t.strides = strides
		}
	}
	if n > 0 && (last >= have-offset || last < 0) {
		return nil, fmt.Errorf("shape %v with strides %v from element %d needs %d elements, the storage has %d", shape, strides, offset, offset+last+1, have)
	}
	return t, nil
}
