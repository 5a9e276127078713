package rest

import (
	"encoding/json"

	"github.com/valyala/fasthttp"

	"clipd/frontend/fault"
	"clipd/frontend/jina"
)

// send sets the answer; body must stay as it is until the answer is out.
func (x *exchange) send(status int, contentType string, body []byte) {
	response := &x.ctx.Response
	response.SetStatusCode(status)
	response.Header.SetContentType(contentType)
	if x.s.o.Compression && len(body) >= minCompressed {
		response.Header.Add("Vary", "Accept-Encoding")
		if coding := acceptedCoding(x.ctx.Request.Header.PeekAll(fasthttp.HeaderAcceptEncoding)); coding != identity {
			to := newBuffer()
			if x.c != nil {
				x.c.coded = to
			}
			to.b = compress(to.b, body, coding)
			body = to.b
			if x.c != nil { // the plain form has had its use
				x.c.body.release()
				x.c.body = nil
			}
			response.Header.SetContentEncoding(coding)
		}
	}
	response.SetBodyRaw(body)
}

// appendDetail appends the body of most errors.
func appendDetail(dst []byte, message string) []byte {
	dst = append(dst, `{"detail":`...)
	return append(appendString(dst, message), '}')
}

// appendFailure appends the body of an exchange that failed before its documents could: the client looks for the reason
// in the header's status. The documents do not go back.
func (x *exchange) appendFailure(dst []byte, f *fault.Error) []byte {
	if x.requestID == "" {
		x.requestID = jina.NewID()
	}
	dst = append(dst, `{"header":{"requestId":`...)
	dst = appendString(dst, x.requestID)
	dst = append(dst, `,"status":{"code":1,"description":`...)
	dst = appendString(dst, f.Error())
	dst = append(dst, `,"exception":null},"execEndpoint":`...)
	dst = appendString(dst, x.endpoint())
	return append(dst, `,"targetExecutor":""},"parameters":{},"routes":null,"data":null}`...)
}

// appendString appends a JSON string.
func appendString(dst []byte, s string) []byte {
	b, _ := json.Marshal(s) // strings always can be written
	return append(dst, b...)
}

func invalidFormat(v []byte) *fault.Error {
	return fault.New(fault.Invalid, "encoding_format is %q; it must be \"float\" or \"base64\"", clip(v))
}
