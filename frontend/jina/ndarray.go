package jina

import (
	"encoding/binary"
	"fmt"
	"math"
	"unsafe"

	"clipd/engine"
	"clipd/frontend/jina/pb"
)

// embeddingProto is the form in which clip_client reads an embedding: one dimension, little-endian float32, and
// cls_name, without which the client takes it for missing. The message and its parts are one allocation, since
// a large answer has thousands of them.
type embeddingProto struct {
	array pb.NdArrayProto
	dense pb.NdArrayProto_Dense
	body  pb.DenseNdArrayProto
	shape [1]uint32
}

// newEmbedding makes the message of a row and keeps the row: on a little-endian machine its memory is the message's
// buffer, so that it is copied once only, into the answer's bytes.
func newEmbedding(row []float32) *pb.NdArrayProto {
	e := &embeddingProto{}
	e.shape[0] = uint32(len(row))
	e.body.Buffer = littleEndian(row)
	e.body.Shape = e.shape[:]
	e.body.Dtype = "<f4"
	e.dense.Dense = &e.body
	e.array.Content = &e.dense
	e.array.ClsName = "numpy"
	return &e.array
}

// nativeLittleEndian says whether float32s lie in memory as <f4 wants them.
var nativeLittleEndian = binary.NativeEndian.Uint16([]byte{1, 0}) == 1

func littleEndian(row []float32) []byte {
	if nativeLittleEndian {
		return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(row))), 4*len(row))
	}
	b := make([]byte, 0, 4*len(row))
	for _, v := range row {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
	}
	return b
}

// pixelsOf reads a tensor as a picture: height × width (× channels), integers or float32 and float64, cast to unsigned
// 8 bits as numpy's astype does.
func pixelsOf(t *pb.NdArrayProto) (*engine.Pixels, error) {
	d := t.GetDense()
	if d == nil {
		return nil, engine.Errorf(engine.Invalid, "the tensor is not dense")
	}
	shape := d.Shape
	if len(shape) != 2 && len(shape) != 3 {
		return nil, engine.Errorf(engine.Invalid, "the tensor has shape %v; a picture is [height, width] or [height, width, channels]", shownShape(shape))
	}
	p := &engine.Pixels{Height: int(shape[0]), Width: int(shape[1]), Channels: 1}
	if len(shape) == 3 {
		p.Channels = int(shape[2])
	}
	width, read, err := elementReader(d.Dtype)
	if err != nil {
		return nil, err
	}
	values := uint64(shape[0]) * uint64(shape[1]) // below 2^64; the product below cannot overflow when it matches
	if p.Channels < 1 || p.Channels > 4 || values == 0 || values > uint64(len(d.Buffer)) ||
		values*uint64(p.Channels)*uint64(width) != uint64(len(d.Buffer)) {
		return nil, engine.Errorf(engine.Invalid, "the tensor of shape %v and type %q does not fit its %d bytes", shape, shorten(d.Dtype, 80), len(d.Buffer))
	}
	if read == nil {
		p.Data = d.Buffer
		return p, nil
	}
	p.Data = make([]byte, len(d.Buffer)/width)
	for i := range p.Data {
		p.Data[i] = read(d.Buffer[i*width:])
	}
	return p, nil
}

// shownShape is a shape in an error; one of very many dimensions is shown in part.
func shownShape(shape []uint32) string {
	const most = 8
	if len(shape) > most {
		return fmt.Sprintf("%v… of %d dimensions", shape[:most], len(shape))
	}
	return fmt.Sprint(shape)
}

// elementReader returns the bytes of an element of numpy's dtype and what reads one as uint8; nil reads bytes as they are.
func elementReader(dtype string) (int, func([]byte) byte, error) {
	name, order := dtype, binary.ByteOrder(binary.LittleEndian)
	if dtype != "" {
		switch dtype[0] {
		case '>':
			order, name = binary.BigEndian, dtype[1:]
		case '<', '|', '=':
			name = dtype[1:]
		}
	}
	switch name {
	case "u1", "uint8", "i1", "int8":
		return 1, nil, nil
	case "b1", "bool":
		return 1, nil, nil
	case "u2", "uint16", "i2", "int16":
		return 2, func(b []byte) byte { return byte(order.Uint16(b)) }, nil
	case "u4", "uint32", "i4", "int32":
		return 4, func(b []byte) byte { return byte(order.Uint32(b)) }, nil
	case "u8", "uint64", "i8", "int64":
		return 8, func(b []byte) byte { return byte(order.Uint64(b)) }, nil
	case "f4", "float32":
		return 4, func(b []byte) byte { return castFloat(float64(math.Float32frombits(order.Uint32(b)))) }, nil
	case "f8", "float64":
		return 8, func(b []byte) byte { return castFloat(math.Float64frombits(order.Uint64(b))) }, nil
	}
	return 0, nil, engine.Errorf(engine.Invalid, "tensors of type %q are not read; send uint8", shorten(dtype, 80))
}

// castFloat cuts the fraction and keeps the low 8 bits; NaN and what no 64-bit integer holds give 0.
func castFloat(v float64) byte {
	if math.IsNaN(v) || math.Abs(v) >= math.MaxInt64 {
		return 0
	}
	return byte(int64(v))
}
