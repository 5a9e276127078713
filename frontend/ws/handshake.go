package ws

import (
	"crypto/sha1"
	"encoding/base64"
	"encoding/json"
	"net"
	"net/url"
	"strconv"
	"strings"

	"github.com/valyala/fasthttp"

	"clipd/frontend/auth"
	"clipd/frontend/fault"
	"clipd/frontend/jina"
)

// Paths of the door; every other one is refused with 403, as the original does.
const (
	pathRequests = "/"
	pathDryRun   = "/dry_run"
)

// Subprotocols, by which a client chooses the form of its messages. Without one, and with one that is not known here,
// they are JSON.
const (
	protocolBytes = "bytes"
	protocolJSON  = "json"
)

// session is what a handshake settles.
type session struct {
	dryRun  bool
	binary  bool // messages are protobuf, not JSON
	deflate bool // messages may be compressed
	key     *auth.Key
	caller  jina.Caller
}

// Handle opens a WebSocket for a request that asks for one, or answers why not.
func (d *Door) Handle(ctx *fasthttp.RequestCtx) {
	s := session{dryRun: string(ctx.Path()) == pathDryRun}
	if err := d.admit(ctx, &s); err != nil {
		refuse(ctx, err)
		return
	}
	header := &ctx.Response.Header
	ctx.SetStatusCode(fasthttp.StatusSwitchingProtocols)
	header.Set("Upgrade", "websocket")
	header.Set("Connection", "Upgrade")
	header.Set("Sec-WebSocket-Accept", accept(ctx.Request.Header.Peek("Sec-WebSocket-Key")))
	if p := chooseProtocol(tokens(ctx, "Sec-WebSocket-Protocol")); p != "" {
		s.binary = p == protocolBytes
		header.Set("Sec-WebSocket-Protocol", p)
	}
	if answer := negotiateDeflate(ctx.Request.Header.PeekAll("Sec-WebSocket-Extensions")); answer != "" {
		s.deflate = true
		header.Set("Sec-WebSocket-Extensions", answer)
	}
	ctx.Hijack(func(c net.Conn) { d.serve(c, s) })
}

// admit says why a request gets no WebSocket, or who sent it.
func (d *Door) admit(ctx *fasthttp.RequestCtx, s *session) error {
	if path := string(ctx.Path()); path != pathRequests && path != pathDryRun {
		return fault.New(fault.Forbidden, "no WebSocket is at %s; connect to / or, to ask whether the server is ready, to /dry_run", strconv.Quote(path))
	}
	if err := wellFormed(ctx); err != nil {
		return err
	}
	if origin := string(ctx.Request.Header.Peek("Origin")); origin != "" && !d.options.CORS && !sameOrigin(origin, string(ctx.Host())) {
		return fault.New(fault.Forbidden, "pages of the origin %s may not use this server, which was called as %s; cors: true in the flow lets all pages in",
			strconv.Quote(origin), strconv.Quote(string(ctx.Host())))
	}
	if d.isClosing() {
		return errShuttingDown
	}
	if s.dryRun { // health stays open
		return nil
	}
	var err error
	if s.key, err = d.options.Keys.Check(string(ctx.Request.Header.Peek(fasthttp.HeaderAuthorization))); err != nil {
		return err
	}
	s.caller, err = jina.NewCaller(s.key, func(name string) string { return string(ctx.Request.Header.Peek(name)) })
	return err
}

// statusError is a fault that has an HTTP status of its own.
type statusError struct {
	fault  *fault.Error
	status int
}

func (e statusError) Error() string { return e.fault.Error() }
func (e statusError) Unwrap() error { return e.fault }

