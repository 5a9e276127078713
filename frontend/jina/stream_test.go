package jina

import (
	"context"
	"io"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/structpb"

	"clipd/engine"
	"clipd/frontend/jina/pb"
)

// gateModel answers when it is let, one request at a time, and counts the requests inside.
type gateModel struct {
	inside atomic.Int32
	gate   chan struct{}
}

func (g *gateModel) Embed(ctx context.Context, r engine.Request) (*engine.Embeddings, error) {
	g.inside.Add(1)
	defer g.inside.Add(-1)
	select {
	case <-g.gate:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return hashModel{}.Embed(ctx, r)
}

func textRequest(text string) *pb.DataRequestProto {
	return NewRequest("/encode", []*pb.DocumentProto{{Id: NewID(), Content: &pb.DocumentProto_Text{Text: text}}})
}

// eventually waits for something that another goroutine brings about.
func eventually(t *testing.T, what string, reached func() bool) {
	t.Helper()
	for range 500 {
		if reached() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("never: %s", what)
}

// TestPrefetchBounds shows that a stream has at most its prefetch in progress, and that the rest is answered later.
func TestPrefetchBounds(t *testing.T) {
	model := &gateModel{gate: make(chan struct{})}
	conn := dialTest(t, model, "clip_t")
	ctx := metadata.AppendToOutgoingContext(t.Context(), "__prefetch__", "3")
	stream, err := pb.NewJinaRPCClient(conn).Call(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for range 10 {
		if err := stream.Send(textRequest("x")); err != nil {
			t.Fatal(err)
		}
	}
	stream.CloseSend()
	eventually(t, "three requests in progress", func() bool { return model.inside.Load() == 3 })
	time.Sleep(50 * time.Millisecond) // a fourth would come at once
	if n := model.inside.Load(); n != 3 {
		t.Errorf("%d requests in progress, prefetch is 3", n)
	}
	close(model.gate)
	for i := range 10 {
		if _, err := stream.Recv(); err != nil {
			t.Fatalf("answer %d: %v", i, err)
		}
	}
	if _, err := stream.Recv(); err != io.EOF {
		t.Errorf("after the last answer: %v", err)
	}
}

func TestPrefetchMustBeANumber(t *testing.T) {
	conn := dialTest(t, hashModel{}, "clip_t")
	ctx := metadata.AppendToOutgoingContext(t.Context(), "__prefetch__", "many")
	stream, err := pb.NewJinaRPCClient(conn).Call(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); status.Code(err) != codes.InvalidArgument {
		t.Errorf("got %v", err)
	}
}

// slowFirst delays the text "slow" until it is released.
type slowFirst struct{ release, other chan struct{} }

func (s *slowFirst) Embed(ctx context.Context, r engine.Request) (*engine.Embeddings, error) {
	if r.Inputs[0].Text == "slow" {
		<-s.release
	} else {
		close(s.other)
	}
	return hashModel{}.Embed(ctx, r)
}

func TestOrderOfAnswers(t *testing.T) {
	check := func(inOrder string, want ...string) {
		t.Helper()
		model := &slowFirst{make(chan struct{}), make(chan struct{})}
		conn := dialTest(t, model, "clip_t")
		ctx := metadata.AppendToOutgoingContext(t.Context(), "__results_in_order__", inOrder)
		stream, err := pb.NewJinaRPCClient(conn).Call(ctx)
		if err != nil {
			t.Fatal(err)
		}
		stream.Send(textRequest("slow"))
		stream.Send(textRequest("fast"))
		stream.CloseSend()
		<-model.other
		if want[0] == "slow" {
			close(model.release)
		}
		for _, w := range want {
			a, err := stream.Recv()
			if err != nil {
				t.Fatal(err)
			}
			if got := a.Data.GetDocs().Docs[0].GetText(); got != w {
				t.Errorf("in order %s: got %q, want %q", inOrder, got, w)
			}
			if w == "fast" && want[0] == "fast" {
				close(model.release)
			}
		}
	}
	check("false", "fast", "slow")
	check("true", "slow", "fast")
}

// TestGoneClient shows that a client that goes away ends the work on its requests.
func TestGoneClient(t *testing.T) {
	model := &gateModel{gate: make(chan struct{})}
	conn := dialTest(t, model, "clip_t")
	ctx, cancel := context.WithCancel(t.Context())
	stream, err := pb.NewJinaRPCClient(conn).Call(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		stream.Send(textRequest("x"))
	}
	eventually(t, "requests in progress", func() bool { return model.inside.Load() == 5 })
	cancel()
	eventually(t, "nothing in progress", func() bool { return model.inside.Load() == 0 })
}

// TestStreamInputsHoldBack shows that a stream of many documents waits for room instead of being refused.
func TestStreamInputsHoldBack(t *testing.T) {
	model := &gateModel{gate: make(chan struct{})}
	conn := dialOptions(t, model, "clip_t", Options{Prefetch: 100, StreamInputs: 5})
	stream, err := pb.NewJinaRPCClient(conn).Call(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	two := func() *pb.DataRequestProto {
		r := textRequest("x")
		docs := r.Data.GetDocs()
		docs.Docs[0].Chunks = []*pb.DocumentProto{{Id: "below"}} // what lies below counts too
		return r
	}
	for range 10 {
		stream.Send(two())
	}
	stream.Send(NewRequest("/encode", texts(10))) // more than there is room for: it has the room alone
	stream.CloseSend()
	eventually(t, "two requests of two documents in progress", func() bool { return model.inside.Load() == 2 })
	time.Sleep(50 * time.Millisecond) // a third would come at once
	if n := model.inside.Load(); n != 2 {
		t.Errorf("%d requests in progress, there is room for 2", n)
	}
	close(model.gate)
	for i := range 11 {
		if a, err := stream.Recv(); err != nil || a.Header.Status != nil {
			t.Fatalf("answer %d: %v %v", i, a, err)
		}
	}
}

// texts returns n documents.
func texts(n int) []*pb.DocumentProto {
	docs := make([]*pb.DocumentProto, n)
	for i := range docs {
		docs[i] = &pb.DocumentProto{Id: NewID(), Content: &pb.DocumentProto_Text{Text: "y"}}
	}
	return docs
}

// dropImages are the parameters of a request whose pictures shall not come back.
func dropImages() *structpb.Struct {
	return &structpb.Struct{Fields: map[string]*structpb.Value{"drop_image_content": structpb.NewBoolValue(true)}}
}
