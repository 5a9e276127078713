package ws

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/gobwas/ws"

	"clipd/frontend/auth"
)

func TestSubprotocols(t *testing.T) {
	s := start(t, hashModel{}, Options{})
	check := func(want string, isBinary bool, lines ...string) {
		t.Helper()
		c := dial(t, s.address, "/", lines...)
		if got := c.response.Header.Get("Sec-WebSocket-Protocol"); got != want {
			t.Errorf("%v: answered %q, want %q", lines, got, want)
		}
		if isBinary {
			c.end()
		} else {
			c.send(ws.OpText, []byte("{}"))
		}
		c.closed(ws.StatusNormalClosure, "")
	}
	check("", false)
	check("bytes", true, "Sec-WebSocket-Protocol: bytes")
	check("json", false, "Sec-WebSocket-Protocol: json")
	check("", false, "Sec-WebSocket-Protocol: foo")
	check("bytes", true, "Sec-WebSocket-Protocol: foo, bytes ,json")
	check("json", false, "Sec-WebSocket-Protocol: foo", "Sec-WebSocket-Protocol: json")
}

// raw sends a request of the test's own and returns the answer.
func raw(t *testing.T, address, request string) (*http.Response, string) {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	io.WriteString(conn, strings.ReplaceAll(request, "\n", "\r\n"))
	data, err := io.ReadAll(conn)
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(data)), nil)
	if err != nil {
		t.Fatalf("%q: %v", data, err)
	}
	body, _ := io.ReadAll(r.Body)
	return r, string(body)
}

func TestRefusesHandshakes(t *testing.T) {
	s := start(t, hashModel{}, Options{})
	const good = "GET / HTTP/1.1\nHost: h\nConnection: Upgrade, close\nUpgrade: websocket\nSec-WebSocket-Version: 13\nSec-WebSocket-Key: q29RbvTRNTGeBqNHlpQV+Q==\n\n"
	check := func(old, change string, status int, words string) *http.Response {
		t.Helper()
		r, body := raw(t, s.address, strings.Replace(good, old, change, 1))
		if r.StatusCode != status || !strings.Contains(body, words) || !strings.HasPrefix(body, `{"detail":"`) {
			t.Errorf("%q: %d %s", change, r.StatusCode, body)
		}
		return r
	}
	check("GET / ", "POST / ", 405, "GET")
	check("GET / ", "GET /nope ", 403, "/nope")
	check("Upgrade, close", "close", 426, "Connection: Upgrade")
	check("websocket", "h2c", 426, "Upgrade: websocket")
	check("13", "8", 426, "version 13")
	if r := check("Sec-WebSocket-Version: 13\n", "", 426, "version 13"); r.Header.Get("Sec-WebSocket-Version") != "13" {
		t.Errorf("the answer's headers are %v", r.Header)
	}
	check("q29RbvTRNTGeBqNHlpQV+Q==", "q29R", 400, "16 bytes")
	check("q29RbvTRNTGeBqNHlpQV+Q==", "?", 400, "16 bytes")
	check("HTTP/1.1", "HTTP/1.0", 400, "HTTP/1.1")
}

func TestOrigin(t *testing.T) {
	check := func(cors bool, origin, host string, want int) {
		t.Helper()
		s := start(t, hashModel{}, Options{CORS: cors})
		lines := []string{binary}
		if origin != "" {
			lines = append(lines, "Origin: "+origin)
		}
		conn, err := net.Dial("tcp", s.address)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		io.WriteString(conn, "GET / HTTP/1.1\r\nHost: "+host+"\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
			"Sec-WebSocket-Key: q29RbvTRNTGeBqNHlpQV+Q==\r\nSec-WebSocket-Version: 13\r\n"+strings.Join(lines, "\r\n")+"\r\n\r\n")
		r, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		if r.StatusCode != want {
			t.Errorf("a page of %q that calls %q got %d, want %d", origin, host, r.StatusCode, want)
		}
	}
	check(false, "", "example.com", 101) // no browser
	check(false, "http://example.com", "example.com", 101)
	check(false, "https://EXAMPLE.com", "example.com:443", 101) // TLS ends at a proxy, perhaps
	check(false, "http://localhost:51000", "localhost:51000", 101)
	check(false, "http://localhost:3000", "localhost:51000", 403)
	check(false, "https://evil.example", "localhost:51000", 403)
	check(false, "http://localhost:51000.evil.example", "localhost:51000", 403)
	check(false, "null", "localhost:51000", 403)
	check(true, "https://evil.example", "localhost:51000", 101)
	check(true, "null", "localhost:51000", 101)
}

