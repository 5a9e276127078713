package rest

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"clipd/engine"
)

// TestPriorityHeader shows that the header reaches the model, and what is said of wrong values.
func TestPriorityHeader(t *testing.T) {
	got := make(chan engine.Priority, 1)
	r := serve(t, modelFunc(func(ctx context.Context, q engine.Request) (*engine.Embeddings, error) {
		got <- q.Priority
		return hashModel{}.Embed(ctx, q)
	}), nil)
	check := func(body string, want engine.Priority, fields ...string) {
		t.Helper()
		r.do("POST", "/encode", body, fields...).want(t, 200, "")
		if p := <-got; p != want {
			t.Errorf("%s with %q: %v", body, fields, p)
		}
	}
	check(oneText, engine.Normal)
	check(oneText, engine.High, "Clip-Priority", "high")
	check(`{"data":[{"text":"hi"}],"parameters":{"priority":"high"}}`, engine.High)
	check(`{"data":[{"text":"hi"}],"parameters":{"priority":"normal"}}`, engine.Normal, "Clip-Priority", "high")
	r.do("POST", "/encode", oneText, "Clip-Priority", "urgent").want(t, 400, `clip-priority is \"urgent\"; it must be \"high\" or \"normal\"`)
	r.do("POST", "/encode", `{"data":[{"text":"hi"}],"parameters":{"priority":"urgent"}}`).want(t, 200, `parameter priority must be`)
}

// TestTimeoutHeader: a late answer is 504 with the reason where clients look for it, and a wrong value 400.
func TestTimeoutHeader(t *testing.T) {
	r := serve(t, newGate(), nil) // which nobody opens
	for field, value := range map[string]string{"X-Request-Timeout": "0.05", "X-Envoy-Expected-Rq-Timeout-Ms": "50"} {
		a := r.do("POST", "/encode", oneText, field, value)
		a.want(t, 504, "the request was not answered within the 50ms that it allows")
		var body struct {
			Header struct{ Status struct{ Code int } }
		}
		if err := json.Unmarshal([]byte(a.body), &body); err != nil || body.Header.Status.Code != 1 {
			t.Errorf("%v in %s", err, a.body)
		}
		r.do("POST", "/encode", oneText, field, "soon").want(t, 400, `is \"soon\"; it must be`)
	}
	r.do("POST", "/encode", `{"data":[{"text":"hi"}],"parameters":{"timeout":0.05}}`).want(t, 504, "within the 50ms")
	r.do("GET", "/", "", "X-Request-Timeout", "soon").want(t, 200, "") // health has no use for it
}

// TestTimeoutOfABody: the time counts from the request's header, so that a body that comes too slowly is answered, too.
func TestTimeoutOfABody(t *testing.T) {
	r := serve(t, hashModel{}, func(o *Options) { o.ReadTimeout = time.Minute })
	c, err := net.Dial("tcp", r.address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(30 * time.Second))
	fmt.Fprintf(c, "POST /encode HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nX-Request-Timeout: 100ms\r\nContent-Length: 1000\r\n\r\n{")
	a, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(a.Body)
	if a.StatusCode != 504 || !strings.Contains(string(body), "within the 100ms that it allows") {
		t.Errorf("%d: %s", a.StatusCode, body)
	}
	r.do("POST", "/encode", oneText, "X-Request-Timeout", "30").want(t, 200, "")
}
