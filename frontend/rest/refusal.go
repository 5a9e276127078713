package rest

import (
	"errors"
	"net"
	"os"
	"strconv"

	"github.com/valyala/fasthttp"

	"clipd/frontend/fault"
	"clipd/frontend/jina/jinajson"
)

// refusal is an error with a body or a header field of its own.
type refusal struct {
	fault  *fault.Error
	status int    // 0: that of the fault
	body   []byte // nil: {"detail": "..."} with the fault's sentence
	header string // a further field
	value  string
}

// Error implements error.
func (r *refusal) Error() string { return r.fault.Error() }

// Unwrap returns the fault.
func (r *refusal) Unwrap() error { return r.fault }

// refuse answers with an error. An exchange that fails for what trying again may help gets the body in which the client
// looks for the reason.
func (x *exchange) refuse(err error) {
	f := fault.Of(err)
	x.fault = f
	status, body := f.Code.HTTP(), []byte(nil)
	header := &x.ctx.Response.Header
	var own *refusal
	var syntax *jinajson.Error
	switch {
	case errors.As(err, &own):
		if own.status != 0 {
			status = own.status
		}
		body = own.body
		if own.header != "" {
			header.Set(own.header, own.value)
		}
	case errors.As(err, &syntax):
		status = syntax.Status()
		body = syntax.AppendDetail(nil)
	}
	if wait := f.RetrySeconds(); wait > 0 {
		header.Set("Retry-After", strconv.Itoa(wait))
	}
	if status == fasthttp.StatusUnauthorized {
		header.Set("WWW-Authenticate", "Bearer")
	}
	if body == nil && x.route != nil && x.route.exchange() && retriable(status) {
		body = x.appendFailure(nil, f)
	}
	if body == nil {
		body = appendDetail(nil, f.Error())
	}
	x.send(status, jsonType, body)
}

func retriable(status int) bool {
	return status == fasthttp.StatusTooManyRequests || status == fasthttp.StatusServiceUnavailable || status == fasthttp.StatusGatewayTimeout
}

// statusOfError is what unreadable sends for the errors of fasthttp.
func statusOfError(err error) (status int, message string) {
	var small *fasthttp.ErrSmallBuffer
	switch {
	case errors.As(err, &small):
		return fasthttp.StatusRequestHeaderFieldsTooLarge, "the header is longer than this server reads (max_header_bytes); send fewer or shorter fields"
	case isTimeout(err):
		return fasthttp.StatusRequestTimeout, "the request did not come in in time"
	}
	return fasthttp.StatusBadRequest, "this is no HTTP/1.1 request that can be read: check the request line, the header fields, their lengths and that Host is there"
}

func isTimeout(err error) bool {
	var n net.Error
	return errors.Is(err, os.ErrDeadlineExceeded) || errors.As(err, &n) && n.Timeout()
}

// unreadable answers what fasthttp could not read. The connection ends with it.
func (s *Server) unreadable(ctx *fasthttp.RequestCtx, err error) {
	status, message := statusOfError(err)
	ctx.Response.Reset()
	ctx.Response.SetStatusCode(status)
	ctx.Response.Header.SetContentType(jsonType)
	ctx.Response.SetBodyRaw(appendDetail(nil, message))
	if c, ours := ctx.Conn().(*conn); ours {
		c.unread.Store(true)
	}
	s.o.Log.Debug().Int("status", status).Str("from", ctx.RemoteAddr().String()).Msg("http: a request could not be read")
}
