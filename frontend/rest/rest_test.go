package rest

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"clipd/engine"
	"clipd/frontend/auth"
	"clipd/frontend/fetch"
	"clipd/frontend/jina"
)

// hashModel is a model of 512 columns whose rows depend on the input alone. A picture must begin like a JPEG or PNG.
type hashModel struct{}

func (hashModel) Embed(_ context.Context, r engine.Request) (*engine.Embeddings, error) {
	const dim = 512
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
	return (strings.HasPrefix(s, "\xff\xd8\xff") || strings.HasPrefix(s, "\x89PNG")) && !strings.Contains(s, "not an image") && !strings.Contains(s, "garbage")
}

// gateModel answers when it is let, and counts the requests inside.
type gateModel struct {
	inside atomic.Int32
	gate   chan struct{}
}

func newGate() *gateModel { return &gateModel{gate: make(chan struct{})} }

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

// modelFunc is a model of one function.
type modelFunc func(context.Context, engine.Request) (*engine.Embeddings, error)

func (f modelFunc) Embed(ctx context.Context, r engine.Request) (*engine.Embeddings, error) {
	return f(ctx, r)
}

// running is a server under test.
type running struct {
	*Server
	t       *testing.T
	address string
	gateway *jina.Gateway
	client  *http.Client
	ended   chan struct{} // Serve has returned
}

// newGateway makes a gateway with one executor.
func newGateway(t testing.TB, model jina.Embedder) *jina.Gateway {
	t.Helper()
	g := jina.NewGateway(jina.GatewayOptions{Version: "test"})
	if err := g.SetExecutors(executorOf(t, model)); err != nil {
		t.Fatal(err)
	}
	return g
}

func executorOf(t testing.TB, model jina.Embedder) *jina.Executor {
	t.Helper()
	x, err := jina.NewExecutor(jina.ExecutorOptions{Name: "clip_o", ModelName: "ViT-B-32::openai", Model: model, LogitScale: 100, Loader: fetch.Loader{}})
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// serve runs a server for a test.
func serve(t *testing.T, model jina.Embedder, set func(*Options)) *running {
	t.Helper()
	o := Options{Gateway: newGateway(t, model), Post: true, Version: "test"}
	if set != nil {
		set(&o)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{DisableCompression: true}
	r := &running{Server: New(o), t: t, address: l.Addr().String(), gateway: o.Gateway, client: &http.Client{
		Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, ended: make(chan struct{})}
	go func() {
		defer close(r.ended)
		if err := r.Serve(l); err != nil {
			t.Errorf("Serve: %v", err)
		}
	}()
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		r.Shutdown(ctx)
		<-r.ended
	})
	return r
}

// answer is what a server said.
type answer struct {
	status int
	header http.Header
	body   string
}

// do sends a request; fields are name and value in turn.
func (r *running) do(method, path, body string, fields ...string) answer {
	r.t.Helper()
	var reader io.Reader
	if body != "" {
		reader = strings.NewReader(body)
	}
	req, err := http.NewRequest(method, "http://"+r.address+path, reader)
	if err != nil {
		r.t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(fields); i += 2 {
		req.Header.Set(fields[i], fields[i+1])
	}
	resp, err := r.client.Do(req)
	if err != nil {
		r.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatalf("%s %s: %v", method, path, err)
	}
	return answer{resp.StatusCode, resp.Header, string(got)}
}

// dial opens a connection of the test's own.
func (r *running) dial() *raw {
	r.t.Helper()
	c, err := net.Dial("tcp", r.address)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(30 * time.Second)) // so that a test that would hang fails
	return &raw{r.t, c, bufio.NewReader(c)}
}

// raw is a connection on which a test sends what it likes.
type raw struct {
	t *testing.T
	net.Conn
	r *bufio.Reader
}

func (c *raw) send(s string) {
	c.t.Helper()
	if _, err := io.WriteString(c.Conn, s); err != nil {
		c.t.Fatal(err)
	}
}

// receive reads an answer.
func (c *raw) receive() answer {
	c.t.Helper()
	resp, err := http.ReadResponse(c.r, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	if resp.Close {
		resp.Header.Set("Connection", "close")
	}
	return answer{resp.StatusCode, resp.Header, string(body)}
}

// over waits until the server closes the connection and fails when it sends something instead.
func (c *raw) over() {
	c.t.Helper()
	if b, err := c.r.ReadByte(); err == nil {
		c.t.Fatalf("the connection goes on with %q", b)
	} else if os.IsTimeout(err) {
		c.t.Fatal("the connection stays open")
	}
}

const oneText = `{"data": [{"text": "hi"}]}`

// request writes a POST with a body.
func request(path, body string, fields ...string) string {
	var b bytes.Buffer
	b.WriteString("POST " + path + " HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\n")
	for i := 0; i < len(fields); i += 2 {
		b.WriteString(fields[i] + ": " + fields[i+1] + "\r\n")
	}
	b.WriteString("Content-Length: " + itoa(len(body)) + "\r\n\r\n" + body)
	return b.String()
}

func itoa(n int) string { b, _ := json.Marshal(n); return string(b) }

// eventually waits for something that another goroutine brings about.
func eventually(t *testing.T, what string, reached func() bool) {
	t.Helper()
	for range 1000 {
		if reached() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("never: %s", what)
}

// want checks status and a part of the body.
func (a answer) want(t *testing.T, status int, part string) answer {
	t.Helper()
	if a.status != status || !strings.Contains(a.body, part) {
		t.Errorf("got %d %.600s\nwant %d and %q", a.status, a.body, status, part)
	}
	return a
}

// keys makes the keys of a test: "all" may do everything, "few" may use another model only, "rare" has a limit.
func keys(t *testing.T) *auth.Keys {
	t.Helper()
	file := filepath.Join(t.TempDir(), "keys")
	lines := ""
	for _, k := range []struct{ name, secret, limits string }{
		{"all", secretAll, ""}, {"few", secretFew, " models=other"}, {"rare", secretRare, " rate=1/h"},
	} {
		hash, err := auth.Hash(k.secret)
		if err != nil {
			t.Fatal(err)
		}
		lines += auth.Entry{Name: k.name, Hash: hash}.String() + k.limits + "\n"
	}
	if err := os.WriteFile(file, []byte(lines), 0o600); err != nil {
		t.Fatal(err)
	}
	all, err := auth.Open(auth.Options{File: file})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(all.Close)
	return all
}

const (
	secretAll  = "test-key-all-0123456789abcdefghijklmnopqrstuvwxyz"
	secretFew  = "test-key-few-0123456789abcdefghijklmnopqrstuvwxyz"
	secretRare = "test-key-rare-0123456789abcdefghijklmnopqrstuvwxyz"
)
