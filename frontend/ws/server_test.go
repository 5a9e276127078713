package ws

import (
	"context"
	"net"
	"os"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/valyala/fasthttp"

	"clipd/engine"
	"clipd/frontend/fetch"
	"clipd/frontend/jina"
)

// dim is how many numbers the embeddings of tests have.
const dim = 512

// hashModel is an Embedder whose rows depend on the input alone. A picture must begin like a JPEG or PNG.
type hashModel struct{}

func (hashModel) Embed(_ context.Context, r engine.Request) (*engine.Embeddings, error) {
	e := &engine.Embeddings{Dim: dim, Data: make([]float32, dim*len(r.Inputs))}
	for i, in := range r.Inputs {
		content := []byte(in.Text)
		if in.Tower == engine.ImageTower {
			content = in.Image
			if in.Pixels != nil {
				content = in.Pixels.Data
			} else if !isPicture(content) {
				if e.Errs == nil {
					e.Errs = make([]error, len(r.Inputs))
				}
				e.Errs[i] = engine.Errorf(engine.Invalid, "no picture")
			}
		}
		h := uint32(2166136261)
		for _, b := range content {
			h = (h ^ uint32(b)) * 16777619
		}
		for j := range dim {
			h = h*1664525 + 1013904223
			e.Data[i*dim+j] = float32(int32(h)) / (1 << 31)
		}
	}
	return e, nil
}

func isPicture(b []byte) bool {
	s := string(b[:min(len(b), 200)])
	return (strings.HasPrefix(s, "\xff\xd8\xff") || strings.HasPrefix(s, "\x89PNG")) && !strings.Contains(s, "not an image") && !strings.Contains(s, "nope")
}

// gateModel answers when it is let, and counts the requests inside and those that came.
type gateModel struct {
	inside, came atomic.Int32
	gate         chan struct{}
}

func newGateModel() *gateModel { return &gateModel{gate: make(chan struct{})} }

func (g *gateModel) Embed(ctx context.Context, r engine.Request) (*engine.Embeddings, error) {
	g.came.Add(1)
	g.inside.Add(1)
	defer g.inside.Add(-1)
	select {
	case <-g.gate:
	case <-ctx.Done():
		return nil, &engine.Error{Kind: engine.Deadline, Message: "the caller went away", Err: ctx.Err()}
	}
	return hashModel{}.Embed(ctx, r)
}

// errModel fails.
type errModel struct{ err error }

func (m errModel) Embed(context.Context, engine.Request) (*engine.Embeddings, error) {
	return nil, m.err
}

// server is a door behind a fasthttp server on a port of its own.
type server struct {
	*Door
	gateway *jina.Gateway
	address string
	// release ends what a model waits for, before the server is ended.
	release func()
}

// start serves a model until the test ends, and then sees to it that nothing of it is left: no goroutine and no
// descriptor.
func start(t testing.TB, model jina.Embedder, o Options) *server {
	return startNamed(t, "clip_t", model, o)
}

func startNamed(t testing.TB, name string, model jina.Embedder, o Options) *server {
	t.Helper()
	descriptors := openDescriptors(t)
	gateway := jina.NewGateway(jina.GatewayOptions{Version: "test"})
	if model != nil {
		x, err := jina.NewExecutor(jina.ExecutorOptions{Name: name, Model: model, LogitScale: 100, Loader: fetch.Loader{}})
		if err != nil {
			t.Fatal(err)
		}
		if err := gateway.SetExecutors(x); err != nil {
			t.Fatal(err)
		}
	}
	o.Gateway = gateway
	o.Log = zerolog.Nop()
	s := &server{Door: New(o), gateway: gateway, release: func() {}}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.address = l.Addr().String()
	http := &fasthttp.Server{Handler: s.Handle, CloseOnShutdown: true}
	served := make(chan error, 1)
	go func() { served <- http.Serve(l) }()
	t.Cleanup(func() {
		s.release()
		http.Shutdown()
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		s.Door.Shutdown(ctx)
		<-served
		eventually(t, "all goroutines have ended", func() bool { return goroutines() == 0 })
		eventually(t, "all descriptors are closed", func() bool { return openDescriptors(t) <= descriptors })
	})
	return s
}

// goroutines counts those of connections and requests; fasthttp keeps some of its own for a while.
func goroutines() int {
	buf := make([]byte, 4<<20)
	n := 0
	for g := range strings.SplitSeq(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
		if strings.Contains(g, "ws.(*Door).serve") || strings.Contains(g, "ws.(*conn)") || strings.Contains(g, "ws.task") || strings.Contains(g, "Model).Embed") {
			n++
		}
	}
	return n
}

func openDescriptors(t testing.TB) int {
	t.Helper()
	all, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip(err)
	}
	return len(all)
}

// eventually waits for something that another goroutine brings about.
func eventually(t testing.TB, what string, reached func() bool) {
	t.Helper()
	for range 1000 {
		if reached() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	buf := make([]byte, 1<<20)
	t.Fatalf("never: %s\n%s", what, buf[:runtime.Stack(buf, true)])
}

// idle reports whether no connection is open.
func (s *server) idle() bool {
	return s.each(func(*conn) {}) == 0
}
