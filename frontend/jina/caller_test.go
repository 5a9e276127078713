package jina

import (
	"context"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/structpb"

	"clipd/engine"
	"clipd/frontend/fault"
	"clipd/frontend/jina/pb"
	"clipd/frontend/limit"
)

func TestTimeoutForms(t *testing.T) {
	check := func(text string, unit, want time.Duration) {
		t.Helper()
		got, ok := parseTimeout(text, unit)
		if got != want || ok != (want > 0) {
			t.Errorf("%q: %v, %v; want %v", text, got, ok, want)
		}
	}
	check("2", time.Second, 2*time.Second)
	check(" 2.5 ", time.Second, 2500*time.Millisecond)
	check(".5", time.Second, 500*time.Millisecond)
	check("2s", time.Second, 2*time.Second)
	check("500ms", time.Second, 500*time.Millisecond)
	check("1.5 ms", time.Second, 1500*time.Microsecond)
	check("250", time.Millisecond, 250*time.Millisecond)
	check("0.0000000001", time.Second, 1)
	check("99999999999999999999", time.Second, longestTimeout)
	for _, bad := range []string{"", "0", "0.0", "-1", "+1", "1e3", "inf", "NaN", "0x10", "1_0", "1m", "5S", "ms", "s", ".", "1.2.3", "two", "1 2", "2ss"} {
		check(bad, time.Second, 0)
	}
}

func TestNewCaller(t *testing.T) {
	caller := func(headers ...string) (Caller, error) {
		md := metadata.Pairs(headers...)
		return NewCaller(nil, func(name string) string { return strings.Join(md.Get(name), "") })
	}
	c, err := caller("clip-model", " large ", "clip-priority", "High", "x-request-timeout", "2.5", "x-envoy-expected-rq-timeout-ms", "1500")
	if err != nil || c.Model != "large" || c.Priority != "high" || c.Timeout != 1500*time.Millisecond {
		t.Errorf("%+v, %v", c, err)
	}
	bad := func(name, value, want string) {
		t.Helper()
		if _, err := caller(name, value); err == nil || fault.Of(err).Code != fault.Malformed || err.Error() != want {
			t.Errorf("%s: %v", name, err)
		}
	}
	bad("clip-priority", "urgent", `clip-priority is "urgent"; it must be "high" or "normal"`)
	bad("x-request-timeout", "-1", `x-request-timeout is "-1"; it must be seconds above 0, such as 2.5, or a time such as 2.5s or 500ms`)
	bad("x-envoy-expected-rq-timeout-ms", "0", `x-envoy-expected-rq-timeout-ms is "0"; it must be milliseconds above 0, such as 2500`)
}

// asked is a gateway whose model tells the priority that it is asked with.
func asked(t *testing.T, got *engine.Priority) *Gateway {
	return newTestGateway(t, GatewayOptions{}, ExecutorOptions{Name: "clip", Model: scriptModel(
		func(_ context.Context, r engine.Request) (*engine.Embeddings, error) {
			*got = r.Priority
			return &engine.Embeddings{Dim: 1, Data: make([]float32, len(r.Inputs))}, nil
		})})
}

func withParameter(req *pb.DataRequestProto, name string, v any) *pb.DataRequestProto {
	value, err := structpb.NewValue(v)
	if err != nil {
		panic(err)
	}
	if req.Parameters == nil {
		req.Parameters = &structpb.Struct{Fields: map[string]*structpb.Value{}}
	}
	req.Parameters.Fields[name] = value
	return req
}

