package rest

import (
	"bytes"
	"runtime/debug"
	"time"

	"github.com/valyala/fasthttp"

	"clipd/frontend/fault"
	"clipd/frontend/metrics"
)

// exchange is one request on its way to its answer.
type exchange struct {
	admission
	s     *Server
	ctx   *fasthttp.RequestCtx
	c     *conn
	began time.Time

	counted  metrics.Request
	fault    *fault.Error // why there are no embeddings; nil: there are
	received int          // bytes of the body, unpacked; -1: not read
	sent     int          // bytes of the answer before compression; -1: there is none

	read      bool   // the body has been read to its end
	taken     int64  // bytes of the budget
	requestID string // once the body is parsed
	asked     string // the body's endpoint, likewise
}

const jsonType = "application/json"

// handle answers a request.
func (s *Server) handle(ctx *fasthttp.RequestCtx) {
	x := &exchange{s: s, ctx: ctx, began: time.Now(), received: -1, sent: -1}
	x.c, _ = ctx.Conn().(*conn)
	defer x.end()
	// A mistake of ours that one request brings out must not end everybody else's.
	defer func() {
		if p := recover(); p != nil {
			s.o.Log.Error().Interface("panic", p).Str("path", x.path).Bytes("stack", debug.Stack()).Msg("BUG: answering a request panicked")
			ctx.Response.Reset()
			x.refuse(fault.New(fault.Internal, "the server failed at this request; its log says more"))
		}
	}()
	x.answer()
}

// answer finds out what is asked and does it.
func (x *exchange) answer() {
	h := &x.ctx.Request.Header
	var err error
	x.admission, err = x.s.admitRequest(h)
	if x.route != nil && x.route.exchange() {
		x.counted = x.s.o.Gateway.Begin(metrics.HTTP, x.began)
	}
	switch {
	case isUpgrade(h) && !x.broken:
		x.upgrade()
	case x.s.o.CORS && isPreflight(h) && !x.broken:
		x.preflight()
	case err != nil:
		x.refuse(err)
	case !x.route.exchange():
		x.route.serve(x.s, x)
	case x.refused: // what was in the way a moment ago is gone
		x.refuse(fault.New(fault.Overloaded, "the server had no room for the request; try again"))
	default:
		x.post()
	}
}

// end completes an answer.
func (x *exchange) end() {
	x.s.o.Bytes.Give(x.taken)
	defer x.log()
	if x.route != nil && x.route.exchange() {
		x.counted.End(x.endpoint(), x.fault, x.received, x.sent)
	}
	if x.ctx.Hijacked() {
		return
	}
	header := &x.ctx.Response.Header
	header.Set("X-Content-Type-Options", "nosniff")
	if x.s.o.CORS && len(x.ctx.Request.Header.Peek(fasthttp.HeaderOrigin)) > 0 && len(header.Peek("Access-Control-Allow-Origin")) == 0 {
		header.Set("Access-Control-Allow-Origin", "*")
		header.Set("Access-Control-Allow-Credentials", "true")
	}
	if x.declared != 0 && !x.read {
		x.ctx.SetConnectionClose()
		if x.c != nil {
			x.c.unread.Store(true)
		}
	}
	// An upgraded connection is no longer HTTP's to close.
	if x.broken || !x.ctx.Hijacked() && (x.s.draining() || x.c != nil && x.c.old()) {
		x.ctx.SetConnectionClose()
	}
}

// draining reports whether callers shall find another server for their next request.
func (s *Server) draining() bool {
	select {
	case <-s.o.Gateway.Draining():
		return true
	default:
		return s.open.closing.Load()
	}
}

func (x *exchange) log() {
	if e := x.s.o.Log.Debug(); e.Enabled() {
		e.Bytes("method", x.ctx.Method()).Str("path", x.path).Int("status", x.ctx.Response.StatusCode()).
			Int("bytes", len(x.ctx.Response.Body())).Dur("took", time.Since(x.began)).Str("key", x.key.Name()).Msg("http")
	}
}

// isUpgrade reports whether a request asks for a WebSocket.
func isUpgrade(h *fasthttp.RequestHeader) bool {
	return h.IsGet() && bytes.EqualFold(h.Peek(fasthttp.HeaderUpgrade), []byte("websocket"))
}

// upgrade gives the connection to the WebSocket door.
func (x *exchange) upgrade() {
	if x.s.o.WebSocket == nil {
		x.refuse(fault.New(fault.Forbidden, "this port has no WebSocket door (protocol: websocket opens one)"))
		return
	}
	if x.declared != 0 {
		x.refuse(fault.New(fault.Malformed, "a request for a WebSocket has no body"))
		return
	}
	if x.c != nil {
		x.c.lend(true)
	}
	x.s.o.WebSocket(x.ctx)
	if x.c != nil && !x.ctx.Hijacked() {
		x.c.lend(false)
	}
}