// wellFormed checks the request against section 4.2.1 of RFC 6455.
func wellFormed(ctx *fasthttp.RequestCtx) error {
	header := &ctx.Request.Header
	switch {
	case !ctx.IsGet():
		return fault.New(fault.MethodNotAllowed, "a WebSocket is opened by GET, not %s", strconv.Quote(string(ctx.Method())))
	case !header.IsHTTP11():
		return fault.New(fault.Malformed, "a WebSocket is opened over HTTP/1.1, not %s", strconv.Quote(string(header.Protocol())))
	case !hasToken(tokens(ctx, "Connection"), "upgrade") || !hasToken(tokens(ctx, "Upgrade"), "websocket"):
		return statusError{fault.New(fault.Malformed, `a WebSocket is opened with the headers "Connection: Upgrade" and "Upgrade: websocket"`),
			fasthttp.StatusUpgradeRequired}
	case string(header.Peek("Sec-WebSocket-Version")) != "13":
		return statusError{fault.New(fault.Malformed, "Sec-WebSocket-Version is %s; this server speaks version 13",
			strconv.Quote(string(header.Peek("Sec-WebSocket-Version")))), fasthttp.StatusUpgradeRequired}
	}
	if key, err := base64.StdEncoding.DecodeString(string(header.Peek("Sec-WebSocket-Key"))); err != nil || len(key) != 16 {
		return fault.New(fault.Malformed, "Sec-WebSocket-Key is %s; it must be 16 bytes in base64", strconv.Quote(string(header.Peek("Sec-WebSocket-Key"))))
	}
	return nil
}

// refuse answers a request that gets no WebSocket.
func refuse(ctx *fasthttp.RequestCtx, err error) {
	f := fault.Of(err)
	status := f.Code.HTTP()
	if own, ok := err.(statusError); ok {
		status = own.status
	}
	header := &ctx.Response.Header
	switch status {
	case fasthttp.StatusUpgradeRequired:
		header.Set("Upgrade", "websocket")
		header.Set("Sec-WebSocket-Version", "13")
	case fasthttp.StatusMethodNotAllowed:
		header.Set("Allow", "GET")
	case fasthttp.StatusUnauthorized:
		header.Set("WWW-Authenticate", "Bearer")
	}
	if seconds := f.RetrySeconds(); seconds > 0 {
		header.Set("Retry-After", strconv.Itoa(seconds))
	}
	body, _ := json.Marshal(map[string]string{"detail": f.Error()}) // a map of strings cannot fail
	ctx.SetStatusCode(status)
	ctx.SetContentType("application/json")
	ctx.SetBody(body)
}

// accept is the answer to a client's key (RFC 6455, section 4.2.2).
func accept(key []byte) string {
	sum := sha1.Sum(append(key[:len(key):len(key)], "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"...))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// chooseProtocol takes the first offered subprotocol that is known here, or none.
func chooseProtocol(offered []string) string {
	for _, p := range offered {
		if p == protocolBytes || p == protocolJSON {
			return p
		}
	}
	return ""
}

// tokens are the members of a header that holds a list, in one line or several.
func tokens(ctx *fasthttp.RequestCtx, header string) []string {
	var all []string
	for _, line := range ctx.Request.Header.PeekAll(header) {
		for token := range strings.SplitSeq(string(line), ",") {
			all = append(all, strings.Trim(token, " \t"))
		}
	}
	return all
}

func hasToken(all []string, want string) bool {
	for _, t := range all {
		if strings.EqualFold(t, want) {
			return true
		}
	}
	return false
}

// sameOrigin reports whether an Origin is a page of the host that a request is for. Their schemes may differ: TLS may end
// at a proxy.
func sameOrigin(origin, host string) bool {
	o, err := url.Parse(origin)
	if err != nil || o.Host == "" { // "null" is what sandboxed pages and local files send
		return false
	}
	h, err := url.Parse(o.Scheme + "://" + host)
	return err == nil && strings.EqualFold(o.Hostname(), h.Hostname()) && portOf(o) == portOf(h)
}

func portOf(u *url.URL) string {
	switch port := u.Port(); {
	case port != "":
		return port
	case u.Scheme == "https":
		return "443"
	case u.Scheme == "http":
		return "80"
	}
	return ""
}