// TestPriorityOfARequest: the parameter goes before the header, and the header before what the key has.
func TestPriorityOfARequest(t *testing.T) {
	var got engine.Priority
	g := asked(t, &got)
	rank := func() *pb.DataRequestProto {
		return NewRequest("/rank", []*pb.DocumentProto{{Content: &pb.DocumentProto_Text{Text: "a"}, Matches: []*pb.DocumentProto{{Content: &pb.DocumentProto_Text{Text: "b"}}}}})
	}
	check := func(req *pb.DataRequestProto, c Caller, want engine.Priority, status string) {
		t.Helper()
		got = -1
		err := g.Handle(t.Context(), &Call{Caller: c, Request: req, Arrived: time.Now()})
		if err != nil && fault.Of(err).Code != fault.Forbidden {
			t.Error(err)
		}
		if d := req.Header.GetStatus().GetDescription(); got != want || (status == "") != (d == "") || !strings.Contains(d, status) {
			t.Errorf("priority %v, want %v; status %q, want %q", got, want, d, status)
		}
	}
	high := Caller{Priority: "high"}
	check(textRequest("x"), Caller{}, engine.Normal, "")
	check(textRequest("x"), high, engine.High, "")
	check(rank(), high, engine.High, "")
	check(withParameter(textRequest("x"), "priority", "HIGH"), Caller{}, engine.High, "")
	check(withParameter(textRequest("x"), "priority", nil), Caller{}, engine.Normal, "")
	check(withParameter(textRequest("x"), "priority", "normal"), high, engine.Normal, "")
	check(withParameter(textRequest("x"), "clip__priority", "high"), Caller{}, engine.High, "")
	check(withParameter(textRequest("x"), "priority", "urgent"), Caller{}, -1, `parameter priority must be "high" or "normal", not "urgent"`)
	check(withParameter(textRequest("x"), "priority", 2), Caller{}, -1, `parameter priority must be "high" or "normal", not 2`)
	always := Caller{High: func(asked string) (bool, error) { return asked != "normal", nil }}
	check(textRequest("x"), always, engine.High, "")
	never := Caller{High: func(asked string) (bool, error) {
		if asked == "high" {
			return false, fault.New(fault.Forbidden, "the key may not")
		}
		return false, nil
	}}
	check(textRequest("x"), never, engine.Normal, "")
	c := &Call{Caller: never, Request: withParameter(textRequest("x"), "priority", "high"), Arrived: time.Now()}
	if err := g.Handle(t.Context(), c); err == nil || fault.Of(err).Code != fault.Forbidden || c.Fault == nil {
		t.Errorf("%v", err)
	}
}

// TestTimeoutOfARequest: the first of all times that bound a request ends it, and says which it was.
func TestTimeoutOfARequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newTestGateway(t, GatewayOptions{Timeout: 5 * time.Second}, ExecutorOptions{Name: "clip", Model: scriptModel(
			func(ctx context.Context, _ engine.Request) (*engine.Embeddings, error) {
				<-ctx.Done()
				return nil, &engine.Error{Kind: engine.Deadline, Message: "ended", Err: ctx.Err()}
			})})
		check := func(header time.Duration, parameter any, since time.Duration, want time.Duration, words string, own bool) {
			t.Helper()
			began := time.Now()
			c := &Call{Caller: Caller{Timeout: header}, Request: textRequest("x"), Arrived: began, Since: began.Add(-since)}
			if parameter != nil {
				withParameter(c.Request, "timeout", parameter)
			}
			err := g.Handle(t.Context(), c)
			if err == nil || fault.Of(err).Code != fault.Deadline || !strings.Contains(err.Error(), words) || TimedOut(err) != own {
				t.Errorf("%v (own: %v), want %q", err, TimedOut(err), words)
			}
			if took := time.Since(began); took != want {
				t.Errorf("after %v, want %v", took, want)
			}
			if !strings.Contains(c.Request.Header.GetStatus().GetDescription(), "TimeoutError('") {
				t.Errorf("%v", c.Request.Header.Status)
			}
		}
		const own = " that it allows (x-request-timeout)"
		check(2*time.Second, nil, 0, 2*time.Second, "within the 2s"+own, true)
		check(2*time.Second, nil, time.Second, time.Second, "within the 2s"+own, true)
		check(0, 1.5, 0, 1500*time.Millisecond, "within the 1.5s"+own, true)
		check(0, "500ms", 0, 500*time.Millisecond, "within the 500ms"+own, true)
		check(time.Second, 3, 0, time.Second, "within the 1s"+own, true)
		check(3*time.Second, 1, 0, time.Second, "within the 1s"+own, true)
		check(9*time.Second, nil, 0, 5*time.Second, "within 5s (timeout_send)", false)
		check(time.Second, nil, 2*time.Second, 0, "within the 1s"+own, true) // over before it began
	})
	g := newTestGateway(t, GatewayOptions{}, ExecutorOptions{Name: "clip", Model: constModel(1)})
	bad := func(v any, want string) {
		t.Helper()
		req := withParameter(textRequest("x"), "timeout", v)
		if err := g.Handle(t.Context(), &Call{Request: req, Arrived: time.Now()}); err != nil || !strings.Contains(req.Header.GetStatus().GetDescription(), want) {
			t.Errorf("%v, %v", err, req.Header.GetStatus())
		}
	}
	bad(0, "parameter timeout must be seconds above 0, such as 2.5, or a time such as 2.5s or 500ms, not 0")
	bad(-1, "not -1")
	bad("soon", `not "soon"`)
	bad(true, "not true")
	bad([]any{}, "not a list")
}

