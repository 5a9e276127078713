package rest

import (
	"strings"
	"testing"
)

// TestSmuggling sends requests that two servers could read as different ones. Each is refused, and the connection ends
// with it, so that nothing behind it is taken for another request.
func TestSmuggling(t *testing.T) {
	r := serve(t, hashModel{}, nil)
	const next = "GET /dry_run HTTP/1.1\r\nHost: x\r\n\r\n"
	check := func(name, request string) {
		t.Helper()
		c := r.dial()
		c.send(request + next)
		a := c.receive()
		if a.status != 400 || !strings.HasPrefix(a.body, `{"detail":"`) {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
		c.over()
	}
	post := func(fields string) string { return "POST /post HTTP/1.1\r\nHost: x\r\n" + fields + "\r\n\r\n" }
	check("both framings", post("Content-Length: 5\r\nTransfer-Encoding: chunked")+"0\r\n\r\n")
	check("both framings, the other way round", post("Transfer-Encoding: chunked\r\ncontent-length: 5")+"0\r\n\r\n")
	check("identity with a length", post("Transfer-Encoding: identity\r\nContent-Length: 2")+"{}")
	check("two lengths", post("Content-Length: 2\r\nContent-Length: 3")+"{}")
	check("two equal lengths", post("Content-Length: 2\r\nContent-Length: 2")+"{}")
	check("a list of lengths", post("Content-Length: 2, 2")+"{}")
	check("a signed length", post("Content-Length: +2")+"{}")
	check("a negative length", post("Content-Length: -2")+"{}")
	check("a hexadecimal length", post("Content-Length: 0x2")+"{}")
	check("a length of too many digits", post("Content-Length: 99999999999999999999")+"{}")
	check("a blank before the colon", post("Content-Length : 2")+"{}")
	check("a folded line", post("X: 1\r\n folded\r\nContent-Length: 2")+"{}")
	check("a folded length", post("Content-Length:\r\n 2")+"{}")
	check("a folded line at the end", post("Content-Length: 2\r\nX: 1\r\n\tfolded")+"{}")
	check("bare line feeds", "POST /post HTTP/1.1\r\nHost: x\nContent-Length: 2\n\r\n\r\n{}")
	check("a bare line feed after a field", post("X: 1\nContent-Length: 2")+"{}")
	check("a bare carriage return", post("X: 1\rContent-Length: 2")+"{}")
	check("two codings", post("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity")+"0\r\n\r\n")
	check("an unknown coding", post("Transfer-Encoding: gzip, chunked")+"0\r\n\r\n")
	check("a blank in a name", post("X Y: 1\r\nContent-Length: 2")+"{}")
	check("no Host", "GET / HTTP/1.1\r\n\r\n")
	check("two Hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n")
	check("a NUL in a value", post("X: \x00"))
	check("no method", " / HTTP/1.1\r\nHost: x\r\n\r\n")
	check("HTTP/2.0", "GET / HTTP/2.0\r\nHost: x\r\n\r\n")
	check("no HTTP at all", "hello there\r\n\r\n")
	check("a TLS hello", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n")
}

func TestLongHeader(t *testing.T) {
	r := serve(t, hashModel{}, func(o *Options) { o.MaxHeader = 2000 })
	c := r.dial()
	c.send("GET / HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat("a", 4000) + "\r\n\r\n")
	c.receive().want(t, 431, "max_header_bytes")
	c.over()
	r.do("GET", "/", "", "X", strings.Repeat("a", 1500)).want(t, 200, "{}")
}

// TestKeepAlive: requests come one after another, and several at once, on one connection.
func TestKeepAlive(t *testing.T) {
	r := serve(t, hashModel{}, nil)
	c := r.dial()
	c.send(strings.Repeat(request("/encode", oneText)+"GET /dry_run HTTP/1.1\r\nHost: x\r\n\r\n", 20))
	for range 20 {
		c.receive().want(t, 200, `"text":"hi"`)
		c.receive().want(t, 200, `"code":0`)
	}
	c.send("GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello") // nobody reads this body
	c.receive().want(t, 200, "{}")
	c.over()
	old := r.dial()
	old.send("GET / HTTP/1.0\r\n\r\n")
	old.receive().want(t, 200, "{}")
	old.over()
}
