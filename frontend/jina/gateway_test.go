package jina

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/types/known/structpb"

	"clipd/engine"
	"clipd/frontend/fault"
	"clipd/frontend/fetch"
	"clipd/frontend/jina/pb"
)

// constModel answers every input with one number.
type constModel float32

func (m constModel) Embed(_ context.Context, r engine.Request) (*engine.Embeddings, error) {
	e := &engine.Embeddings{Dim: 1, Data: make([]float32, len(r.Inputs))}
	for i := range e.Data {
		e.Data[i] = float32(m)
	}
	return e, nil
}

// scriptModel is an Embedder that a test writes.
type scriptModel func(ctx context.Context, r engine.Request) (*engine.Embeddings, error)

func (m scriptModel) Embed(ctx context.Context, r engine.Request) (*engine.Embeddings, error) {
	return m(ctx, r)
}

func newTestGateway(t *testing.T, o GatewayOptions, all ...ExecutorOptions) *Gateway {
	t.Helper()
	g := NewGateway(o)
	var executors []*Executor
	for _, x := range all {
		x.Loader = fetch.Loader{}
		made, err := NewExecutor(x)
		if err != nil {
			t.Fatal(err)
		}
		executors = append(executors, made)
	}
	if err := g.SetExecutors(executors...); err != nil {
		t.Fatal(err)
	}
	return g
}

func TestChoosingAModel(t *testing.T) {
	small := ExecutorOptions{Name: "small", ModelName: "ViT-B-32::openai", Model: constModel(1)}
	large := ExecutorOptions{Name: "large", ModelName: "ViT-L-14::openai", Model: constModel(2)}
	both := newTestGateway(t, GatewayOptions{}, small, large)
	alone := newTestGateway(t, GatewayOptions{}, small)

	ask := func(g *Gateway, endpoint, header, parameter, target string) (executor string, value byte, status string) {
		t.Helper()
		req := NewRequest(endpoint, []*pb.DocumentProto{{Id: "a", Content: &pb.DocumentProto_Text{Text: "x"}}})
		if parameter != "" {
			req.Parameters = &structpb.Struct{Fields: map[string]*structpb.Value{"model_name": structpb.NewStringValue(parameter)}}
		}
		if target != "" {
			req.Header.TargetExecutor = &target
		}
		if err := g.Handle(t.Context(), &Call{Request: req, Arrived: time.Now(), Caller: Caller{Model: header}}); err != nil {
			t.Fatal(err)
		}
		if b := req.Data.GetDocs().Docs[0].GetEmbedding().GetDense().GetBuffer(); b != nil {
			value = b[2] // 1 is 0x3f800000, 2 is 0x40000000
		}
		return req.Routes[1].Executor, value, req.Header.GetStatus().GetDescription()
	}
	check := func(g *Gateway, endpoint, header, parameter, target, want string) {
		t.Helper()
		executor, value, status := ask(g, endpoint, header, parameter, target)
		if executor != want || status != "" || value == 0 != (want == "large") {
			t.Errorf("%q %q %q %q: executor %s, value %x, %s; want %s", endpoint, header, parameter, target, executor, value, status, want)
		}
	}
	check(both, "/encode", "", "", "", "small")
	check(both, "/", "", "", "", "small")
	check(both, "/encode/large", "", "", "", "large")
	check(both, "/encode/ViT-L-14::openai", "", "", "", "large")
	check(both, "/encode/vit-l/14::openai", "", "", "", "large")
	check(both, "/encode", "large", "", "", "large")
	check(both, "/encode", "", "large", "", "large")
	check(both, "/encode", "", "", "lar.*", "large")
	check(both, "/encode/small", "large", "large", "", "small")
	check(both, "/encode", "small", "large", "", "large")
	check(alone, "/encode/whatever", "", "whatever else", "", "small")
	for _, wrong := range [][2]string{{"/encode/medium", ""}, {"/rank/medium", ""}, {"/encode", "medium"}} {
		_, _, status := ask(both, wrong[0], wrong[1], "", "")
		if !strings.Contains(status, "LookupError") || !strings.Contains(status, `"medium"`) || !strings.Contains(status, "small (ViT-B-32::openai), large (ViT-L-14::openai)") {
			t.Errorf("%v: %s", wrong, status)
		}
	}
	if _, _, status := ask(alone, "/encode", "medium", "", ""); !strings.Contains(status, "LookupError") {
		t.Errorf("a header that names no model: %q", status)
	}
	// A target that matches nothing leaves the documents as they came.
	if _, value, status := ask(both, "/encode", "", "", "nobody"); status != "" || value != 0 {
		t.Errorf("no target: %q", status)
	}
	if _, _, status := ask(both, "/encode", "", "", "("); !strings.Contains(status, "no regular expression") {
		t.Errorf("a broken target: %q", status)
	}
}

