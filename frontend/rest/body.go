package rest

import (
	"bytes"
	"errors"
	"io"
	"time"

	"github.com/valyala/fasthttp"

	"clipd/frontend/fault"
)

const (
	// trustedLength is how much memory a body gets for what its header says, bytes, so that most requests are read into
	// their place without being moved; a longer one gets more as it arrives.
	trustedLength = 1 << 20
	// firstChunk is the memory for a body of unknown length to begin with, bytes.
	firstChunk = 32 << 10
	// minRate is how fast a body must come in, bytes a second, once the read timeout has passed: what is slower only
	// holds a place.
	minRate = 4 << 10
)

// readBody reads the body of the request and decodes it.
func (x *exchange) readBody() ([]byte, error) {
	coding, err := contentCoding(&x.ctx.Request.Header)
	if err != nil {
		return nil, err
	}
	stream := x.ctx.RequestBodyStream()
	if stream == nil || x.declared == 0 {
		x.read = true
		return nil, nil
	}
	source := &pacedReader{r: stream, c: x.c, wait: x.s.o.ReadTimeout, began: time.Now()}
	if x.caller.Timeout > 0 {
		source.until = x.began.Add(x.caller.Timeout)
	}
	raw, err := x.readAll(source, x.declared)
	if err != nil && source.late() {
		return nil, x.caller.TooLate()
	}
	if err != nil {
		return nil, err
	}
	x.read = true
	if x.c != nil {
		x.c.SetReadDeadline(time.Time{}) // what waits for the next request sets its own
	}
	if coding == identity {
		return raw, nil
	}
	return x.decode(coding, raw)
}

// readAll reads to the end of r, of which so many bytes are expected, or -1.
func (x *exchange) readAll(r io.Reader, expected int) ([]byte, error) {
	most := x.s.o.MaxBody
	size := int(min(firstChunk, most+1)) // one byte more than is allowed tells that there is more
	if expected >= 0 {
		size = min(expected, trustedLength)
	}
	body, err := x.grow(nil, size)
	if err != nil {
		return nil, err
	}
	for {
		n, err := r.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		if int64(len(body)) > most {
			return nil, x.s.tooLarge()
		}
		if err == io.EOF || err == nil && len(body) == expected {
			break
		}
		if err != nil {
			return nil, readError(err)
		}
		if len(body) < cap(body) {
			continue
		}
		size := int(min(2*int64(len(body)), most+1))
		if expected >= 0 {
			size = min(size, expected)
		}
		if body, err = x.grow(body, size); err != nil {
			return nil, err
		}
	}
	if expected >= 0 && len(body) < expected {
		return nil, fault.New(fault.Malformed, "the body ended after %d of the %d bytes that Content-Length says", len(body), expected)
	}
	return body, nil
}

// grow makes room for size bytes, within the budget.
func (x *exchange) grow(body []byte, size int) ([]byte, error) {
	if err := x.take(int64(size - cap(body))); err != nil {
		return nil, err
	}
	return append(make([]byte, 0, size), body...)[:len(body):size], nil
}

// take takes n bytes of the budget until the request is answered.
func (x *exchange) take(n int64) error {
	err := x.s.o.Bytes.Take(n)
	if err == nil {
		x.taken += n
	}
	return err
}

// readError says why a body could not be read.
func readError(err error) error {
	var broken *brokenCoding
	if errors.As(err, &broken) {
		return broken
	}
	if isTimeout(err) {
		return &refusal{
			status: fasthttp.StatusRequestTimeout,
			fault:  fault.New(fault.Deadline, "the body came in too slowly, or stopped; send at least %d bytes a second", minRate),
		}
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return fault.New(fault.Malformed, "the body ended before its end")
	}
	return fault.New(fault.Malformed, "the chunks of the body cannot be read; each is its length in hexadecimal digits, CR LF, its bytes, CR LF")
}

// pacedReader reads a body that has to keep coming.
type pacedReader struct {
	r     io.Reader
	c     *conn
	wait  time.Duration // for the next part
	began time.Time
	until time.Time // the end of what the caller allows for its answer; zero: none
	n     int64
}

// late reports whether the caller's own time is over.
func (p *pacedReader) late() bool { return !p.until.IsZero() && !time.Now().Before(p.until) }

// Read implements io.Reader.
func (p *pacedReader) Read(b []byte) (int, error) {
	if (p.wait > 0 || !p.until.IsZero()) && p.c != nil {
		until := p.until
		if p.wait > 0 {
			next := time.Now().Add(p.wait)
			if last := p.began.Add(p.wait + time.Duration(p.n)*time.Second/minRate); last.Before(next) {
				next = last
			}
			if until.IsZero() || next.Before(until) {
				until = next
			}
		}
		p.c.SetReadDeadline(until)
	}
	n, err := p.r.Read(b)
	p.n += int64(n)
	return n, err
}

// trimmedLower returns a header value for comparing.
func trimmedLower(v []byte) string { return string(bytes.ToLower(bytes.TrimSpace(v))) }
