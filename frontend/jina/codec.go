package jina

import (
	"math"
	"strings"
	"unsafe"

	"google.golang.org/grpc/encoding"
	_ "google.golang.org/grpc/encoding/proto" // is registered before what takes its place
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"

	"clipd/frontend/jina/pb"
)

// frame receives a message as it came over the wire. What a codec cannot read ends a stream as INTERNAL; a handler that
// gets the bytes can answer better, and can say no before anything is decoded.
type frame struct {
	data   []byte      // of the frame's own; never changed
	coding *compressor // of data; nil when it is plain
}

// ignored receives a message that nobody reads.
type ignored struct{}

// codec is gRPC's codec "proto" for everything but the types of this package. It has no state, and so no harm comes of
// its being everyone's in the process, clients included.
type codec struct{ encoding.CodecV2 }

func init() { encoding.RegisterCodecV2(codec{encoding.GetCodecV2("proto")}) }

// Unmarshal implements encoding.CodecV2.
func (c codec) Unmarshal(data mem.BufferSlice, v any) error {
	switch v := v.(type) {
	case *frame:
		v.data, v.coding = unmark(join(data))
		return nil
	case *ignored:
		return nil
	}
	if !marked(data) {
		return c.CodecV2.Unmarshal(data, v)
	}
	most := int64(otherBytes)
	if _, answer := v.(*pb.DataRequestProto); answer { // of a client; a server gets requests as frames
		most = math.MaxInt32
	}
	packed, coding := unmark(join(data))
	if coding == nil {
		return c.CodecV2.Unmarshal(data, v) // which says what is wrong
	}
	plain, err := coding.unpack(packed, most, func(int64) error { return nil })
	if err != nil {
		return err
	}
	return c.CodecV2.Unmarshal(mem.BufferSlice{mem.SliceBuffer(plain)}, v)
}

// otherBytes is the most that a packed message to another service than Jina's may have, health or reflection.
const otherBytes = 1 << 20

// marked reports whether a message may begin with the mark of a coding.
func marked(data mem.BufferSlice) bool {
	for _, part := range data {
		if b := part.ReadOnlyData(); len(b) > 0 {
			return b[0] == 0
		}
	}
	return false
}

// Marshal implements encoding.CodecV2.
func (c codec) Marshal(v any) (mem.BufferSlice, error) {
	if r, ok := v.(*reply); ok {
		return r.marshal()
	}
	return c.CodecV2.Marshal(v)
}

// join copies the parts of a message, which came in frames of HTTP/2, into one piece of memory: the only copy between
// the transport's buffers and the decoders of texts and pictures, since a decoded request points into it.
//
// The memory is the garbage collector's. A pool would save little (see the benchmarks) and would be unsafe: after a
// request was cancelled a worker may go on with its picture for a moment. A Builder's memory is not zeroed first.
func join(data mem.BufferSlice) []byte {
	var b strings.Builder
	b.Grow(data.Len())
	for _, part := range data {
		b.Write(part.ReadOnlyData())
	}
	s := b.String()
	return unsafe.Slice(unsafe.StringData(s), len(s))
}

// partBytes is how much of an answer is given to the transport in one buffer: what fits a frame of HTTP/2. Each buffer
// tells when the client's connection took it.
const partBytes = 16 << 10

// reply is an answer on a stream whose parts say when they were written to the connection.
type reply struct {
	message proto.Message
	written func(bytes int) // called from any goroutine; nil: nobody is told
	hold    *hold           // of the budget, until the last part was written; nil: none
}

// marshal writes the message into one pooled buffer, with embeddings copied from the engine's rows straight into their
// place, and hands it out in parts. The buffer goes back to its pool when the last part was written.
func (r *reply) marshal() (mem.BufferSlice, error) {
	size := proto.Size(r.message)
	options := proto.MarshalOptions{UseCachedSize: true}
	if mem.IsBelowBufferPoolingThreshold(size) {
		r.hold.end()
		b, err := options.Marshal(r.message)
		if err != nil {
			return nil, err
		}
		return mem.BufferSlice{mem.SliceBuffer(b)}, nil
	}
	pool := mem.DefaultBufferPool()
	whole := pool.Get(size)
	b, err := options.MarshalAppend((*whole)[:0], r.message)
	if err != nil {
		pool.Put(whole)
		r.hold.end()
		return nil, err
	}
	return divide(b, whole, pool, r.written, r.hold), nil
}
