package ws

import (
	"strings"
	"testing"

	"github.com/gobwas/ws"

	"clipd/engine"
	"clipd/frontend/fault"
	"clipd/frontend/limit"
)

// TestGatewayFailures shows how a connection ends when its request cannot be worked on: with the code that clip_client
// turns into ConnectionError with the reason, and for others with the code of the fault.
func TestGatewayFailures(t *testing.T) {
	check := func(err error, json ws.StatusCode) {
		t.Helper()
		s := start(t, errModel{err}, Options{Prefetch: 4})
		c := dial(t, s.address, "/", binary)
		c.request(textRequest("x"))
		c.closed(ws.StatusInternalServerError, err.Error())
		c = dial(t, s.address, "/", text)
		c.send(ws.OpText, []byte(`{"data":[{"text":"x"}]}`))
		c.closed(json, err.Error())
	}
	check(engine.Errorf(engine.Overloaded, "the queue is full"), 1013)
	check(engine.Errorf(engine.Deadline, "too slow"), 1011)
	check(engine.Errorf(engine.Unavailable, "no lane is left"), 1011)
	check(fault.New(fault.Overloaded, "a limit"), 1013)
}

// TestNotReady shows that a connection may be opened while models are loading, and is told when it asks for something:
// clip_client does not notice an end that comes before its first request.
func TestNotReady(t *testing.T) {
	s := start(t, nil, Options{Prefetch: 4})
	c := dial(t, s.address, "/", binary)
	c.request(textRequest("x"))
	c.closed(ws.StatusInternalServerError, "still loading")

	c = dial(t, s.address, "/dry_run", text)
	if f := c.next(); !(recorded{"text", append(append([]byte(`{"header":{"status":`), f.Payload...), "}}"...)}).failed(t) {
		t.Errorf("got %s", describe(f))
	}
	c.closed(ws.StatusNormalClosure, "")
}

// TestAnswersBeforeFailure shows that what was read is answered when another request ends the connection.
func TestAnswersBeforeFailure(t *testing.T) {
	model := newGateModel()
	s := start(t, model, Options{Prefetch: 4, Bytes: limit.NewBytes(1000), MaxMessage: 1 << 20})
	c := dial(t, s.address, "/", binary)
	c.request(textRequest("x"))
	eventually(t, "the request is in progress", func() bool { return model.inside.Load() == 1 })
	c.request(textRequest(strings.Repeat("x", 2000))) // more than the whole budget
	c.request(textRequest("never read"))
	close(model.gate)
	if a := c.answer(); a.Header.Status != nil {
		t.Error(a.Header.Status)
	}
	c.closed(ws.StatusInternalServerError, "max_inflight_bytes")
}

// TestHoldsBackTheClose shows that the end comes late after a failed answer, or when the client leaves. (That it comes at
// once after a good one, the other tests would show by their time alone.)
func TestHoldsBackTheClose(t *testing.T) {
	s := start(t, hashModel{}, Options{Prefetch: 4})
	c := dial(t, s.address, "/", binary)
	c.request(pictureRequest([]byte("nope")))
	c.end()
	c.answer()
	c.send(ws.OpPing, nil)
	if f := c.next(); f.Header.OpCode != ws.OpPong { // before the close frame
		t.Errorf("got %s", describe(f))
	}
	c.closed(ws.StatusNormalClosure, "")

	c = dial(t, s.address, "/", binary)
	c.request(pictureRequest([]byte("nope")))
	c.end()
	c.answer()
	c.Close()
	eventually(t, "the connection has ended", s.idle)
}
