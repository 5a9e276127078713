package rest

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"

	"clipd/frontend/limit"
)

// conn is a connection as fasthttp sees it. It gives a caller who does not take an answer a bound, can be watched while
// a request is worked on, and owns the buffers of the answer.
type conn struct {
	net.Conn
	oldest       time.Time // from then on an answer ends the connection; zero: never
	readTimeout  time.Duration
	writeTimeout time.Duration
	forget       func() // takes it from its server's list

	taken    atomic.Bool // by a WebSocket, which sets its own deadlines
	closed   atomic.Bool
	received bool        // anything at all
	unread   atomic.Bool // a body that was refused may still be coming

	ahead ahead
	body  *buffer // of the answer being written, or nil
	coded *buffer // of its compressed form, or nil

	budget *limit.Bytes
	held   int64 // of it, by the answer being written
}

// writePart is how much of an answer a caller must take within the write timeout, bytes.
const writePart = 64 << 10

// Read implements net.Conn.
func (c *conn) Read(p []byte) (int, error) {
	if len(p) > 0 && c.ahead.take(&p[0]) {
		return 1, nil
	}
	n, err := c.Conn.Read(p)
	if n > 0 {
		c.received = true
	} else if !c.received && errors.Is(err, os.ErrDeadlineExceeded) {
		err = io.EOF // nothing was asked, so that nothing is answered
	}
	return n, err
}

// Write implements net.Conn.
func (c *conn) Write(p []byte) (n int, err error) {
	if c.writeTimeout <= 0 || c.taken.Load() {
		return c.Conn.Write(p)
	}
	for {
		part := p[:min(len(p), writePart)]
		if err := c.Conn.SetWriteDeadline(time.Now().Add(c.writeTimeout)); err != nil {
			return n, err
		}
		written, err := c.Conn.Write(part)
		n += written
		if err != nil || len(part) == len(p) {
			return n, err
		}
		p = p[len(part):]
	}
}

const (
	// lingerTime and lingerBytes bound what is read of a body that was refused: closing a connection with bytes unread
	// makes TCP take back the answer from a caller that has not read it.
	lingerTime  = time.Second
	lingerBytes = 4 << 20
)

// Close implements net.Conn.
func (c *conn) Close() error {
	if c.closed.Swap(true) {
		return nil
	}
	if c.forget != nil {
		defer c.forget()
	}
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok && c.unread.Load() && half.CloseWrite() == nil {
		c.Conn.SetReadDeadline(time.Now().Add(lingerTime))
		io.CopyN(io.Discard, c.Conn, lingerBytes)
	}
	return c.Conn.Close()
}

// CloseWrite tells the other side that nothing more comes, where the transport can.
func (c *conn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}

// NetConn returns the connection below, where a WebSocket finds the socket.
func (c *conn) NetConn() net.Conn { return c.Conn }

// old reports whether the next answer shall be the last.
func (c *conn) old() bool { return !c.oldest.IsZero() && time.Now().After(c.oldest) }

// lend gives the connection to a WebSocket, or takes it back when none came of it.
func (c *conn) lend(taken bool) {
	c.taken.Store(taken)
	if taken {
		c.Conn.SetDeadline(time.Time{})
	}
}

// connState follows fasthttp: once an answer is out its buffers can serve others.
func connState(nc net.Conn, state fasthttp.ConnState) {
	c, ours := nc.(*conn)
	if !ours || state == fasthttp.StateNew || state == fasthttp.StateActive {
		return
	}
	c.body.release()
	c.coded.release()
	c.body, c.coded = nil, nil
	c.budget.Give(c.held)
	c.held = 0
	if state == fasthttp.StateHijacked && c.forget != nil {
		c.forget()
	}
}

// countedAnswer is the size from which on an answer counts in the budget, bytes; the socket takes smaller ones.
const countedAnswer = 16 << 10

// holdAnswer takes the bytes that an answer will have, about.
func (c *conn) holdAnswer(n int64) error {
	if n < countedAnswer {
		return nil
	}
	err := c.budget.Take(n)
	if err == nil {
		c.held += n
	}
	return err
}

// keepAnswer gives back what of them the answer did not need. One that needs more has it already, and counts with what
// is there.
func (c *conn) keepAnswer(n int64) {
	if n >= countedAnswer && n > c.held && c.budget.Take(n-c.held) == nil {
		c.held = n
	}
	if n < c.held {
		c.budget.Give(c.held - n)
		c.held = n
	}
}

// buffer is a piece of memory that answers are written into, one after another.
type buffer struct{ b []byte }

// keptBuffer is the most that a buffer of the pool holds, bytes; an answer of 400 embeddings of 1024 columns fits.
const keptBuffer = 8 << 20

var buffers = sync.Pool{New: func() any { return &buffer{b: make([]byte, 0, 16<<10)} }}

func newBuffer() *buffer { return buffers.Get().(*buffer) }

// release gives a buffer to the pool; nil is none.
func (b *buffer) release() {
	if b != nil && cap(b.b) <= keptBuffer {
		b.b = b.b[:0]
		buffers.Put(b)
	}
}