func TestGatewayRefuses(t *testing.T) {
	code := func(err error) string {
		if err == nil {
			return ""
		}
		return fault.Of(err).Code.String()
	}
	request := func(n int) *pb.DataRequestProto {
		docs := make([]*pb.DocumentProto, n)
		for i := range docs {
			docs[i] = &pb.DocumentProto{Content: &pb.DocumentProto_Text{Text: "x"}}
		}
		return NewRequest("/encode", docs)
	}
	check := func(g *Gateway, c *Call, wantErr, wantStatus string) {
		t.Helper()
		c.Arrived = time.Now()
		err := g.Handle(t.Context(), c)
		if status := c.Request.GetHeader().GetStatus().GetDescription(); code(err) != wantErr || !strings.Contains(status, wantStatus) || (wantStatus == "") != (status == "") {
			t.Errorf("%v, %q; want %s, %s", err, status, wantErr, wantStatus)
		}
		if len(c.Request.Routes) < 2 {
			t.Errorf("%d routes", len(c.Request.Routes))
		}
	}
	check(NewGateway(GatewayOptions{}), &Call{Request: request(1)}, "unavailable", "still loading")

	fails := func(err error) *Gateway {
		return newTestGateway(t, GatewayOptions{}, ExecutorOptions{Name: "clip", Model: scriptModel(
			func(context.Context, engine.Request) (*engine.Embeddings, error) { return nil, err })})
	}
	check(fails(engine.Errorf(engine.Overloaded, "full")), &Call{Request: request(1)}, "overloaded", "BlockingIOError('full')")
	check(fails(engine.Errorf(engine.Unavailable, "closing")), &Call{Request: request(1)}, "unavailable", "closing")
	check(fails(engine.Errorf(engine.Invalid, "bad")), &Call{Request: request(1)}, "", "ValueError('bad')")
	check(fails(engine.Errorf(engine.Internal, "broken")), &Call{Request: request(1)}, "", "RuntimeError('broken')")

	g := newTestGateway(t, GatewayOptions{MaxDocuments: 3}, ExecutorOptions{Name: "clip", Model: constModel(1)})
	check(g, &Call{Request: request(3)}, "", "")
	check(g, &Call{Request: request(4)}, "", "4 documents, chunks and matches included; at most 3 are allowed")
	nested := request(2)
	nested.Data.GetDocs().Docs[0].Matches = request(2).Data.GetDocs().Docs
	check(g, &Call{Request: nested}, "", "4 documents")
	check(g, &Call{Request: request(1), Caller: Caller{MayUse: func(names ...string) error {
		return fault.New(fault.Forbidden, "the key may not use %v", names)
	}}}, "forbidden", "PermissionError")

	g.Drain()
	if code(g.Ready()) != "unavailable" {
		t.Errorf("ready while draining: %v", g.Ready())
	}
	check(g, &Call{Request: request(1)}, "", "") // answered still
}

func TestTimeoutOfTheFlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newTestGateway(t, GatewayOptions{Timeout: 5 * time.Second}, ExecutorOptions{Name: "clip", Model: scriptModel(
			func(ctx context.Context, _ engine.Request) (*engine.Embeddings, error) {
				<-ctx.Done()
				return nil, &engine.Error{Kind: engine.Deadline, Message: "ended", Err: ctx.Err()}
			})})
		req := textRequest("x")
		err := g.Handle(t.Context(), &Call{Request: req, Arrived: time.Now()})
		if err == nil || fault.Of(err).Code != fault.Deadline || !strings.Contains(err.Error(), "within 5s (timeout_send)") {
			t.Errorf("%v", err)
		}
		if !strings.Contains(req.Header.GetStatus().GetDescription(), "timeout_send") {
			t.Errorf("%v", req.Header.Status)
		}
	})
}

