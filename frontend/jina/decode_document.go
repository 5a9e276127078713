package jina

import (
	"math"

	"google.golang.org/protobuf/encoding/protowire"

	"clipd/frontend/jina/pb"
)

// document is a DocumentProto with what its content needs, so that most documents are one piece of memory.
type document struct {
	message pb.DocumentProto
	text    pb.DocumentProto_Text
	blob    pb.DocumentProto_Blob
}

// document decodes one document with all below it.
func (d *decoder) document(b []byte, depth int) (*pb.DocumentProto, error) {
	f, err := enter(b, depth)
	if err != nil {
		return nil, err
	}
	r := &d.free[0] // weigh counted them
	d.free = d.free[1:]
	for {
		more, err := f.next()
		if err != nil {
			return nil, err
		}
		if !more {
			return &r.message, f.flush(&r.message)
		}
		if !ownField(f.number, f.wire) {
			f.skip()
			continue
		}
		rest := f.rest
		if err := f.take(&r.message); err != nil {
			return nil, err
		}
		if f.wire == protowire.BytesType {
			err = d.field(r, &f, rest)
		} else {
			r.number(&f)
		}
		if err != nil {
			return nil, err
		}
	}
}

// ownField says whether a field of a document is decoded here; the others are tags, scores and location, unknown fields,
// and fields of the wrong wire type.
func ownField(number protowire.Number, wire protowire.Type) bool {
	switch number {
	case 1, 2, 3, 4, 7, 9, 10, 11, 14, 15, 16:
		return wire == protowire.BytesType
	case 5, 6:
		return wire == protowire.VarintType
	case 8, 12:
		return wire == protowire.Fixed32Type
	}
	return false
}

// field decodes a field of bytes. rest begins with it.
func (d *decoder) field(r *document, f *fields, rest []byte) (err error) {
	m := &r.message
	switch f.number {
	case 1:
		m.Id, err = alias(f.value)
	case 2:
		r.blob.Blob = bytesOf(f.value)
		m.Content = &r.blob
	case 3:
		tensor, ok := m.Content.(*pb.DocumentProto_Tensor)
		if !ok {
			tensor = &pb.DocumentProto_Tensor{}
		}
		tensor.Tensor, err = ndArray(f.value, tensor.Tensor, f.depth)
		m.Content = tensor
	case 4:
		r.text.Text, err = alias(f.value)
		m.Content = &r.text
	case 7:
		m.ParentId, err = alias(f.value)
	case 9:
		m.Uri, err = alias(f.value)
	case 10:
		m.Modality, err = alias(f.value)
	case 11:
		m.MimeType, err = alias(f.value)
	case 14:
		m.Chunks, err = d.below(m.Chunks, f, rest)
	case 15:
		m.Matches, err = d.below(m.Matches, f, rest)
	case 16:
		m.Embedding, err = ndArray(f.value, m.Embedding, f.depth)
	}
	return err
}

// below appends a chunk or match. rest, which begins with it, tells how many come.
func (d *decoder) below(docs []*pb.DocumentProto, f *fields, rest []byte) ([]*pb.DocumentProto, error) {
	if docs == nil {
		docs = make([]*pb.DocumentProto, 0, count(rest, f.number))
	}
	m, err := d.document(f.value, f.depth)
	return append(docs, m), err
}

func (r *document) number(f *fields) {
	switch f.number {
	case 5:
		v, _ := protowire.ConsumeVarint(f.value)
		r.message.Granularity = uint32(v)
	case 6:
		v, _ := protowire.ConsumeVarint(f.value)
		r.message.Adjacency = uint32(v)
	case 8:
		v, _ := protowire.ConsumeFixed32(f.value)
		r.message.Weight = math.Float32frombits(v)
	case 12:
		v, _ := protowire.ConsumeFixed32(f.value)
		r.message.Offset = math.Float32frombits(v)
	}
}
