package ws

import (
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"clipd/engine"
	"clipd/frontend/auth"
	"clipd/frontend/limit"
)

const wishSecret = "a-key-of-the-tests-of-wishes-0123456789"

// wishKeys are keys of one line, NAME plain:SECRET and limits.
func wishKeys(t *testing.T, limits string) *auth.Keys {
	return keys(t, "web plain:"+wishSecret+" "+limits)
}

// TestPriority: the handshake's header holds for every request, a parameter for its own.
func TestPriority(t *testing.T) {
	got := make(chan engine.Priority, 1)
	s := start(t, modelFunc(func(ctx context.Context, r engine.Request) (*engine.Embeddings, error) {
		got <- r.Priority
		return hashModel{}.Embed(ctx, r)
	}), Options{Prefetch: 4})
	check := func(c *client, body string, want engine.Priority) {
		t.Helper()
		c.send(ws.OpText, []byte(body))
		c.next()
		if p := <-got; p != want {
			t.Errorf("%s: %v", body, p)
		}
	}
	const plain, high, normal = `{"data":[{"text":"x"}]}`, `{"data":[{"text":"x"}],"parameters":{"priority":"high"}}`, `{"data":[{"text":"x"}],"parameters":{"priority":"normal"}}`
	c := dial(t, s.address, "/", text)
	check(c, plain, engine.Normal)
	check(c, high, engine.High)
	c = dial(t, s.address, "/", text, "Clip-Priority: high")
	check(c, plain, engine.High)
	check(c, normal, engine.Normal)
}

// TestWrongWishes: a handshake with a value that is wrong, or that the key may not have, is refused.
func TestWrongWishes(t *testing.T) {
	s := start(t, hashModel{}, Options{Prefetch: 4, Keys: wishKeys(t, "")})
	check := func(status int, words string, lines ...string) {
		t.Helper()
		c := handshake(t, s.address, "/", append(lines, "Authorization: "+wishSecret)...)
		body, _ := io.ReadAll(c.response.Body)
		if c.response.StatusCode != status || !strings.Contains(string(body), words) {
			t.Errorf("%q: %d %s", lines, c.response.StatusCode, body)
		}
	}
	check(400, `clip-priority is \"urgent\"`, "Clip-Priority: urgent")
	check(400, `x-request-timeout is \"0\"`, "X-Request-Timeout: 0")
	check(403, `the key \"web\" may not ask for high priority`, "Clip-Priority: high")
	c := dial(t, s.address, "/", text, "Authorization: "+wishSecret)
	c.send(ws.OpText, []byte(`{"data":[{"text":"x"}],"parameters":{"priority":"high"}}`))
	c.closed(1008, `the key "web" may not ask for high priority`)
}

// TestTimeout: the answer to a request that is late says so, and the connection goes on.
func TestTimeout(t *testing.T) {
	s := start(t, modelFunc(func(ctx context.Context, r engine.Request) (*engine.Embeddings, error) {
		if r.Inputs[0].Text == "late" {
			<-ctx.Done()
			return nil, &engine.Error{Kind: engine.Deadline, Message: "ended", Err: ctx.Err()}
		}
		return hashModel{}.Embed(ctx, r)
	}), Options{Prefetch: 4})
	c := dial(t, s.address, "/", binary, "X-Request-Timeout: 50ms")
	for range 2 {
		c.request(textRequest("late"))
		if a := c.answer(); !strings.Contains(a.Header.GetStatus().GetDescription(), "TimeoutError('the request was not answered within the 50ms that it allows") {
			t.Errorf("%v", a.Header)
		}
		c.request(textRequest("in time"))
		if a := c.answer(); a.Header.Status != nil {
			t.Errorf("%v", a.Header)
		}
	}
	c.end()
	c.closed(ws.StatusNormalClosure, "")
}

// TestTurnOfAKey: a connection whose key is past its rate holds one message and reads no further, and a request whose own time is
// over before its turn comes is told so.
func TestTurnOfAKey(t *testing.T) {
	budget := limit.NewBytes(1 << 20)
	s := start(t, hashModel{}, Options{Prefetch: 100, Bytes: budget, Keys: wishKeys(t, "rate=1/h")})
	c := dial(t, s.address, "/", binary, "Authorization: "+wishSecret, "X-Request-Timeout: 300ms")
	c.request(textRequest("first"))
	if a := c.answer(); a.Header.Status != nil {
		t.Fatal(a.Header)
	}
	const size = 10_000
	for range 3 {
		c.request(textRequest(strings.Repeat("x", size)))
	}
	most := int64(0)
	for begin := time.Now(); time.Since(begin) < 100*time.Millisecond; time.Sleep(time.Millisecond) {
		most = max(most, budget.Used())
	}
	if most >= 2*size {
		t.Errorf("%d bytes held while one request of %d waits for its turn", most, size)
	}
	for range 3 {
		if a := c.answer(); !strings.Contains(a.Header.GetStatus().GetDescription(), "within the 300ms") {
			t.Errorf("%v", a.Header)
		}
	}
	eventually(t, "nothing is held", func() bool { return budget.Used() == 0 })
}
