package jina

import (
	"context"
	"math/rand/v2"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"

	"clipd/engine"
	"clipd/frontend/jina/pb"
)

// pictureRequest is a request of n documents of 80 KB each, about what a photo is.
func pictureRequest(n int) *pb.DataRequestProto {
	docs := make([]*pb.DocumentProto, n)
	r := rand.New(rand.NewPCG(1, 2))
	for i := range docs {
		blob := make([]byte, 80_000)
		for j := range blob {
			blob[j] = byte(r.Uint32())
		}
		copy(blob, "\xff\xd8\xff")
		docs[i] = &pb.DocumentProto{Id: NewID(), Content: &pb.DocumentProto_Blob{Blob: blob}, MimeType: "image/jpeg"}
	}
	m := NewRequest("/encode", docs)
	m.Parameters = dropImages()
	return m
}

// answerOf is an answer with n embeddings of 512 columns, of the size that those of a model have.
func answerOf(n int) *pb.DataRequestProto {
	r := rand.New(rand.NewPCG(1, 2))
	docs := make([]*pb.DocumentProto, n)
	for i := range docs {
		row := make([]float32, 512)
		for j := range row {
			row[j] = float32(r.NormFloat64() * 0.4)
		}
		docs[i] = &pb.DocumentProto{Id: NewID(), Content: &pb.DocumentProto_Text{Text: "a text"}, Embedding: newEmbedding(row)}
	}
	return NewRequest("/encode", docs)
}

// inFrames cuts a message as the transport gives it to the codec.
func inFrames(data []byte) (frames mem.BufferSlice) {
	for len(data) > 0 {
		n := min(len(data), 16384)
		frames = append(frames, mem.SliceBuffer(data[:n]))
		data = data[n:]
	}
	return frames
}

var benchRequests = []struct {
	name    string
	request func() *pb.DataRequestProto
}{
	{"text", func() *pb.DataRequestProto { return textRequest("a photo of a cat") }},
	{"256texts", func() *pb.DataRequestProto { return NewRequest("/encode", texts(256)) }},
	{"jpeg", func() *pb.DataRequestProto { return pictureRequest(1) }},
	{"32jpegs", func() *pb.DataRequestProto { return pictureRequest(32) }},
}

// BenchmarkDecode compares decoding of a request, from the frames of the transport, with gRPC's own codec.
func BenchmarkDecode(b *testing.B) {
	standard := encoding.GetCodecV2("proto").(codec).CodecV2
	for _, c := range benchRequests {
		data, err := proto.Marshal(c.request())
		if err != nil {
			b.Fatal(err)
		}
		frames := inFrames(data)
		b.Run(c.name+"/lean", func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				joined := join(frames)
				w, err := weigh(joined, requestKind)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := decodeRequest(joined, w); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(c.name+"/pooled", func(b *testing.B) { // what a pool of message memory would give
			b.ReportAllocs()
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				joined := frames.MaterializeToBuffer(mem.DefaultBufferPool())
				w, err := weigh(joined.ReadOnlyData(), requestKind)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := decodeRequest(joined.ReadOnlyData(), w); err != nil {
					b.Fatal(err)
				}
				joined.Free()
			}
		})
		b.Run(c.name+"/standard", func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				if err := standard.Unmarshal(frames, &pb.DataRequestProto{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkEncodeAnswer writes an answer of 256 embeddings. What is allocated besides the pooled buffer shows whether
// anything is copied twice.
func BenchmarkEncodeAnswer(b *testing.B) {
	answer := answerOf(256)
	b.ReportAllocs()
	b.SetBytes(int64(proto.Size(answer)))
	for b.Loop() {
		out, err := codec{}.Marshal(&reply{message: answer})
		if err != nil {
			b.Fatal(err)
		}
		out.Free()
	}
}

// rowsModel answers with the same rows each time, so that what is measured is the protocol.
type rowsModel struct{ rows []float32 }

func (m rowsModel) Embed(_ context.Context, r engine.Request) (*engine.Embeddings, error) {
	return &engine.Embeddings{Dim: 512, Data: m.rows[:512*len(r.Inputs)]}, nil
}

// BenchmarkRoundTrip sends requests over gRPC in memory. The client's part, which allocates too, sends bytes that are
// ready and throws answers away.
func BenchmarkRoundTrip(b *testing.B) {
	for _, c := range benchRequests {
		data, err := proto.Marshal(c.request())
		if err != nil {
			b.Fatal(err)
		}
		b.Run(c.name, func(b *testing.B) {
			conn := serveTest(b, rowsModel{make([]float32, 512*256)}, "clip_t", Options{Prefetch: 100},
				grpc.InitialWindowSize(4<<20), grpc.InitialConnWindowSize(4<<20), grpc.MaxRecvMsgSize(64<<20))
			stream, err := pb.NewJinaRPCClient(conn).Call(b.Context(), grpc.ForceCodecV2(rawCodec{}))
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				if err := stream.SendMsg(data); err != nil {
					b.Fatal(err)
				}
				if err := stream.RecvMsg(nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// rawCodec sends bytes as they are and reads nothing.
type rawCodec struct{}

func (rawCodec) Marshal(v any) (mem.BufferSlice, error) {
	return mem.BufferSlice{mem.SliceBuffer(v.([]byte))}, nil
}
func (rawCodec) Unmarshal(data mem.BufferSlice, v any) error {
	if to, ok := v.(*[]byte); ok {
		*to = data.Materialize()
	}
	return nil
}
func (rawCodec) Name() string { return "proto" }
