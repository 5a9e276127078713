package rest

import (
	"bytes"

	"github.com/valyala/fasthttp"

	"clipd/frontend/fault"
)

// checkFraming refuses what two servers could read as different requests, and what fasthttp lets through: a length
// stated twice over, line breaks without a carriage return, header lines that go on in the
// next line, spaces in names, and other versions of HTTP.
func checkFraming(h *fasthttp.RequestHeader) error {
	if version := string(h.Protocol()); version != "HTTP/1.1" && version != "HTTP/1.0" {
		return fault.New(fault.Malformed, "the protocol is %s; HTTP/1.1 and HTTP/1.0 are spoken here", version)
	}
	raw := h.RawHeaders()
	length, coding := false, false
	for len(raw) > 0 {
		end := bytes.IndexByte(raw, '\n')
		if end < 0 {
			end = len(raw) - 1
		}
		line := raw[:end]
		raw = raw[end+1:]
		if len(line) == 0 || line[len(line)-1] != '\r' {
			return fault.New(fault.Malformed, "a line of the header ends in a bare line feed; end it in CR LF")
		}
		line = line[:len(line)-1]
		if len(line) == 0 {
			break
		}
		if line[0] == ' ' || line[0] == '\t' {
			return fault.New(fault.Malformed, "a line of the header goes on in the next line; send it in one")
		}
		colon := bytes.IndexByte(line, ':')
		if colon < 0 || bytes.IndexByte(line[:colon], ' ') >= 0 {
			return fault.New(fault.Malformed, "a line of the header is no name, colon and value")
		}
		switch colon {
		case len("Content-Length"):
			length = length || bytes.EqualFold(line[:colon], []byte("Content-Length"))
		case len("Transfer-Encoding"):
			coding = coding || bytes.EqualFold(line[:colon], []byte("Transfer-Encoding"))
		}
	}
	if length && coding {
		return fault.New(fault.Malformed, "the header has both Content-Length and Transfer-Encoding; send one of them")
	}
	return nil
}
