package jina

import (
	"bytes"
	"context"
	"io"
	"runtime"
	"strings"
	"sync"
	"testing"

	"golang.org/x/net/http2"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	"clipd/frontend/jina/pb"
)

// badInputServer has small limits; its clients have leftovers looked for when the test ends.
func badInputServer(t *testing.T, model Embedder) *testServer {
	return startTest(t, GatewayOptions{MaxDocuments: 1000}, model, "clip_t", Options{Prefetch: 100},
		grpc.MaxRecvMsgSize(16<<20), grpc.MaxHeaderListSize(16<<10))
}

// TestBadInput does to one server, over a connection of its own each time, what no client should, and looks after each
// whether anything is left of it, and whether another client notices.
func TestBadInput(t *testing.T) {
	server := badInputServer(t, hashModel{})
	other, err := pb.NewJinaRPCClient(server.dial(t)).Call(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ask := func() {
		t.Helper()
		if err := other.Send(textRequest("x")); err != nil {
			t.Fatal(err)
		}
		if a, err := other.Recv(); err != nil || a.Header.Status != nil {
			t.Fatal(a, err)
		}
	}
	ask()
	try := func(name string, bad func(t *testing.T, conn *grpc.ClientConn)) {
		t.Run(name, func(t *testing.T) {
			before := settle()
			conn := server.dial(t)
			bad(t, conn)
			conn.Close()
			ask()
			before.compare(t)
		})
	}
	end := func(want codes.Code, send func(stream grpc.ClientStream)) func(*testing.T, *grpc.ClientConn) {
		return func(t *testing.T, conn *grpc.ClientConn) {
			stream := rawStream(t, conn, callMethod)
			send(stream)
			stream.CloseSend()
			all, err := answersOf(t, stream)
			if status.Code(err) != want && !(want == codes.OK && err == io.EOF) || len(all) > 0 && want != codes.OK {
				t.Errorf("%d answers, then %v", len(all), err)
			}
		}
	}
	try("garbage", end(codes.InvalidArgument, func(s grpc.ClientStream) { s.SendMsg(bytes.Repeat([]byte{0xff}, 1000)) }))
	try("no message", end(codes.OK, func(grpc.ClientStream) {}))
	try("empty message", end(codes.OK, func(s grpc.ClientStream) { s.SendMsg([]byte{}) }))
	try("oversize message", end(codes.ResourceExhausted, func(s grpc.ClientStream) { s.SendMsg(make([]byte, 17<<20)) }))
	for _, format := range []string{"gzip", "deflate"} {
		try("bomb of "+format, func(t *testing.T, conn *grpc.ClientConn) { bomb(t, conn, format) })
	}
	try("unknown method", func(t *testing.T, conn *grpc.ClientConn) {
		for _, method := range []string{"/jina.JinaRPC/Nothing", "/nobody.Knows/This", "/jina.JinaDataRequestRPC/process_data"} {
			err := conn.Invoke(t.Context(), method, []byte("\xff"), new([]byte), grpc.ForceCodecV2(rawCodec{}))
			if status.Code(err) != codes.Unimplemented {
				t.Errorf("%s: %v", method, err)
			}
		}
	})
	try("large metadata", func(t *testing.T, conn *grpc.ClientConn) {
		ctx := metadata.AppendToOutgoingContext(t.Context(), "x", strings.Repeat("x", 32<<10))
		if _, err := pb.NewJinaSingleDataRequestRPCClient(conn).ProcessSingleData(ctx, textRequest("x")); err == nil {
			t.Error("32 KiB of metadata were taken")
		}
	})
	try("parameters", func(t *testing.T, conn *grpc.ClientConn) {
		for _, p := range []map[string]any{{"access_paths": 3}, {"access_paths": "r"}, {"minibatch_size": "many"}, {"minibatch_size": -1}, {"traversal_paths": []any{}}} {
			m := textRequest("x")
			m.Parameters, _ = structpb.NewStruct(p)
			a, err := pb.NewJinaSingleDataRequestRPCClient(conn).ProcessSingleData(t.Context(), m)
			if err != nil || a.Header.Status.GetCode() != pb.StatusProto_ERROR {
				t.Errorf("%v: %v, %v", p, a.GetHeader(), err)
			}
		}
	})
	try("unknown endpoint", func(t *testing.T, conn *grpc.ClientConn) {
		m := textRequest("x")
		m.Header.ExecEndpoint = proto.String("/nowhere")
		a, err := pb.NewJinaSingleDataRequestRPCClient(conn).ProcessSingleData(t.Context(), m)
		if err != nil || a.Data.GetDocs().Docs[0].Embedding == nil { // as the original: every endpoint encodes
			t.Error(a, err)
		}
	})
	try("broken picture among 100", brokenPicture)
	try("stream_doc", func(t *testing.T, conn *grpc.ClientConn) {
		docs, err := pb.NewJinaSingleDocumentRequestRPCClient(conn).StreamDoc(t.Context(), &pb.SingleDocumentRequestProto{Document: &pb.DocumentProto{Id: "a"}})
		if err != nil {
			t.Fatal(err)
		}
		if a, err := docs.Recv(); err != nil || a.Document.GetId() != "a" || a.Header.Status.GetCode() != pb.StatusProto_ERROR {
			t.Error(a, err)
		}
	})
}

// brokenPicture sends 100 pictures of which one is none, and another request beside them.
func brokenPicture(t *testing.T, conn *grpc.ClientConn) {
	docs := make([]*pb.DocumentProto, 100)
	for i := range docs {
		docs[i] = &pb.DocumentProto{Id: NewID(), Content: &pb.DocumentProto_Blob{Blob: []byte("\xff\xd8\xff picture")}}
	}
	docs[57] = &pb.DocumentProto{Id: "the-broken-one", Content: &pb.DocumentProto_Blob{Blob: []byte("no picture")}}
	stream, err := pb.NewJinaRPCClient(conn).Call(metadata.AppendToOutgoingContext(t.Context(), "__results_in_order__", "true"))
	if err != nil {
		t.Fatal(err)
	}
	stream.Send(NewRequest("/encode", docs))
	stream.Send(textRequest("x"))
	stream.CloseSend()
	a, err := stream.Recv()
	if text := a.GetHeader().GetStatus().GetDescription(); err != nil || !strings.Contains(text, "57") || !strings.Contains(text, "the-broken-one") {
		t.Errorf("%q, %v", text, err)
	}
	if a, err := stream.Recv(); err != nil || a.Header.Status != nil {
		t.Error(a, err)
	}
	if _, err := stream.Recv(); err != io.EOF {
		t.Error(err)
	}
}

// bombCompressor compresses as the one in it does, but a message that is the name of a ready one is sent as that.
type bombCompressor struct{ encoding.Compressor }

var ready sync.Map // what was compressed before, by name

func init() {
	for _, name := range []string{"gzip", "deflate"} {
		encoding.RegisterCompressor(bombCompressor{encoding.GetCompressor(name)})
	}
}

func (c bombCompressor) Compress(w io.Writer) (io.WriteCloser, error) {
	z, err := c.Compressor.Compress(w)
	return &bombWriter{z, w, true}, err
}

type bombWriter struct {
	io.WriteCloser
	plain io.Writer
	close bool
}

func (w *bombWriter) Write(b []byte) (int, error) {
	if data, found := ready.Load(string(b)); found {
		w.close = false
		_, err := w.plain.Write(data.([]byte))
		return len(b), err
	}
	return w.WriteCloser.Write(b)
}

func (w *bombWriter) Close() error {
	if w.close {
		return w.WriteCloser.Close()
	}
	return nil
}

// bomb sends 1 GiB of zeros in a megabyte.
func bomb(t *testing.T, conn *grpc.ClientConn, format string) {
	var out bytes.Buffer
	z, err := encoding.GetCompressor(format).Compress(&out)
	if err != nil {
		t.Fatal(err)
	}
	zeros := make([]byte, 1<<20)
	for range 1 << 10 {
		z.Write(zeros)
	}
	z.Close()
	ready.Store("the bomb", out.Bytes())
	defer ready.Delete("the bomb")
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	stream, err := conn.NewStream(t.Context(), &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, callMethod,
		grpc.ForceCodecV2(rawCodec{}), grpc.UseCompressor(format))
	if err != nil {
		t.Fatal(err)
	}
	stream.SendMsg([]byte("the bomb"))
	err = stream.RecvMsg(nil)
	runtime.ReadMemStats(&after)
	if status.Code(err) != codes.ResourceExhausted {
		t.Errorf("the bomb of %d bytes ended with %v", out.Len(), err)
	}
	took := after.TotalAlloc - before.TotalAlloc
	t.Logf("1 GiB in %d bytes: %d bytes were allocated", out.Len(), took)
	if took > 64<<20 {
		t.Errorf("%d bytes were allocated for a message of which 16 MiB are allowed", took)
	}
}

// TestGoneClients leaves during the upload, the work and the answer.
func TestGoneClients(t *testing.T) {
	model := &gateModel{gate: make(chan struct{})}
	server := badInputServer(t, model)
	before := settle()
	leave := func(stay func(stream grpc.ClientStream, cancel context.CancelFunc)) {
		t.Helper()
		conn := server.dial(t)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, callMethod, grpc.ForceCodecV2(rawCodec{}))
		if err != nil {
			t.Fatal(err)
		}
		stay(stream, cancel)
		cancel()
		conn.Close()
		eventually(t, "nothing in progress", func() bool { return model.inside.Load() == 0 })
		before.compare(t)
	}
	picture := marshal(t, pictureRequest(30))
	leave(func(stream grpc.ClientStream, cancel context.CancelFunc) { // during the upload
		go cancel()
		stream.SendMsg(picture)
	})
	leave(func(stream grpc.ClientStream, _ context.CancelFunc) {
		for range 5 {
			stream.SendMsg(picture)
		}
		eventually(t, "work in progress", func() bool { return model.inside.Load() == 5 })
	})
	close(model.gate)
	m := pictureRequest(30)
	m.Parameters = nil
	echo := marshal(t, m)
	leave(func(stream grpc.ClientStream, _ context.CancelFunc) {
		for range 5 {
			stream.SendMsg(echo)
		}
		if err := stream.RecvMsg(nil); err != nil {
			t.Error(err)
		}
	})
}

// TestMalformedFrames speaks HTTP/2 badly after its preface.
func TestMalformedFrames(t *testing.T) {
	server := badInputServer(t, hashModel{})
	before := settle()
	for _, garbage := range []string{
		"", "GET / HTTP/1.1\r\n\r\n",
		http2.ClientPreface, http2.ClientPreface + strings.Repeat("\xff", 100), http2.ClientPreface + strings.Repeat("\x00", 100),
		http2.ClientPreface + "\x00\x00\x00\x04\x00\x00\x00\x00\x00" + "\x00\x00\x05\x01\x05\x00\x00\x00\x01\xff\xff\xff\xff\xff", // headers that are none
		http2.ClientPreface + "\x00\x00\x00\x04\x00\x00\x00\x00\x00" + "\x00\x00\x05\x00\x01\x00\x00\x00\x07hello",                // data of no stream
	} {
		conn, err := server.listener.DialContext(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		go io.Copy(io.Discard, conn)
		io.WriteString(conn, garbage)
		conn.Close()
	}
	before.compare(t)
	if _, err := pb.NewJinaSingleDataRequestRPCClient(server.dial(t)).ProcessSingleData(t.Context(), textRequest("x")); err != nil {
		t.Error(err)
	}
}
