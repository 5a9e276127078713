package rest

import (
	"bytes"
	"strings"
	"sync"
	"testing"

	"github.com/rs/zerolog"
	"github.com/valyala/fasthttp"
)

func TestKeys(t *testing.T) {
	all := keys(t)
	r := serve(t, hashModel{}, func(o *Options) { o.Keys = all })
	for _, path := range []string{"/", "/dry_run", "/docs", "/openapi.json"} {
		if a := r.do("GET", path, ""); a.status != 200 {
			t.Errorf("%s is not open: %d", path, a.status)
		}
	}
	for _, path := range []string{"/status"} {
		a := r.do("GET", path, "").want(t, 401, "needs a key")
		if a.header.Get("WWW-Authenticate") != "Bearer" {
			t.Errorf("WWW-Authenticate is %q", a.header.Get("WWW-Authenticate"))
		}
	}
	for _, path := range []string{"/post", "/index", "/encode", "/rank", "/encode/a/model"} {
		r.do("POST", path, oneText).want(t, 401, `{"detail":"this server needs a key`)
		r.do("POST", path, oneText, "Authorization", "wrong").want(t, 401, "not known")
	}
	r.do("POST", "/encode", oneText, "Authorization", secretAll).want(t, 200, `"text":"hi"`)
	r.do("POST", "/encode", oneText, "Authorization", "Bearer "+secretAll).want(t, 200, `"text":"hi"`)
	r.do("GET", "/status", "", "Authorization", secretAll).want(t, 200, "clipd")
	r.do("POST", "/encode", oneText, "Authorization", secretFew).want(t, 403, `{"detail":"the key \"few\" may not use the model`)
	r.do("POST", "/encode", oneText, "Authorization", secretRare).want(t, 200, `"text":"hi"`)
	if a := r.do("POST", "/encode", oneText, "Authorization", secretRare).want(t, 429, `"status":{"code":1,`); a.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	// The key counts before the body: nobody without one can send gigabytes.
	c := r.dial()
	c.send("POST /encode HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n")
	c.receive().want(t, 401, "needs a key")
	c.over()
}

// lockedBuffer is a log that a server writes and a test reads.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func TestAccessLog(t *testing.T) {
	var log lockedBuffer
	all := keys(t)
	r := serve(t, hashModel{}, func(o *Options) { o.Keys, o.Log = all, zerolog.New(&log) })
	r.do("POST", "/encode?secret=1", oneText, "Authorization", secretAll).want(t, 200, "")
	eventually(t, "a line in the log", func() bool { return strings.Contains(log.String(), `"path":"/encode"`) })
	line := log.String()
	for _, part := range []string{`"level":"debug"`, `"method":"POST"`, `"status":200`, `"bytes":`, `"took":`, `"key":"all"`} {
		if !strings.Contains(line, part) {
			t.Errorf("no %s in %s", part, line)
		}
	}
	if strings.Contains(line, secretAll) || strings.Contains(line, "secret=1") || strings.Contains(line, "hi") {
		t.Errorf("the log tells too much: %s", line)
	}
}

func TestCORS(t *testing.T) {
	preflight := []string{"Origin", "http://page.test", "Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "content-type,authorization"}
	check := func(a answer, fields ...string) {
		t.Helper()
		for i := 0; i < len(fields); i += 2 {
			if got := a.header.Get(fields[i]); got != fields[i+1] {
				t.Errorf("%s is %q, want %q", fields[i], got, fields[i+1])
			}
		}
	}
	all := keys(t)
	r := serve(t, hashModel{}, func(o *Options) { o.CORS, o.Keys = true, all })
	check(r.do("OPTIONS", "/post", "", preflight...).want(t, 200, "OK"), "Access-Control-Allow-Origin", "http://page.test",
		"Access-Control-Allow-Methods", "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT", "Access-Control-Allow-Headers", "content-type,authorization",
		"Access-Control-Allow-Credentials", "true", "Access-Control-Max-Age", "600", "Vary", "Origin", "Content-Type", "text/plain; charset=utf-8")
	check(r.do("OPTIONS", "/post", "", "Origin", "http://page.test", "Access-Control-Request-Method", "BREW").want(t, 400, "Disallowed CORS method"))
	r.do("OPTIONS", "/post", "").want(t, 405, "")
	// Errors can be read by pages, too.
	check(r.do("POST", "/post", oneText, "Origin", "http://page.test").want(t, 401, ""), "Access-Control-Allow-Origin", "*", "Access-Control-Allow-Credentials", "true")
	check(r.do("GET", "/", ""), "Access-Control-Allow-Origin", "")
	closed := serve(t, hashModel{}, nil)
	check(closed.do("OPTIONS", "/post", "", preflight...).want(t, 405, ""), "Access-Control-Allow-Origin", "", "Access-Control-Allow-Methods", "", "Vary", "")
	check(closed.do("POST", "/post", oneText, "Origin", "http://page.test").want(t, 200, ""), "Access-Control-Allow-Origin", "")
}

const upgrade = "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"

func TestUpgrade(t *testing.T) {
	closed := serve(t, hashModel{}, nil)
	closed.dialed(upgrade+"\r\n").want(t, 403, "no WebSocket door")
	r := serve(t, hashModel{}, func(o *Options) {
		o.WriteTimeout = 1 // far too short, but not for WebSockets
		o.WebSocket = func(ctx *fasthttp.RequestCtx) {
			if string(ctx.Path()) != "/" {
				ctx.Error("no", 403)
				return
			}
			ctx.SetStatusCode(fasthttp.StatusSwitchingProtocols)
			ctx.Hijack(echo)
		}
	})
	c := r.dial()
	c.send(upgrade + "\r\n")
	for line := ""; line != "\r\n"; {
		line, _ = c.r.ReadString('\n')
	}
	c.send("hello\n")
	if line, err := c.r.ReadString('\n'); line != "hello\n" {
		t.Errorf("%q %v", line, err)
	}
	other := strings.Replace(upgrade, "GET / ", "GET /elsewhere ", 1)
	r2 := serve(t, hashModel{}, func(o *Options) { o.WebSocket = func(ctx *fasthttp.RequestCtx) { ctx.Error("no", 403) } })
	d := r2.dial()
	d.send(other + "\r\n")
	d.receive().want(t, 403, "no")
	d.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	d.receive().want(t, 200, "{}")
	r2.dialed(upgrade+"Content-Length: 2\r\n\r\n{}").want(t, 400, "no body")
}
