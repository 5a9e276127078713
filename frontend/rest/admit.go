package rest

import (
	"bytes"
	"strconv"

	"github.com/valyala/fasthttp"

	"clipd/frontend/auth"
	"clipd/frontend/fault"
	"clipd/frontend/jina"
)

// declaredKey is where headerReceived leaves the length of a body that is not read for the handler. No caller can send
// a field of this name.
const declaredKey = "\x00declared"

// admission is what the header of a request tells.
type admission struct {
	route    *route
	path     string // without percent-escapes
	declared int    // bytes of the body; -1 when it comes in chunks, 0 for none
	refused  bool   // headerReceived has refused the body
	broken   bool   // nothing after it can be trusted to be a request
	key      *auth.Key
	caller   jina.Caller
}

// headerReceived looks at a request whose header has come. When it is to be refused, fasthttp is told that it has no
// body, so that the answer does not wait for one.
func (s *Server) headerReceived(h *fasthttp.RequestHeader) fasthttp.RequestConfig {
	// All but a byte of the body is left for the handler, which reads it where it belongs.
	config := fasthttp.RequestConfig{MaxRequestBodySize: 1}
	declared := h.ContentLength()
	if declared == 0 || declared < -1 {
		return config
	}
	a := admission{declared: declared}
	if err := s.admit(&a, h); err == nil && a.route.exchange() {
		return config
	}
	h.Set(declaredKey, strconv.Itoa(declared))
	h.SetContentLength(0)
	h.Del(fasthttp.HeaderExpect)
	return config
}

// admitRequest is admit for the handler, after headerReceived.
func (s *Server) admitRequest(h *fasthttp.RequestHeader) (a admission, err error) {
	a.declared = max(h.ContentLength(), -1)
	if v := h.Peek(declaredKey); len(v) > 0 {
		a.declared, _ = strconv.Atoi(string(v))
		a.refused = true
	} else if h.ContentLength() < -1 {
		a.declared = 0
	}
	return a, s.admit(&a, h)
}

// admit decides by its header alone whether a request is worth reading.
func (s *Server) admit(a *admission, h *fasthttp.RequestHeader) (err error) {
	if err := checkFraming(h); err != nil {
		a.broken = true
		return err
	}
	if a.path, err = pathOf(h.RequestURI()); err != nil {
		return err
	}
	if a.route, err = s.router.find(h.Method(), a.path); err != nil {
		return err
	}
	if a.route.private {
		if a.key, err = s.o.Keys.Check(string(h.Peek(fasthttp.HeaderAuthorization))); err != nil {
			return err
		}
	}
	if !a.route.exchange() {
		return nil
	}
	if a.caller, err = jina.NewCaller(a.key, func(name string) string { return string(h.Peek(name)) }); err != nil {
		return err
	}
	// While the server drains, callers who are connected are served still.
	if err := s.o.Gateway.Loaded(); err != nil {
		return err
	}
	if err := checkContentType(h.ContentType()); err != nil {
		return err
	}
	if _, err := contentCoding(h); err != nil {
		return err
	}
	if int64(a.declared) > s.o.MaxBody {
		return s.tooLarge()
	}
	return s.hasRoom(int64(a.declared))
}

// hasRoom refuses a body for which there is no room before it is sent. The room itself is taken as it comes in.
func (s *Server) hasRoom(n int64) error {
	if n <= 0 || n <= s.o.Bytes.Max()-s.o.Bytes.Used() {
		return nil
	}
	err := s.o.Bytes.Take(n) // for its words; it may have become free since
	if err == nil {
		s.o.Bytes.Give(n)
	}
	return err
}

func (s *Server) tooLarge() error {
	return fault.New(fault.TooLarge, "the body has more than %d bytes (max_message_bytes); send fewer documents at a time", s.o.MaxBody).Past("max_message_bytes")
}

// errNotADict is what the original says of every body that is not sent as JSON.
var errNotADict = &refusal{
	fault: fault.New(fault.Invalid, "the body is not sent as JSON"),
	body:  []byte(`{"detail":[{"loc":["body"],"msg":"value is not a valid dict","type":"type_error.dict"}]}`),
}

// checkContentType takes JSON, and no type at all.
func checkContentType(value []byte) error {
	value, _, _ = bytes.Cut(value, []byte{';'})
	value = bytes.ToLower(bytes.TrimSpace(value))
	subtype, isApplication := bytes.CutPrefix(value, []byte("application/"))
	switch {
	case len(value) == 0, isApplication && (string(subtype) == "json" || bytes.HasSuffix(subtype, []byte("+json"))):
		return nil
	case string(value) == "text/plain":
		return errNotADict
	}
	return fault.New(fault.MediaType, "the content type %q is not read; send application/json", clip(value))
}

// clip shortens a caller's value for an error.
func clip(v []byte) string {
	const most = 80
	if len(v) > most {
		return string(v[:most]) + "…"
	}
	return string(v)
}
