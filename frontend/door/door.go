// Package door lets gRPC, HTTP and WebSocket in by one port. It accepts connections, ends TLS, looks at the first bytes
// and hands each connection to the server that it belongs to: HTTP/2 to gRPC, everything else to HTTP.
package door

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"clipd/frontend/upload"
)

// DefaultHandshakeTimeout holds when Options has none.
const DefaultHandshakeTimeout = 10 * time.Second

// DefaultUserTimeout is grpc-go's own default.
const DefaultUserTimeout = 20 * time.Second

// Options describe a door.
type Options struct {
	Address string      // host:port; port 0 picks one
	TLS     *tls.Config // nil: plain text. What it offers by ALPN is set by GRPC and HTTP
	GRPC    bool        // HTTP/2 connections are let in
	HTTP    bool        // HTTP/1.1 connections are let in, and so WebSocket ones

	// Connections counts and limits the open connections. Doors of one server share it; nil: no limit.
	Connections *Connections

	// HandshakeTimeout is the time from accepting a connection until it is clear where it belongs: the TLS handshake, and
	// the first bytes but for HTTP/2 by ALPN. 0 means DefaultHandshakeTimeout.
	HandshakeTimeout time.Duration

	// UserTimeout is the TCP_USER_TIMEOUT of gRPC connections: a peer that acknowledges nothing for so long is cut off.
	// grpc-go sets it by its keepalive timeout, but only where it sees a *net.TCPConn, so here the door does; take the
	// same value. 0 means DefaultUserTimeout, less than 0 that of the system.
	UserTimeout time.Duration

	// Uploads bounds the memory of messages that gRPC connections have begun to send. Doors of one server share it; nil: no
	// bound.
	Uploads *upload.Budget

	Log zerolog.Logger
}

// keepAlive finds dead peers: after 15 s of silence, 9 unanswered probes 15 s apart.
var keepAlive = net.KeepAliveConfig{Enable: true, Idle: 15 * time.Second, Interval: 15 * time.Second, Count: 9}

// A Door is an open port.
type Door struct {
	o          Options
	inner      net.Listener
	grpc, http *listener
	turned     turnedAway

	draining  chan struct{} // closed by Drain and Close: nothing more is accepted
	drainOnce sync.Once
	closing   chan struct{} // closed by Close
	closed    sync.Once
	running   sync.WaitGroup // the accept loop and the connections in undecided

	mu        sync.Mutex
	undecided map[net.Conn]struct{} // accepted and not handed out; nil once the door is closed
}

// Open listens and accepts connections from then on; those that nobody takes from GRPC and HTTP wait there.
func Open(o Options) (*Door, error) {
	listen := net.ListenConfig{KeepAliveConfig: keepAlive}
	inner, err := listen.Listen(context.Background(), "tcp", o.Address)
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s: %w; choose another port or host", o.Address, err)
	}
	d, err := open(o, inner)
	if err != nil {
		inner.Close()
	}
	return d, err
}

// open takes a listener whose connections are *net.TCPConn.
func open(o Options, inner net.Listener) (*Door, error) {
	if !o.GRPC && !o.HTTP {
		return nil, fmt.Errorf("the port %s would serve neither gRPC nor HTTP; open one of them", o.Address)
	}
	if o.Connections == nil {
		o.Connections = &Connections{}
	}
	if o.HandshakeTimeout <= 0 {
		o.HandshakeTimeout = DefaultHandshakeTimeout
	}
	if o.UserTimeout == 0 {
		o.UserTimeout = DefaultUserTimeout
	}
	if o.TLS != nil {
		o.TLS = offer(o.TLS, o.protocols())
	}
	d := &Door{o: o, inner: inner, draining: make(chan struct{}), closing: make(chan struct{}), undecided: map[net.Conn]struct{}{}}
	d.turned.slots = make(chan struct{}, maxTurnedAway)
	d.grpc, d.http = newListener(d, o.GRPC), newListener(d, o.HTTP)
	d.running.Add(1)
	go d.accept()
	return d, nil
}

// Addr is the address that the door listens on.
func (d *Door) Addr() net.Addr { return d.inner.Addr() }

// GRPC gives the HTTP/2 connections, for grpc.Server.Serve; serve with Credentials. When gRPC is not let in it is closed
// from the start.
//
// When the listeners of GRPC and HTTP have both been closed, by the servers that use them, the door closes.
func (d *Door) GRPC() net.Listener { return d.grpc }

// HTTP gives the HTTP/1.1 connections, for fasthttp.Server.Serve. When HTTP is not let in it is closed from the start.
func (d *Door) HTTP() net.Listener { return d.http }

// Drain frees the port. The connections that it had accepted are handed out still: Drain returns when that is done, or
// when ctx has ended. A server that shuts down calls it first, so that no caller who got in finds the door shut.
func (d *Door) Drain(ctx context.Context) error {
	err := d.stopAccepting()
	handedOut := make(chan struct{})
	go func() {
		d.running.Wait()
		close(handedOut)
	}()
	select {
	case <-handedOut:
	case <-ctx.Done():
	}
	return err
}

// Undecided is the number of connections that have not been handed out, since it is not known yet what they speak.
func (d *Door) Undecided() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.undecided)
}

func (d *Door) stopAccepting() (err error) {
	d.drainOnce.Do(func() {
		close(d.draining)
		if err = d.inner.Close(); errors.Is(err, net.ErrClosed) {
			err = nil
		}
	})
	return err
}

// Close frees the port and closes the connections that have not been handed out. Those that have live on and are
// counted until they are closed. It returns when nothing of the door runs any more.
func (d *Door) Close() error {
	err := d.shut()
	d.running.Wait()
	return err
}

// shut is Close without the waiting.
func (d *Door) shut() (err error) {
	d.closed.Do(func() {
		close(d.closing)
		err = d.stopAccepting()
		d.mu.Lock()
		defer d.mu.Unlock()
		for c := range d.undecided {
			c.Close()
		}
		d.undecided = nil
	})
	return err
}

// enter notes a connection that shall be closed with the door; false, the door is closed.
func (d *Door) enter(c net.Conn) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.undecided == nil {
		return false
	}
	d.undecided[c] = struct{}{}
	d.running.Add(1)
	return true
}

// leave forgets a connection that is handed out or closed; false, the door closed it meanwhile.
func (d *Door) leave(c net.Conn) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.undecided == nil {
		return false
	}
	delete(d.undecided, c)
	return true
}
