package door

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// receive finds out where a connection belongs and hands it there.
func (d *Door) receive(c *net.TCPConn, p *place) {
	deadline := time.Now().Add(d.o.HandshakeTimeout)
	var conn net.Conn // a plainConn or a tlsConn
	var to *listener
	var err error
	if d.o.TLS != nil {
		c.SetDeadline(deadline)
		if conn, to, err = d.receiveTLS(c, p); err == nil {
			err = c.SetDeadline(time.Time{})
		}
	} else {
		conn, to, err = d.receivePlain(c, p, deadline)
	}
	open := d.leave(c)
	if err != nil || !open {
		d.logClosed(c, err)
		c.Close()
		p.release()
		return
	}
	if to == d.grpc {
		d.setUserTimeout(c)
		d.watch(conn)
	}
	to.give(conn)
}

// errRefused ends connections that got an answer which says why.
var errRefused = errors.New("refused")

func (d *Door) receivePlain(c *net.TCPConn, p *place, deadline time.Time) (net.Conn, *listener, error) {
	conn, err := newPlainConn(c, p)
	if err != nil {
		return nil, nil, err
	}
	is, err := lookPlain(conn, deadline)
	if err != nil {
		conn.head.drop()
		return nil, nil, err
	}
	if is == tlsHello {
		conn.head.drop()
		d.refuse(c, c, alert, "TLS on a port of plain text")
		return nil, nil, errRefused
	}
	to, err := d.destination(c, c, is, conn.head.bytes())
	if err != nil {
		conn.head.drop()
		return nil, nil, err
	}
	return conn, to, nil
}

func (d *Door) receiveTLS(c *net.TCPConn, p *place) (net.Conn, *listener, error) {
	conn := &tlsConn{Conn: tls.Server(c, d.o.TLS), tcp: c, place: p}
	if err := conn.Handshake(); err != nil {
		var plain tls.RecordHeaderError
		if errors.As(err, &plain) && plain.Conn != nil && looksLikeHTTP(plain.RecordHeader[:]) {
			d.refuse(c, c, page("400 Bad Request", "this port speaks TLS; use https://, wss:// or grpcs://", "", plain.RecordHeader[:]),
				"plain text on a port of TLS")
			return nil, nil, errRefused
		}
		return nil, nil, err
	}
	if conn.ConnectionState().NegotiatedProtocol == "h2" {
		return conn, d.grpc, nil
	}
	is, err := look(&conn.head, func(b []byte) (int, error) { return conn.Conn.Read(b) })
	if err != nil {
		conn.head.drop()
		return nil, nil, err
	}
	if is == http2 {
		// grpc-go refuses it too: HTTP/2 over TLS is agreed on by ALPN (RFC 9113, section 3.3).
		conn.head.drop()
		d.refuse(c, conn.Conn, page("505 HTTP Version Not Supported", "HTTP/2 over TLS needs ALPN h2", "", nil), "HTTP/2 without ALPN")
		return nil, nil, errRefused
	}
	to, err := d.destination(c, conn.Conn, is, conn.head.bytes())
	if err != nil {
		conn.head.drop()
		return nil, nil, err
	}
	return conn, to, nil
}

// destination is the listener for a protocol; when there is none, the peer is told so through w.
func (d *Door) destination(c *net.TCPConn, w net.Conn, is protocol, first []byte) (*listener, error) {
	to := d.http
	if is == http2 {
		to = d.grpc
	}
	switch {
	case !to.isClosed():
		return to, nil
	case to.opened:
		d.refuse(c, w, page("503 Service Unavailable", "the server is shutting down", "1", first), "shutting down")
	case is == http2:
		d.refuse(c, w, page("505 HTTP Version Not Supported", "this port does not serve gRPC (HTTP/2); use HTTP/1.1 or WebSocket", "", nil),
			"gRPC is closed")
	case looksLikeHTTP(first):
		d.refuse(c, w, page("421 Misdirected Request", "this port serves gRPC only; use grpc:// or grpcs://", "", first), "HTTP is closed")
	default:
		d.refuse(c, w, nil, "HTTP is closed, and this is no HTTP")
	}
	return nil, errRefused
}

// lookPlain reads until the protocol is clear. It holds no buffer until the first byte is there; mostly it is there
// already, and then no timer is needed.
func lookPlain(c *plainConn, deadline time.Time) (protocol, error) {
	buf, n, err := c.ready.now(headSize, pool)
	if err == nil {
		c.head = head{buf: buf, w: n}
		if is := recognise(c.head.bytes()); is != undecided {
			return is, nil
		}
	} else if err != syscall.EAGAIN {
		return undecided, err
	}
	c.SetDeadline(deadline)
	if buf == nil {
		if buf, n, err = c.ready.wait(headSize, pool); err != nil {
			return undecided, err
		}
		c.head = head{buf: buf, w: n}
	}
	is, err := look(&c.head, c.TCPConn.Read)
	if err == nil {
		err = c.SetDeadline(time.Time{})
	}
	return is, err
}

// look reads on until the protocol is clear.
func look(h *head, read func([]byte) (int, error)) (protocol, error) {
	for {
		if is := recognise(h.bytes()); is != undecided {
			return is, nil
		}
		if h.buf == nil {
			h.buf = pool.Get(headSize)
		}
		n, err := read((*h.buf)[h.w:])
		h.w += n
		if err != nil && n == 0 {
			if err == io.EOF && h.w > 0 {
				err = io.ErrUnexpectedEOF
			}
			return undecided, err
		}
	}
}

// setUserTimeout does what grpc-go does to a *net.TCPConn.
func (d *Door) setUserTimeout(c *net.TCPConn) {
	if d.o.UserTimeout < 0 {
		return
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return // closed meanwhile, as the first read will tell
	}
	raw.Control(func(fd uintptr) {
		err = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(d.o.UserTimeout.Milliseconds()))
	})
	if err != nil {
		d.o.Log.Debug().Err(err).Msg("cannot set TCP_USER_TIMEOUT")
	}
}

// logClosed notes why a connection was not handed out. One that came and went without a byte, as port scans and checks of
// load balancers do, is not worth a line.
func (d *Door) logClosed(c *net.TCPConn, err error) {
	if err == nil || err == errRefused || errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) {
		return
	}
	event := d.o.Log.Debug()
	if errors.Is(err, os.ErrDeadlineExceeded) {
		event.Stringer("remote", c.RemoteAddr()).Dur("limit", d.o.HandshakeTimeout).Msg("connection closed: it did not say in time what it wants")
		return
	}
	event.Stringer("remote", c.RemoteAddr()).Err(err).Msg("connection closed before it was clear what it wants")
}