// keys makes a key of every line, whose secret is its name and a rest.
func keys(t *testing.T, lines string) *auth.Keys {
	t.Helper()
	t.Setenv("WS_TEST_KEYS", lines)
	k, err := auth.Open(auth.Options{Env: "WS_TEST_KEYS"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.Close)
	return k
}

func TestKeys(t *testing.T) {
	secret := auth.NewSecret()
	hash, err := auth.Hash(secret)
	if err != nil {
		t.Fatal(err)
	}
	line := fmt.Sprintf("tester sha256:%x models=other", hash)
	s := start(t, hashModel{}, Options{Keys: keys(t, line), Prefetch: 4})
	for _, credential := range []string{"", "Authorization: Bearer wrong", "Authorization: " + secret + "x"} {
		lines := []string{binary}
		if credential != "" {
			lines = append(lines, credential)
		}
		c := handshake(t, s.address, "/", lines...)
		body, _ := io.ReadAll(c.response.Body)
		if c.response.StatusCode != http.StatusUnauthorized || c.response.Header.Get("WWW-Authenticate") == "" || !strings.HasPrefix(string(body), `{"detail":"`) {
			t.Errorf("%q: %d %s", credential, c.response.StatusCode, body)
		}
	}
	// A key that may not use the model: the client hears of it by the end, in the way that it understands.
	c := dial(t, s.address, "/", binary, "Authorization: Bearer "+secret)
	c.request(textRequest("x"))
	c.closed(ws.StatusInternalServerError, "tester")
	c = dial(t, s.address, "/", text, "Authorization: "+secret)
	c.send(ws.OpText, []byte(`{"data":[{"text":"x"}]}`))
	c.closed(ws.StatusPolicyViolation, "tester")
	// Health stays open.
	c = dial(t, s.address, "/dry_run", binary)
	if f := c.next(); f.Header.OpCode != ws.OpBinary || len(f.Payload) > 0 {
		t.Errorf("got %s", describe(f))
	}
	c.closed(ws.StatusNormalClosure, "")
}

// TestKeyLimitsHoldBack shows that the requests of a connection wait for the limits of its key.
func TestKeyLimitsHoldBack(t *testing.T) {
	secret := auth.NewSecret()
	hash, err := auth.Hash(secret)
	if err != nil {
		t.Fatal(err)
	}
	model := newGateModel()
	s := start(t, model, Options{Keys: keys(t, fmt.Sprintf("tester sha256:%x concurrent=2", hash)), Prefetch: 10})
	c := dial(t, s.address, "/", binary, "Authorization: Bearer "+secret)
	for range 5 {
		c.request(textRequest("x"))
	}
	c.end()
	eventually(t, "two requests in progress", func() bool { return model.inside.Load() == 2 })
	close(model.gate)
	for range 5 {
		if a := c.answer(); a.Header.Status != nil {
			t.Error(a.Header.Status)
		}
	}
	c.closed(ws.StatusNormalClosure, "")
}

// TestModelHeader shows that the header of the handshake chooses the model for all requests.
func TestModelHeader(t *testing.T) {
	s := start(t, hashModel{}, Options{Prefetch: 1})
	c := dial(t, s.address, "/", binary, "clip-model: nothing-like-it")
	c.request(textRequest("x"))
	if d := c.answer().Header.GetStatus().GetDescription(); !strings.Contains(d, "nothing-like-it") {
		t.Errorf("got %q", d)
	}
	c.end()
	c.closed(ws.StatusNormalClosure, "")
}
