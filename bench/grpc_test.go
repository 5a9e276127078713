package bench

import (
	"context"
	"io"
	"net"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"clipd/frontend/jina/pb"
)

// jinaServer answers each request of a stream by a script.
type jinaServer struct {
	pb.UnimplementedJinaRPCServer
	answer func(ctx context.Context, r *pb.DataRequestProto) (*pb.DataRequestProto, error)
}

func (s *jinaServer) Call(stream grpc.BidiStreamingServer[pb.DataRequestProto, pb.DataRequestProto]) error {
	for {
		r, err := stream.Recv()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		answer, err := s.answer(stream.Context(), r)
		if err != nil {
			return err
		}
		if answer == nil {
			return nil
		}
		if err := stream.Send(answer); err != nil {
			return err
		}
	}
}

func serveGRPC(t *testing.T, answer func(context.Context, *pb.DataRequestProto) (*pb.DataRequestProto, error)) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer()
	pb.RegisterJinaRPCServer(s, &jinaServer{answer: answer})
	go s.Serve(l)
	t.Cleanup(s.Stop)
	return "grpc://" + l.Addr().String()
}

// embed puts embeddings of four columns, and more bytes than those need, into the documents of a request.
func embed(r *pb.DataRequestProto) *pb.DataRequestProto {
	for _, d := range r.GetData().GetDocs().GetDocs() {
		d.Embedding = &pb.NdArrayProto{Content: &pb.NdArrayProto_Dense{Dense: &pb.DenseNdArrayProto{Buffer: make([]byte, 2048), Shape: []uint32{512}, Dtype: "<f4"}}}
	}
	return r
}

// failed is an answer that carries an error, as Jina's do.
func failed(r *pb.DataRequestProto, exception string) *pb.DataRequestProto {
	r.Header.Status = &pb.StatusProto{Code: pb.StatusProto_ERROR, Description: exception + "('why')", Exception: &pb.StatusProto_ExceptionProto{Name: exception}}
	return r
}

func TestGRPC(t *testing.T) {
	var got *pb.DataRequestProto
	var md metadata.MD
	address := serveGRPC(t, func(ctx context.Context, r *pb.DataRequestProto) (*pb.DataRequestProto, error) {
		got = r
		md, _ = metadata.FromIncomingContext(ctx)
		return embed(r), nil
	})
	want(t, meet(t, address, TargetOptions{Credential: "token", Headers: [][2]string{{"Clip-Model", "b"}}}, inputs), "", false)
	docs := got.GetData().GetDocs().GetDocs()
	if got.Header.GetExecEndpoint() != "/encode" || len(docs) != 2 || docs[0].GetText() != inputs[0].Text || string(docs[1].GetBlob()) != string(inputs[1].Picture) {
		t.Errorf("the server got %v", got)
	}
	if !got.Parameters.Fields["drop_image_content"].GetBoolValue() || docs[0].Id == docs[1].Id || len(docs[0].Id) != 32 {
		t.Errorf("parameters %v, ids %q and %q", got.Parameters, docs[0].Id, docs[1].Id)
	}
	if strings.Join(md.Get("authorization"), ",") != "token" || strings.Join(md.Get("clip-model"), ",") != "b" {
		t.Errorf("metadata %v", md)
	}
}

func TestGRPCErrors(t *testing.T) {
	check := func(answer func(*pb.DataRequestProto) (*pb.DataRequestProto, error), text string, refused bool) {
		t.Helper()
		address := serveGRPC(t, func(_ context.Context, r *pb.DataRequestProto) (*pb.DataRequestProto, error) { return answer(r) })
		want(t, meet(t, address, TargetOptions{}, inputs), text, refused)
	}
	check(func(*pb.DataRequestProto) (*pb.DataRequestProto, error) {
		return nil, status.Error(codes.ResourceExhausted, "too many")
	}, "too many", true)
	check(func(*pb.DataRequestProto) (*pb.DataRequestProto, error) {
		return nil, status.Error(codes.Unavailable, "starting")
	}, "starting", true)
	check(func(*pb.DataRequestProto) (*pb.DataRequestProto, error) {
		return nil, status.Error(codes.Internal, "broken")
	}, "broken", false)
	check(func(r *pb.DataRequestProto) (*pb.DataRequestProto, error) { return failed(r, "BlockingIOError"), nil }, "why", true)
	check(func(r *pb.DataRequestProto) (*pb.DataRequestProto, error) { return failed(r, "ValueError"), nil }, "why", false)
	check(func(*pb.DataRequestProto) (*pb.DataRequestProto, error) { return &pb.DataRequestProto{}, nil }, "no embeddings", false)
	check(func(*pb.DataRequestProto) (*pb.DataRequestProto, error) { return nil, nil }, "without an answer", false)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	want(t, meet(t, "grpc://"+l.Addr().String(), TargetOptions{}, inputs), "connect", false) // nobody there is no refusal
}
