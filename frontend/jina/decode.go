package jina

import (
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"clipd/frontend/jina/pb"
)

// decodeRequest is proto.Unmarshal of a request, except that strings and bytes of documents point into b, which is the
// request's from now on, and that documents are allocated together. Fields that are seldom there, header and parameters
// are left to proto.Unmarshal, unknown ones, too.
func decodeRequest(b []byte, w weight) (*pb.DataRequestProto, error) {
	d := &decoder{free: make([]document, w.documents)}
	m := &pb.DataRequestProto{}
	return m, d.request(b, m, protowire.DefaultRecursionLimit)
}

// headerBytes is the most memory that the header of a refused request may take to be told in the refusal.
const headerBytes = 64 << 10

// decodeHeader is decodeRequest of the header alone, for an answer to what is not going to be decoded. A header that
// cannot be read, or is itself too large, is none.
func decodeHeader(b []byte) *pb.DataRequestProto {
	m := &pb.DataRequestProto{}
	left := int64(headerBytes)
	for len(b) > 0 {
		number, wire, n, err := tag(b)
		if err != nil {
			break
		}
		length := protowire.ConsumeFieldValue(number, wire, b[n:])
		if length < 0 {
			break
		}
		if number == 1 && wire == protowire.BytesType {
			content, _ := protowire.ConsumeBytes(b[n:])
			w, err := weigh(content, headerKind)
			left -= w.memory() + int64(length)
			if err != nil || left < 0 || (proto.UnmarshalOptions{Merge: true}).Unmarshal(b[:n+length], m) != nil {
				return &pb.DataRequestProto{}
			}
		}
		b = b[n+length:]
	}
	return m
}

// decoder holds what the parts of one request are allocated from.
type decoder struct {
	free []document
}

// fields is a walk over the fields of one message. Those that the caller of next does not take are collected and given
// to proto.Unmarshal, run by run, so that they mean what they always mean.
type fields struct {
	rest  []byte // what was not walked yet
	run   []byte // begins where the last field that was taken ended
	depth int    // levels that may lie below the message

	number protowire.Number
	wire   protowire.Type
	value  []byte // of the field, its length taken off when wire is BytesType
	after  []byte // what lies behind the field
}

// enter begins the walk over a message with so many levels allowed, its own included.
func enter(b []byte, depth int) (fields, error) {
	if depth--; depth < 0 {
		return fields{}, errTooDeep
	}
	return fields{rest: b, run: b, depth: depth}, nil
}

// next steps to a field, and returns false after the last one.
func (f *fields) next() (bool, error) {
	if len(f.rest) == 0 {
		return false, nil
	}
	number, wire, n, err := tag(f.rest)
	if err != nil {
		return false, err
	}
	value := f.rest[n:]
	length := 0
	if wire == protowire.BytesType {
		f.value, length = protowire.ConsumeBytes(value)
	} else if length = protowire.ConsumeFieldValue(number, wire, value); length >= 0 {
		f.value = value[:length]
	}
	if length < 0 {
		return false, errMalformed(length)
	}
	f.number, f.wire, f.after = number, wire, value[length:]
	return true, nil
}

// skip leaves the field to proto.Unmarshal.
func (f *fields) skip() { f.rest = f.after }

// take gives what was skipped before the field to proto.Unmarshal, for what comes later may depend on it, and takes the
// field out.
func (f *fields) take(m proto.Message) error {
	err := f.flush(m)
	f.rest, f.run = f.after, f.after
	return err
}

// flush gives what was skipped to proto.Unmarshal.
func (f *fields) flush(m proto.Message) error {
	skipped := f.run[:len(f.run)-len(f.rest)]
	f.run = f.rest
	if len(skipped) == 0 {
		return nil
	}
	return proto.UnmarshalOptions{Merge: true, RecursionLimit: f.depth + 1}.Unmarshal(skipped, m)
}

func (d *decoder) request(b []byte, m *pb.DataRequestProto, depth int) error {
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
		if f.number != 4 || f.wire != protowire.BytesType {
			f.skip()
			continue
		}
		if err := f.take(m); err != nil {
			return err
		}
		if m.Data == nil {
			m.Data = &pb.DataRequestProto_DataContentProto{}
		}
		if err := d.content(f.value, m.Data, f.depth); err != nil {
			return err
		}
	}
}

func (d *decoder) content(b []byte, m *pb.DataRequestProto_DataContentProto, depth int) error {
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
		if f.number > 2 || f.wire != protowire.BytesType {
			f.skip()
			continue
		}
		if err := f.take(m); err != nil {
			return err
		}
		if f.number == 2 {
			m.Documents = &pb.DataRequestProto_DataContentProto_DocsBytes{DocsBytes: bytesOf(f.value)}
			continue
		}
		docs, ok := m.Documents.(*pb.DataRequestProto_DataContentProto_Docs)
		if !ok {
			docs = &pb.DataRequestProto_DataContentProto_Docs{Docs: &pb.DocumentArrayProto{}}
		}
		if err := d.documents(f.value, docs.Docs, f.depth); err != nil {
			return err
		}
		m.Documents = docs
	}
}

func (d *decoder) documents(b []byte, m *pb.DocumentArrayProto, depth int) error {
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
		if f.number != 1 || f.wire != protowire.BytesType {
			f.skip()
			continue
		}
		if m.Docs == nil {
			m.Docs = make([]*pb.DocumentProto, 0, count(f.rest, 1))
		}
		if err := f.take(m); err != nil {
			return err
		}
		below, err := d.document(f.value, f.depth)
		if err != nil {
			return err
		}
		m.Docs = append(m.Docs, below)
	}
}

// bytesOf is a field's value as a slice that nothing can be appended to in place.
func bytesOf(b []byte) []byte { return b[:len(b):len(b)] }
