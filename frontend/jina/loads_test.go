package jina

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"clipd/engine"
	"clipd/frontend/fault"
	"clipd/frontend/jina/pb"
	"clipd/frontend/limit"
)

// scriptLoader gives what a uri says: "N" a picture of N bytes, "fail" an error; it counts the loads in progress.
type scriptLoader struct{ inside, most atomic.Int32 }

func (l *scriptLoader) Load(ctx context.Context, uri string) ([]byte, error) {
	n := l.inside.Add(1)
	defer l.inside.Add(-1)
	for old := l.most.Load(); n > old && !l.most.CompareAndSwap(old, n); old = l.most.Load() {
	}
	time.Sleep(time.Millisecond)
	var size int
	if _, err := fmt.Sscan(uri, &size); err != nil {
		return nil, engine.Errorf(engine.Invalid, "cannot load %q", uri)
	}
	return make([]byte, size), nil
}

func TestLoadedPicturesAreBounded(t *testing.T) {
	budget := limit.NewBytes(1000)
	var used int64
	model := scriptModel(func(_ context.Context, r engine.Request) (*engine.Embeddings, error) {
		used = budget.Used()
		return &engine.Embeddings{Dim: 1, Data: make([]float32, len(r.Inputs))}, nil
	})
	loader := &scriptLoader{}
	x, err := NewExecutor(ExecutorOptions{Name: "clip", Model: model, Loader: loader, Bytes: budget, MaxLoaded: 600})
	if err != nil {
		t.Fatal(err)
	}
	g := NewGateway(GatewayOptions{})
	if err := g.SetExecutors(x); err != nil {
		t.Fatal(err)
	}
	check := func(uris, wantCode, wantStatus string, wantUsed int64) {
		t.Helper()
		for _, endpoint := range []string{"/encode", "/rank"} {
			used = -1
			var docs []*pb.DocumentProto
			for i, uri := range strings.Fields(uris) {
				docs = append(docs, &pb.DocumentProto{Id: fmt.Sprint(i), Uri: uri})
			}
			if endpoint == "/rank" {
				docs = []*pb.DocumentProto{{Content: &pb.DocumentProto_Text{Text: "root"}, Matches: docs}}
			}
			req := NewRequest(endpoint, docs)
			err, code := g.Handle(t.Context(), &Call{Request: req, Arrived: time.Now()}), ""
			if err != nil {
				code = fault.Of(err).Code.String()
			}
			status := req.Header.GetStatus().GetDescription()
			if code != wantCode || !strings.Contains(status, wantStatus) || (wantStatus == "") != (status == "") || used != wantUsed {
				t.Errorf("%s %q: %q, %q, %d bytes counted; want %q, %q, %d", endpoint, uris, code, status, used, wantCode, wantStatus, wantUsed)
			}
			if budget.Used() != 0 {
				t.Errorf("%s %q: %d bytes are still counted", endpoint, uris, budget.Used())
			}
		}
	}
	check("100 200", "", "", 300)
	check(strings.Repeat("10 ", 40), "", "", 400)
	check("100 fail 100", "", `cannot load "fail"`, -1)
	check("300 301", "", "more than 600 bytes together (max_message_bytes)", -1)
	budget.Take(800)
	err, status := error(nil), ""
	req := NewRequest("/encode", []*pb.DocumentProto{{Id: "x", Uri: "300"}})
	if err = g.Handle(t.Context(), &Call{Request: req, Arrived: time.Now()}); err == nil || fault.Of(err).Code != fault.Overloaded {
		t.Errorf("a picture that the server has no room for: %v", err)
	}
	if status = req.Header.GetStatus().GetDescription(); !strings.Contains(status, `document 0 (id "x")`) {
		t.Error(status)
	}
	if most := loader.most.Load(); most < 2 || most > loadsAtATime {
		t.Errorf("%d loads at a time", most)
	}
}

func TestShortenKeepsCharactersWhole(t *testing.T) {
	if got := shorten("aüü", 2); got != "a…" {
		t.Errorf("%q", got)
	}
	if got := shorten("aüü", 5); got != "aüü" {
		t.Errorf("%q", got)
	}
}
