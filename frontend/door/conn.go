package door

import (
	"crypto/tls"
	"io"
	"net"
	"syscall"

	"google.golang.org/grpc/mem"
)

// headSize is the size of the first read of a connection, bytes. A whole ordinary request fits, so that looking at the
// first bytes costs no system call more.
const headSize = 4096

// pool holds the buffers of first reads; grpc's, as it takes from it too.
var pool = mem.DefaultBufferPool()

// A head is what has been read from a connection and not been given out.
type head struct {
	buf  *[]byte // of pool; nil when all is given out
	r, w int     // the unread bytes
}

func (h *head) bytes() []byte {
	if h.buf == nil {
		return nil
	}
	return (*h.buf)[h.r:h.w]
}

// read gives out what p takes.
func (h *head) read(p []byte) int {
	n := copy(p, h.bytes())
	if h.r += n; h.r == h.w {
		h.drop()
	}
	return n
}

func (h *head) drop() {
	if h.buf != nil {
		pool.Put(h.buf)
		*h = head{}
	}
}

// A plainConn is a TCP connection whose first bytes have been looked at. Reading gives them again, then goes straight to
// the socket. All else is the TCP connection's: options, ReadFrom, CloseWrite, SyscallConn.
type plainConn struct {
	*net.TCPConn
	place *place
	head  head
	ready readiness
	watched
}

func newPlainConn(c *net.TCPConn, p *place) (*plainConn, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return nil, err
	}
	conn := &plainConn{TCPConn: c, place: p}
	conn.ready.raw = raw
	conn.ready.attempt = conn.ready.read
	return conn, nil
}

func (c *plainConn) Read(p []byte) (n int, err error) {
	if c.head.buf != nil && len(p) > 0 {
		n = c.head.read(p)
	} else {
		n, err = c.TCPConn.Read(p)
	}
	if n > 0 {
		if over := c.watch.Received(p[:n]); over != nil {
			return 0, over
		}
	}
	return n, err
}

func (c *plainConn) Write(p []byte) (int, error) {
	if c.watch == nil {
		return c.TCPConn.Write(p)
	}
	return c.write(p, c.TCPConn.Write)
}

// ReadOnReady waits until there is something to read, and only then takes a buffer of size bytes from the pool and reads
// into it. The caller owns the buffer. grpc-go looks for this method, so that idle connections hold no buffers.
func (c *plainConn) ReadOnReady(size int, from mem.BufferPool) (*[]byte, int, error) {
	var buf *[]byte
	var n int
	if c.head.buf != nil {
		buf = from.Get(size)
		n = c.head.read(*buf)
	} else {
		var err error
		if buf, n, err = c.ready.wait(size, from); err != nil {
			return nil, 0, err
		}
	}
	if err := c.watch.Received((*buf)[:n]); err != nil {
		from.Put(buf)
		return nil, 0, err
	}
	return buf, n, nil
}

// WriteTo gives the first bytes, then lets the TCP connection do as it does.
func (c *plainConn) WriteTo(w io.Writer) (int64, error) {
	var n int64
	if c.head.buf != nil {
		k, err := w.Write(c.head.bytes())
		c.head.r += k
		n = int64(k)
		if err != nil {
			return n, err
		}
		c.head.drop()
	}
	rest, err := c.TCPConn.WriteTo(w)
	return n + rest, err
}

// Close closes the connection and gives its place back.
func (c *plainConn) Close() error {
	err := c.TCPConn.Close()
	c.watch.Close()
	c.place.release()
	return err
}

// A tlsConn is a TLS connection after its handshake. It has the methods of *tls.Conn that tell the state, by which
// fasthttp knows that it is encrypted, and the raw socket for options.
type tlsConn struct {
	*tls.Conn
	tcp   *net.TCPConn
	place *place
	head  head
	watched
}

func (c *tlsConn) Read(p []byte) (int, error) {
	if c.head.buf != nil && len(p) > 0 {
		return c.head.read(p), nil // of HTTP: with gRPC nothing is read before the server does
	}
	n, err := c.Conn.Read(p)
	if n > 0 {
		if over := c.watch.Received(p[:n]); over != nil {
			return 0, over
		}
	}
	return n, err
}

func (c *tlsConn) Write(p []byte) (int, error) { return c.write(p, c.Conn.Write) }

// Close ends the session, closes the connection and gives its place back.
func (c *tlsConn) Close() error {
	err := c.Conn.Close()
	c.watch.Close()
	c.place.release()
	return err
}

// SyscallConn is the socket, for options; reading from it gives what TLS gives.
func (c *tlsConn) SyscallConn() (syscall.RawConn, error) { return c.tcp.SyscallConn() }

// readiness reads from a socket without holding a buffer while it waits. Its fields are the arguments and results of the
// attempt, kept here so that a read allocates nothing.
type readiness struct {
	raw     syscall.RawConn
	attempt func(fd uintptr) bool
	once    bool // do not wait
	size    int
	from    mem.BufferPool
	buf     *[]byte
	n       int
	err     error
}

func (r *readiness) read(fd uintptr) bool {
	r.buf = r.from.Get(r.size)
	for {
		// Package syscall and not unix, as package net does: the race detector knows the two apart.
		if r.n, r.err = syscall.Read(int(fd), *r.buf); r.err != syscall.EINTR {
			break
		}
	}
	if r.err != nil || r.n == 0 {
		r.from.Put(r.buf)
		r.buf = nil
	}
	return r.once || r.err != syscall.EAGAIN
}

// now reads what is there; syscall.EAGAIN, nothing is.
func (r *readiness) now(size int, from mem.BufferPool) (*[]byte, int, error) {
	r.once = true
	defer func() { r.once = false }()
	return r.wait(size, from)
}

// wait waits until there is something to read, and reads it.
func (r *readiness) wait(size int, from mem.BufferPool) (*[]byte, int, error) {
	r.size, r.from, r.buf, r.n, r.err = size, from, nil, 0, nil
	err := r.raw.Read(r.attempt)
	buf, n := r.buf, r.n
	if err == nil {
		err = r.err
	}
	r.from, r.buf = nil, nil
	switch {
	case err != nil:
		if buf != nil {
			from.Put(buf)
		}
		return nil, 0, err
	case buf == nil:
		return nil, 0, io.EOF
	}
	return buf, n, nil
}