// TestTimeoutOverGRPC: a call of one request ends with the status, the answer of a stream says it and the stream goes on.
func TestTimeoutOverGRPC(t *testing.T) {
	model := scriptModel(func(ctx context.Context, r engine.Request) (*engine.Embeddings, error) {
		if r.Inputs[0].Text == "late" {
			<-ctx.Done()
			return nil, &engine.Error{Kind: engine.Deadline, Message: "ended", Err: ctx.Err()}
		}
		return hashModel{}.Embed(ctx, r)
	})
	conn := dialOptions(t, model, "clip", Options{Prefetch: 10})
	single := pb.NewJinaSingleDataRequestRPCClient(conn)
	with := func(pairs ...string) context.Context { return metadata.AppendToOutgoingContext(t.Context(), pairs...) }
	check := func(err error, code codes.Code, words string) {
		t.Helper()
		if status.Code(err) != code || !strings.Contains(err.Error(), words) {
			t.Errorf("%v", err)
		}
	}
	_, err := single.ProcessSingleData(with("x-request-timeout", "0.05"), textRequest("late"))
	check(err, codes.DeadlineExceeded, "within the 50ms that it allows")
	_, err = single.ProcessSingleData(t.Context(), withParameter(textRequest("late"), "timeout", 0.05))
	check(err, codes.DeadlineExceeded, "within the 50ms that it allows")
	for _, header := range []string{"x-request-timeout", "clip-priority"} {
		_, err = single.ProcessSingleData(with(header, "soon"), textRequest("x"))
		check(err, codes.InvalidArgument, header+` is "soon"`)
		stream, err := pb.NewJinaRPCClient(conn).Call(with(header, "soon"))
		if err != nil {
			t.Fatal(err)
		}
		_, err = stream.Recv()
		check(err, codes.InvalidArgument, header+` is "soon"`)
	}

	stream, err := pb.NewJinaRPCClient(conn).Call(with("x-request-timeout", "50ms", "__results_in_order__", "true"))
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"late", "in time"} {
		if err := stream.Send(textRequest(text)); err != nil {
			t.Fatal(err)
		}
	}
	stream.CloseSend()
	first, err := stream.Recv()
	if err != nil || !strings.Contains(first.Header.GetStatus().GetDescription(), "TimeoutError('the request was not answered within the 50ms") {
		t.Errorf("%v, %v", first.GetHeader(), err)
	}
	second, err := stream.Recv()
	if err != nil || second.Header.GetStatus().GetCode() == pb.StatusProto_ERROR {
		t.Errorf("%v, %v", second.GetHeader(), err)
	}
	if _, err := stream.Recv(); err != io.EOF {
		t.Errorf("%v", err)
	}

	// The deadline of gRPC itself, of both kinds of calls.
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = single.ProcessSingleData(ctx, textRequest("late"))
	check(err, codes.DeadlineExceeded, "")
	ctx, cancel = context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if stream, err = pb.NewJinaRPCClient(conn).Call(ctx); err == nil {
		stream.Send(textRequest("late"))
		_, err = stream.Recv()
	}
	check(err, codes.DeadlineExceeded, "")
}

// TestWaitingForAKeyHoldsNoBytes: a stream that is past the rate of its key holds nothing of the budget meanwhile, and gives
// up when its own time is over.
func TestWaitingForAKeyHoldsNoBytes(t *testing.T) {
	const secret = "clipd-0123456789abcdef0123456789abcdef0123456789"
	keys := openKeys(t, keyLine(t, "slow", secret, "rate=1/h"))
	budget := limit.NewBytes(1 << 20)
	conn := dialOptions(t, hashModel{}, "clip", Options{Prefetch: 10, Keys: keys, Bytes: budget})
	stream, err := pb.NewJinaRPCClient(conn).Call(metadata.AppendToOutgoingContext(t.Context(), "authorization", secret, "x-request-timeout", "300ms"))
	if err != nil {
		t.Fatal(err)
	}
	send := func() {
		t.Helper()
		if err := stream.Send(textRequest(strings.Repeat("x", 1000))); err != nil {
			t.Fatal(err)
		}
	}
	send()
	if first, err := stream.Recv(); err != nil || first.Header.GetStatus().GetCode() == pb.StatusProto_ERROR {
		t.Fatalf("%v, %v", first, err)
	}
	eventually(t, "the first request's bytes are free", func() bool { return budget.Used() == 0 })
	most := make(chan int64)
	stop := make(chan struct{})
	go func() {
		seen := int64(0)
		for {
			select {
			case <-stop:
				most <- seen
				return
			default:
				seen = max(seen, budget.Used())
				time.Sleep(time.Millisecond)
			}
		}
	}()
	send()
	second, err := stream.Recv()
	close(stop)
	if held := <-most; held != 0 {
		t.Errorf("%d bytes held while the request waited for its turn", held)
	}
	if err != nil || !strings.Contains(second.Header.GetStatus().GetDescription(), "within the 300ms") {
		t.Errorf("%v, %v", second.GetHeader(), err)
	}
}
