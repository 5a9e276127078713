package rest

import (
	"bytes"

	"github.com/valyala/fasthttp"
)

// corsMethods are those that pages of other origins may use, as the original lists them.
const corsMethods = "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT"

// isPreflight reports whether a browser asks what a page of another origin may do.
func isPreflight(h *fasthttp.RequestHeader) bool {
	return h.IsOptions() && len(h.Peek(fasthttp.HeaderOrigin)) > 0 && len(h.Peek("Access-Control-Request-Method")) > 0
}

// preflight answers it, as the original does, for every path.
func (x *exchange) preflight() {
	request, header := &x.ctx.Request.Header, &x.ctx.Response.Header
	header.Set("Vary", "Origin")
	header.Set("Access-Control-Allow-Methods", corsMethods)
	header.Set("Access-Control-Max-Age", "600")
	header.Set("Access-Control-Allow-Credentials", "true")
	header.SetBytesV("Access-Control-Allow-Origin", request.Peek(fasthttp.HeaderOrigin))
	if asked := request.Peek("Access-Control-Request-Headers"); len(asked) > 0 {
		header.SetBytesV("Access-Control-Allow-Headers", asked)
	}
	for _, m := range bytes.Split([]byte(corsMethods), []byte(", ")) {
		if bytes.Equal(m, request.Peek("Access-Control-Request-Method")) {
			x.send(fasthttp.StatusOK, textType, []byte("OK"))
			return
		}
	}
	x.send(fasthttp.StatusBadRequest, textType, []byte("Disallowed CORS method"))
}

const textType = "text/plain; charset=utf-8"
