package ws

import (
	"context"
	"io"
	"testing"

	"github.com/gobwas/ws"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	"clipd/engine"
	"clipd/frontend/jina/pb"
)

// benchmark sends one request after another over one connection. The client's part allocates nothing.
func benchmark(b *testing.B, line string, op ws.OpCode, body []byte) {
	s := start(b, constantModel{}, Options{Prefetch: 1000})
	c := dial(b, s.address, "/", line)
	frame, err := ws.CompileFrame(ws.MaskFrame(ws.NewFrame(op, true, body)))
	if err != nil {
		b.Fatal(err)
	}
	answer := make([]byte, 1<<20)
	scratch := make([]byte, ws.MaxHeaderSize)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		if _, err := c.Write(frame); err != nil {
			b.Fatal(err)
		}
		h, err := ws.ReadHeaderBuffer(c.in, scratch)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := io.ReadFull(c.in, answer[:h.Length]); err != nil {
			b.Fatal(err)
		}
	}
	b.StopTimer()
	c.Close()
}

func BenchmarkBinaryText(b *testing.B) {
	benchmark(b, binary, ws.OpBinary, marshal(b, textRequest("a photo of a cat")))
}

func BenchmarkBinaryPicture(b *testing.B) {
	r := pictureRequest(jpeg(80 << 10))
	benchmark(b, binary, ws.OpBinary, marshal(b, dropping(r)))
}

func BenchmarkJSONText(b *testing.B) {
	benchmark(b, text, ws.OpText, []byte(`{"data":[{"id":"a","text":"a photo of a cat"}],"parameters":{"drop_image_content":true},"execEndpoint":"/encode"}`))
}

// constantModel answers at once, with the same embedding for everything.
type constantModel struct{}

var constants = make([]float32, dim)

func (constantModel) Embed(_ context.Context, r engine.Request) (*engine.Embeddings, error) {
	return &engine.Embeddings{Dim: dim, Data: constants[:dim*len(r.Inputs)]}, nil
}

// dropping asks, as clip_client does, for an answer without the pictures.
func dropping(r *pb.DataRequestProto) *pb.DataRequestProto {
	r.Parameters = &structpb.Struct{Fields: map[string]*structpb.Value{"drop_image_content": structpb.NewBoolValue(true)}}
	return r
}

func marshal(b *testing.B, r *pb.DataRequestProto) []byte {
	body, err := proto.Marshal(r)
	if err != nil {
		b.Fatal(err)
	}
	return body
}

// BenchmarkIdle reports what a connection that does nothing takes of memory, fasthttp's part and both ends' buffers
// included.
func BenchmarkIdle(b *testing.B) {
	s := start(b, constantModel{}, Options{Prefetch: 1000})
	before := heap()
	for range b.N {
		dial(b, s.address, "/", binary)
	}
	b.ReportMetric(float64(heap()-before)/float64(b.N), "bytes/conn")
}
