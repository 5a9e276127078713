package door

import (
	"net"
	"sync"
)

// A listener gives the connections of one protocol to its server.
type listener struct {
	door   *Door
	conns  chan net.Conn // unbuffered: a connection is taken, or it is still the door's to close
	closed chan struct{}
	once   sync.Once
	opened bool // the protocol is let in by the door
}

func newListener(d *Door, open bool) *listener {
	l := &listener{door: d, conns: make(chan net.Conn), closed: make(chan struct{}), opened: open}
	if !open {
		l.once.Do(func() { close(l.closed) })
	}
	return l
}

// Accept waits for a connection; net.ErrClosed, there will be none.
func (l *listener) Accept() (net.Conn, error) {
	if l.isClosed() {
		return nil, net.ErrClosed
	}
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
	case <-l.door.closing:
	}
	return nil, net.ErrClosed
}

// give hands a connection to whoever accepts, or closes it.
func (l *listener) give(c net.Conn) {
	select {
	case l.conns <- c:
		return
	case <-l.closed:
	case <-l.door.closing:
	}
	c.Close()
}

func (l *listener) isClosed() bool {
	select {
	case <-l.closed:
		return true
	case <-l.door.closing:
		return true
	default:
		return false
	}
}

// Close lets no further connection of this protocol in, and closes the door when that was the last one.
func (l *listener) Close() error {
	l.once.Do(func() { close(l.closed) })
	if l.door.grpc.isClosed() && l.door.http.isClosed() {
		return l.door.shut()
	}
	return nil
}

// Addr is the address of the door.
func (l *listener) Addr() net.Addr { return l.door.Addr() }
