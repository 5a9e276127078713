package ws

import (
	"bufio"
	"context"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"clipd/engine"
	"clipd/frontend/jina/pb"
)

func TestAnswersThenCloses(t *testing.T) {
	s := start(t, hashModel{}, Options{Prefetch: 10})
	c := dial(t, s.address, "/", binary)
	if got := c.response.Header.Get("Sec-WebSocket-Protocol"); got != "bytes" {
		t.Errorf("subprotocol %q", got)
	}
	ids := map[string]bool{}
	for range 5 {
		r := textRequest("x")
		ids[r.Header.RequestId] = true
		c.request(r)
	}
	c.end()
	for range 5 {
		a := c.answer()
		if a.Header.Status != nil || a.Data.GetDocs().Docs[0].Embedding == nil || !ids[a.Header.RequestId] {
			t.Errorf("answer %v", a)
		}
		delete(ids, a.Header.RequestId)
	}
	c.closed(ws.StatusNormalClosure, "")
}

// TestStaysOpen shows that a connection whose input has not ended is answered, and stays.
func TestStaysOpen(t *testing.T) {
	s := start(t, hashModel{}, Options{Prefetch: 10})
	c := dial(t, s.address, "/", binary)
	for range 3 {
		c.request(textRequest("x"))
		c.answer()
	}
	c.send(ws.OpPing, []byte("there?"))
	if f := c.next(); f.Header.OpCode != ws.OpPong || string(f.Payload) != "there?" {
		t.Errorf("got %s", describe(f))
	}
	c.send(ws.OpClose, ws.NewCloseFrameBody(4000, "enough"))
	if f := c.next(); f.Header.OpCode != ws.OpClose || describe(f) != `a close frame of 4000 ""` {
		t.Errorf("got %s", describe(f))
	}
	c.gone()
}

func TestPrefetchBounds(t *testing.T) {
	model := newGateModel()
	s := start(t, model, Options{Prefetch: 3})
	c := dial(t, s.address, "/", binary)
	for range 10 {
		c.request(textRequest("x"))
	}
	c.end()
	eventually(t, "three requests in progress", func() bool { return model.inside.Load() == 3 })
	if n := model.came.Load(); n != 3 {
		t.Errorf("%d requests in progress, prefetch is 3", n)
	}
	close(model.gate)
	for range 10 {
		c.answer()
	}
	c.closed(ws.StatusNormalClosure, "")
}

// TestEndIsSeenAtOnce shows that the end of the input needs no place among the requests in progress.
func TestEndIsSeenAtOnce(t *testing.T) {
	model := newGateModel()
	s := start(t, model, Options{Prefetch: 1})
	c := dial(t, s.address, "/", binary)
	c.request(textRequest("x"))
	c.end()
	c.send(ws.OpPing, nil)
	if f := c.next(); f.Header.OpCode != ws.OpPong {
		t.Errorf("got %s", describe(f))
	}
	close(model.gate)
	c.answer()
	c.closed(ws.StatusNormalClosure, "")
}

func TestDocumentsHoldBack(t *testing.T) {
	model := newGateModel()
	s := start(t, model, Options{Prefetch: 100, StreamInputs: 5})
	c := dial(t, s.address, "/", binary)
	for range 10 {
		r := textRequest("x")
		r.Data.GetDocs().Docs[0].Chunks = []*pb.DocumentProto{{Id: "below"}} // what lies below counts too
		c.request(r)
	}
	c.end()
	eventually(t, "two requests of two documents in progress", func() bool { return model.inside.Load() == 2 })
	close(model.gate)
	for range 10 {
		if a := c.answer(); a.Header.Status != nil {
			t.Error(a)
		}
	}
	c.closed(ws.StatusNormalClosure, "")
}

func TestFragments(t *testing.T) {
	s := start(t, hashModel{}, Options{Prefetch: 1})
	c := dial(t, s.address, "/", text)
	c.frame(ws.NewFrame(ws.OpText, false, []byte(`{"data":[{"te`)))
	c.send(ws.OpPing, []byte("between"))
	if f := c.next(); f.Header.OpCode != ws.OpPong {
		t.Errorf("got %s", describe(f))
	}
	c.frame(ws.NewFrame(ws.OpContinuation, false, nil))
	c.frame(ws.NewFrame(ws.OpContinuation, false, []byte(`xt":"h`)))
	c.frame(ws.NewFrame(ws.OpContinuation, true, []byte(`i"}]}`)))
	if f := c.next(); f.Header.OpCode != ws.OpText {
		t.Errorf("got %s", describe(f))
	}
	c.frame(ws.NewFrame(ws.OpText, false, []byte(`{`)))
	c.frame(ws.NewFrame(ws.OpContinuation, true, []byte(`}`)))
	c.closed(ws.StatusNormalClosure, "")
}

// slowFirst delays the answer to the text "slow" until another one was asked for.
type slowFirst struct{ other chan struct{} }

func (s slowFirst) Embed(ctx context.Context, r engine.Request) (*engine.Embeddings, error) {
	if r.Inputs[0].Text == "slow" {
		<-s.other
	} else {
		close(s.other)
	}
	return hashModel{}.Embed(ctx, r)
}

func TestOrderOfCompletion(t *testing.T) {
	s := start(t, slowFirst{make(chan struct{})}, Options{Prefetch: 2})
	c := dial(t, s.address, "/", binary)
	c.request(textRequest("slow"))
	c.request(textRequest("fast"))
	c.end()
	for _, want := range []string{"fast", "slow"} {
		if got := c.answer().Data.GetDocs().Docs[0].GetText(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	c.closed(ws.StatusNormalClosure, "")
}

// TestDataWithTheHandshake sends frames before the upgrade is answered: they lie in the HTTP server's buffer by then.
func TestDataWithTheHandshake(t *testing.T) {
	s := start(t, hashModel{}, Options{Prefetch: 2})
	conn, err := net.Dial("tcp", s.address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(time.Minute))
	all := []byte("GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: q29RbvTRNTGeBqNHlpQV+Q==\r\n" +
		"Sec-WebSocket-Version: 13\r\n\r\n")
	for _, message := range []string{`{"data":[{"text":"hi"}]}`, "{}"} {
		all = append(all, ws.MustCompileFrame(ws.MaskFrame(ws.NewTextFrame([]byte(message))))...)
	}
	if _, err := conn.Write(all); err != nil {
		t.Fatal(err)
	}
	c := &client{t: t, Conn: conn, in: bufio.NewReader(conn)}
	if c.response, err = http.ReadResponse(c.in, nil); err != nil || c.response.StatusCode != http.StatusSwitchingProtocols {
		t.Fatal(c.response, err)
	}
	if f := c.next(); f.Header.OpCode != ws.OpText {
		t.Errorf("got %s", describe(f))
	}
	c.closed(ws.StatusNormalClosure, "")
}
