package jina

import (
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"clipd/engine"
	"clipd/frontend/jina/pb"
	"clipd/frontend/limit"
)

// rawStream opens a stream on which bytes are sent as they are.
func rawStream(t *testing.T, conn *grpc.ClientConn, method string) grpc.ClientStream {
	t.Helper()
	stream, err := conn.NewStream(t.Context(), &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, method, grpc.ForceCodecV2(rawCodec{}))
	if err != nil {
		t.Fatal(err)
	}
	return stream
}

const callMethod = "/jina.JinaRPC/Call"

func marshal(t testing.TB, m proto.Message) []byte {
	t.Helper()
	data, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// answersOf reads a raw stream to its end.
func answersOf(t *testing.T, stream grpc.ClientStream) (all []*pb.DataRequestProto, end error) {
	t.Helper()
	for {
		var data []byte
		if err := stream.RecvMsg(&data); err != nil {
			return all, err
		}
		m := &pb.DataRequestProto{}
		if err := proto.Unmarshal(data, m); err != nil {
			t.Fatal(err)
		}
		all = append(all, m)
	}
}

// TestGarbageEndsTheStreamBehindPendingAnswers sends a request that is still worked on when garbage comes.
func TestGarbageEndsTheStreamBehindPendingAnswers(t *testing.T) {
	check := func(garbage string) {
		t.Helper()
		model := &gateModel{gate: make(chan struct{})}
		stream := rawStream(t, dialTest(t, model, "clip_t"), callMethod)
		stream.SendMsg(marshal(t, textRequest("x")))
		eventually(t, "the request in progress", func() bool { return model.inside.Load() == 1 })
		stream.SendMsg([]byte(garbage))
		close(model.gate)
		all, err := answersOf(t, stream)
		if len(all) != 1 || all[0].Header.Status != nil || status.Code(err) != codes.InvalidArgument {
			t.Errorf("%q: %d answers, then %v", garbage, len(all), err)
		}
	}
	check("\xff\xff\xff")
	check("\x22\x7f")                             // cut off
	check("\x22\x06\x0a\x04\x0a\x02\x0a\x05")     // cut off within a document
	check("\x22\x07\x0a\x05\x0a\x03\x0a\x01\xff") // an id that is not UTF-8
	conn := dialTest(t, hashModel{}, "clip_t")
	err := conn.Invoke(t.Context(), "/jina.JinaSingleDataRequestRPC/process_single_data", []byte("\x0f"), new([]byte), grpc.ForceCodecV2(rawCodec{}))
	if status.Code(err) != codes.InvalidArgument || !strings.Contains(err.Error(), "DataRequestProto") {
		t.Errorf("unary: %v", err)
	}
}

// TestTooManyDocumentsLeavesTheStreamOpen shows that such a request alone is refused, with its id.
func TestTooManyDocumentsLeavesTheStreamOpen(t *testing.T) {
	server := startTest(t, GatewayOptions{MaxDocuments: 3}, hashModel{}, "clip_t", Options{})
	conn := server.dial(t)
	stream, err := pb.NewJinaRPCClient(conn).Call(metadata.AppendToOutgoingContext(t.Context(), "__results_in_order__", "true"))
	if err != nil {
		t.Fatal(err)
	}
	large := NewRequest("/encode", texts(4))
	for _, m := range []*pb.DataRequestProto{NewRequest("/encode", texts(3)), large, textRequest("x")} {
		if err := stream.Send(m); err != nil {
			t.Fatal(err)
		}
	}
	stream.CloseSend()
	for i, failed := range []bool{false, true, false} {
		a, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		st := a.Header.GetStatus()
		if (st.GetCode() == pb.StatusProto_ERROR) != failed {
			t.Errorf("answer %d has status %v", i, st)
		}
		if failed && (a.Header.RequestId != large.Header.RequestId || !strings.Contains(st.Description, "4 documents") || len(a.Routes) < 2) {
			t.Errorf("the refusal is %v", a)
		}
	}
	if _, err := stream.Recv(); err != io.EOF {
		t.Error(err)
	}
	a, err := pb.NewJinaSingleDataRequestRPCClient(conn).ProcessSingleData(t.Context(), large)
	if status.Code(err) != codes.ResourceExhausted || !strings.Contains(err.Error(), "max_documents") {
		t.Errorf("unary: %v, %v", a, err)
	}
}

// TestFaultsOfTheServerEndTheStream shows that what was read beside the refused request is answered first.
func TestFaultsOfTheServerEndTheStream(t *testing.T) {
	gate := make(chan struct{})
	refused := make(chan struct{})
	conn := dialTest(t, scriptModel(func(ctx context.Context, r engine.Request) (*engine.Embeddings, error) {
		if r.Inputs[0].Text == "refused" {
			close(refused)
			return nil, engine.Errorf(engine.Overloaded, "the queue is full")
		}
		<-gate
		return hashModel{}.Embed(ctx, r)
	}), "clip_t")
	stream, err := pb.NewJinaRPCClient(conn).Call(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"a", "b", "refused"} {
		if err := stream.Send(textRequest(text)); err != nil {
			t.Fatal(err)
		}
	}
	<-refused
	close(gate)
	for i := range 2 {
		if a, err := stream.Recv(); err != nil || a.Header.Status != nil {
			t.Fatalf("answer %d: %v %v", i, a, err)
		}
	}
	_, err = stream.Recv()
	checkRetry(t, err, stream.Trailer(), codes.ResourceExhausted, "the queue is full")
}

// checkRetry checks the status of a refusal that says when to try again.
func checkRetry(t *testing.T, err error, trailer metadata.MD, code codes.Code, words string) {
	t.Helper()
	st := status.Convert(err)
	if st.Code() != code || !strings.Contains(st.Message(), words) {
		t.Errorf("got %v, want %v with %q", err, code, words)
	}
	if len(st.Details()) != 1 || len(trailer.Get("retry-after")) != 1 {
		t.Fatalf("details %v, trailer %v", st.Details(), trailer)
	}
	if info, ok := st.Details()[0].(*errdetails.RetryInfo); !ok || info.RetryDelay.AsDuration() <= 0 {
		t.Errorf("details %v", st.Details())
	}
}

// TestBytesHoldAStreamBackAndRefuseTheRest fills a stream's eighth and then the whole budget.
func TestBytesHoldAStreamBackAndRefuseTheRest(t *testing.T) {
	one := marshal(t, pictureRequest(1))
	w, err := weigh(one, requestKind)
	if err != nil {
		t.Fatal(err)
	}
	each := int64(len(one)) + w.memory()
	budget := limit.NewBytes(16*each + 1000) // two requests for each stream
	model := &gateModel{gate: make(chan struct{})}
	conn := dialOptions(t, model, "clip_t", Options{Prefetch: 100, Bytes: budget})
	open := func() grpc.ClientStream {
		stream := rawStream(t, conn, callMethod)
		for range 3 {
			if stream.SendMsg(one) != nil {
				break // the stream has ended, and says why to who reads
			}
		}
		stream.CloseSend()
		return stream
	}
	var streams []grpc.ClientStream
	for range 8 {
		streams = append(streams, open())
	}
	eventually(t, "two requests of each stream in progress", func() bool { return model.inside.Load() == 16 })
	time.Sleep(50 * time.Millisecond) // a third would come at once
	if n := model.inside.Load(); n != 16 || budget.Used() != 16*each {
		t.Errorf("%d requests in progress, %d bytes", n, budget.Used())
	}
	late := open()
	all, err := answersOf(t, late)
	if len(all) != 0 {
		t.Errorf("%d answers past the budget", len(all))
	}
	checkRetry(t, err, late.Trailer(), codes.ResourceExhausted, "max_inflight_bytes")
	var trailer metadata.MD
	_, err = pb.NewJinaSingleDataRequestRPCClient(conn).ProcessSingleData(t.Context(), pictureRequest(1), grpc.Trailer(&trailer))
	checkRetry(t, err, trailer, codes.ResourceExhausted, "max_inflight_bytes")
	close(model.gate)
	for _, stream := range streams {
		if all, err := answersOf(t, stream); len(all) != 3 || err != io.EOF {
			t.Errorf("%d answers, %v", len(all), err)
		}
	}
	eventually(t, "the budget whole again", func() bool { return budget.Used() == 0 })
	// What the whole budget cannot hold costs nobody anything.
	a, err := pb.NewJinaSingleDataRequestRPCClient(conn).ProcessSingleData(t.Context(), pictureRequest(17))
	if status.Code(err) != codes.ResourceExhausted || !strings.Contains(err.Error(), "max_inflight_bytes") || budget.Used() != 0 {
		t.Errorf("17 pictures: %v %v, %d bytes in use", a.GetHeader(), err, budget.Used())
	}
}