// TestStagesInRoutes shows that the stages of a request come back, within the executor's time.
func TestStagesInRoutes(t *testing.T) {
	at := time.Now().Add(time.Hour)
	span := func(from, to int) engine.Span {
		return engine.Span{Begin: at.Add(time.Duration(from)), End: at.Add(time.Duration(to))}
	}
	g := newTestGateway(t, GatewayOptions{}, ExecutorOptions{Name: "clip", Model: scriptModel(
		func(context.Context, engine.Request) (*engine.Embeddings, error) {
			return &engine.Embeddings{Dim: 1, Data: []float32{1}, Times: engine.Times{Prepare: span(1, 2), Queue: span(2, 5), Run: span(5, 9)}}, nil
		})})
	req := textRequest("x")
	if err := g.Handle(t.Context(), &Call{Request: req, Arrived: time.Now()}); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range req.Routes[2:] {
		got = append(got, r.Executor+" "+r.EndTime.AsTime().Sub(r.StartTime.AsTime()).String())
	}
	if s := strings.Join(got, ", "); s != "clip/preprocess 1ns, clip/queue 3ns, clip/inference 4ns" {
		t.Error(s)
	}
}

func TestMinibatchSizeParameter(t *testing.T) {
	var asked int
	g := newTestGateway(t, GatewayOptions{}, ExecutorOptions{Name: "clip", Model: scriptModel(
		func(_ context.Context, r engine.Request) (*engine.Embeddings, error) {
			asked = r.MaxBatch
			return &engine.Embeddings{Dim: 1, Data: make([]float32, len(r.Inputs))}, nil
		})})
	check := func(v any, want int, status string) {
		t.Helper()
		for _, endpoint := range []string{"/encode", "/rank"} {
			asked = -1
			p, err := structpb.NewStruct(map[string]any{"minibatch_size": v})
			if err != nil {
				t.Fatal(err)
			}
			doc := &pb.DocumentProto{Content: &pb.DocumentProto_Text{Text: "x"}, Matches: []*pb.DocumentProto{{Content: &pb.DocumentProto_Text{Text: "y"}}}}
			req := NewRequest(endpoint, []*pb.DocumentProto{doc})
			req.Parameters = p
			if err := g.Handle(t.Context(), &Call{Request: req, Arrived: time.Now()}); err != nil {
				t.Fatal(err)
			}
			if got := req.Header.GetStatus().GetDescription(); asked != want || !strings.Contains(got, status) || (status == "") != (got == "") {
				t.Errorf("%v on %s: asked %d, %q", v, endpoint, asked, got)
			}
		}
	}
	check(4, 4, "")
	check(nil, 0, "")
	check(0, -1, "whole number")
	check(2.5, -1, "whole number")
	check(-1, -1, "whole number")
	check("8", -1, "whole number")
}

// TestHealth shows that Ready follows the models, and that requests are tried all the same.
func TestHealth(t *testing.T) {
	g := newTestGateway(t, GatewayOptions{}, ExecutorOptions{Name: "clip", Model: constModel(1)})
	g.SetHealth("model demo: no lane works")
	if err := g.Ready(); fault.Of(err).Code != fault.Unavailable || err.Error() != "model demo: no lane works" {
		t.Errorf("%v", err)
	}
	req := textRequest("x")
	if err := g.Handle(t.Context(), &Call{Request: req, Arrived: time.Now()}); err != nil || req.Header.Status != nil {
		t.Errorf("%v %v", err, req.Header.Status)
	}
	g.SetHealth("")
	if err := g.Ready(); err != nil {
		t.Error(err)
	}
}

// TestRefusedForTheTimeoutOfTheFlow shows that the flow's timeout is named, too, when the engine does not even begin.
func TestRefusedForTheTimeoutOfTheFlow(t *testing.T) {
	g := newTestGateway(t, GatewayOptions{Timeout: time.Hour}, ExecutorOptions{Name: "clip", Model: scriptModel(
		func(context.Context, engine.Request) (*engine.Embeddings, error) {
			return nil, &engine.Error{Kind: engine.Deadline, Message: "it would be late", Err: context.DeadlineExceeded}
		})})
	check := func(ctx context.Context, want string) {
		t.Helper()
		err := g.Handle(ctx, &Call{Request: textRequest("x"), Arrived: time.Now()})
		if err == nil || fault.Of(err).Code != fault.Deadline || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	check(t.Context(), "timeout_send")
	own, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	check(own, "it would be late")
}
