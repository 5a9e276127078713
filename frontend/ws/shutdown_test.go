package ws

import (
	"context"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/gobwas/ws"
)

// shutdown begins in the background; its error comes over the channel.
func (s *server) shutdown(t *testing.T, within time.Duration) <-chan error {
	ctx, cancel := context.WithTimeout(context.Background(), within)
	t.Cleanup(cancel)
	done := make(chan error, 1)
	go func() { done <- s.Door.Shutdown(ctx) }()
	eventually(t, "the door is closing", s.isClosing)
	return done
}

func TestShutdownWaitsForTheInput(t *testing.T) {
	model := newGateModel()
	s := start(t, model, Options{Prefetch: 4})
	c := dial(t, s.address, "/", binary)
	c.request(textRequest("x"))
	eventually(t, "the request is in progress", func() bool { return model.inside.Load() == 1 })
	done := s.shutdown(t, time.Minute)
	late := handshake(t, s.address, "/", binary)
	if body, _ := io.ReadAll(late.response.Body); late.response.StatusCode != http.StatusServiceUnavailable || late.response.Header.Get("Retry-After") == "" {
		t.Errorf("a late client got %d %s", late.response.StatusCode, body)
	}
	c.request(textRequest("y")) // is read and answered still
	close(model.gate)
	c.answer()
	c.answer()
	c.end()
	c.closed(ws.StatusNormalClosure, "")
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestShutdownOfQuietConnections shows that a browser's is closed, and a clip_client's told when it asks again: it would
// not notice the end before, and wait for ever.
func TestShutdownOfQuietConnections(t *testing.T) {
	s := start(t, hashModel{}, Options{Prefetch: 4})
	b, j := dial(t, s.address, "/", binary), dial(t, s.address, "/", text)
	b.request(textRequest("x"))
	b.answer()
	done := s.shutdown(t, time.Minute)
	j.closed(ws.StatusGoingAway, "shutting down")
	// Until it is quiet it is answered.
	refusing := func() (yes bool) {
		s.each(func(c *conn) { yes = c.isRefusing() })
		return yes
	}
	eventually(t, "the quiet connection refuses", refusing)
	b.request(textRequest("x"))
	b.closed(ws.StatusInternalServerError, "shutting down")
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestShutdownStopsReading shows that near its end, or when the gateway is stopped, nothing more is read and what was
// read is answered.
func TestShutdownStopsReading(t *testing.T) {
	model := newGateModel()
	s := start(t, model, Options{Prefetch: 1})
	c := dial(t, s.address, "/", binary)
	c.request(textRequest("x"))
	c.request(textRequest("y"))
	eventually(t, "the request is in progress", func() bool { return model.inside.Load() == 1 })
	done := s.shutdown(t, time.Minute)
	s.gateway.Stop()
	eventually(t, "the connection is ending", func() (yes bool) {
		s.each(func(c *conn) { yes = c.isEnding() })
		return yes
	})
	close(model.gate)
	c.answer()
	c.closed(ws.StatusInternalServerError, "shutting down")
	if err := <-done; err != nil {
		t.Error(err)
	}
	if n := model.came.Load(); n != 1 {
		t.Errorf("%d requests were worked on", n)
	}
}

func TestShutdownCuts(t *testing.T) {
	model := newGateModel()
	s := start(t, model, Options{Prefetch: 1})
	c := dial(t, s.address, "/", binary)
	c.request(textRequest("x"))
	eventually(t, "the request is in progress", func() bool { return model.inside.Load() == 1 })
	if err := <-s.shutdown(t, 100*time.Millisecond); err == nil {
		t.Error("a connection was cut, and Shutdown says nothing")
	}
	c.gone()
	if err := <-s.shutdown(t, time.Minute); err != nil {
		t.Errorf("once more: %v", err)
	}
}

// TestPings shows that a silent client is asked for a sign of life, stays as long as it gives one, and is left when not.
func TestPings(t *testing.T) {
	s := start(t, hashModel{}, Options{Prefetch: 1, IdleTimeout: 50 * time.Millisecond})
	c := dial(t, s.address, "/", binary)
	for range 3 {
		f, err := c.read()
		if err != nil || f.Header.OpCode != ws.OpPing {
			t.Fatalf("got %s, %v", describe(f), err)
		}
		c.send(ws.OpPong, f.Payload)
	}
	c.request(textRequest("x"))
	c.answer()
	for { // and now none
		if _, err := c.read(); err != nil {
			break
		}
	}
	eventually(t, "the connection has ended", s.idle)

	// A message that does not go on ends the connection with a reason.
	c = dial(t, s.address, "/", binary)
	c.frame(ws.NewFrame(ws.OpBinary, false, []byte("abc")))
	c.closed(ws.StatusPolicyViolation, "was begun and not ended")
	// A frame that does not go on ends it without: nobody is there.
	c = dial(t, s.address, "/", binary)
	if err := ws.WriteHeader(c.Conn, ws.Header{Fin: true, OpCode: ws.OpBinary, Masked: true, Length: 100}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the connection has ended", s.idle)
}
