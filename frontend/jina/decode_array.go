package jina

import (
	"google.golang.org/protobuf/encoding/protowire"

	"clipd/frontend/jina/pb"
)

// denseArray is an NdArrayProto of the only form that clients send, in one piece of memory.
type denseArray struct {
	array pb.NdArrayProto
	dense pb.NdArrayProto_Dense
	body  pb.DenseNdArrayProto
}

// ndArray decodes a tensor or an embedding into m, or into a new one when m is nil.
func ndArray(b []byte, m *pb.NdArrayProto, depth int) (*pb.NdArrayProto, error) {
	f, err := enter(b, depth)
	if err != nil {
		return nil, err
	}
	var fresh *denseArray
	if m == nil {
		fresh = &denseArray{}
		m = &fresh.array
	}
	for {
		more, err := f.next()
		if err != nil {
			return nil, err
		}
		if !more {
			return m, f.flush(m)
		}
		if f.wire != protowire.BytesType || f.number != 1 && f.number != 3 {
			f.skip()
			continue
		}
		if err := f.take(m); err != nil {
			return nil, err
		}
		if f.number == 3 {
			if m.ClsName, err = alias(f.value); err != nil {
				return nil, err
			}
			continue
		}
		dense, ok := m.Content.(*pb.NdArrayProto_Dense)
		switch {
		case ok:
		case fresh != nil:
			dense, fresh.dense.Dense, fresh = &fresh.dense, &fresh.body, nil
		default:
			dense = &pb.NdArrayProto_Dense{Dense: &pb.DenseNdArrayProto{}}
		}
		if err := denseBody(f.value, dense.Dense, f.depth); err != nil {
			return nil, err
		}
		m.Content = dense
	}
}

func denseBody(b []byte, m *pb.DenseNdArrayProto, depth int) error {
	f, err := enter(b, depth)
	if err != nil {
		return err
	}
	for {
		more, err := f.next()
		if err != nil {
			return err
		}
		if !more {
			return f.flush(m)
		}
		if f.wire != protowire.BytesType || f.number > 3 {
			f.skip()
			continue
		}
		if err := f.take(m); err != nil {
			return err
		}
		switch f.number {
		case 1:
			m.Buffer = nil
			if len(f.value) > 0 {
				m.Buffer = bytesOf(f.value)
			}
		case 2:
			m.Shape, err = packed(f.value, m.Shape)
		case 3:
			m.Dtype, err = alias(f.value)
		}
		if err != nil {
			return err
		}
	}
}

// packed appends the numbers of a packed field.
func packed(b []byte, to []uint32) ([]uint32, error) {
	if to == nil && len(b) > 0 {
		ends := 0
		for _, c := range b {
			if c < 0x80 {
				ends++
			}
		}
		to = make([]uint32, 0, ends)
	}
	for len(b) > 0 {
		v, n := protowire.ConsumeVarint(b)
		if n < 0 {
			return nil, errMalformed(n)
		}
		to = append(to, uint32(v))
		b = b[n:]
	}
	return to, nil
}
