package rest

import (
	"context"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// listener makes a conn of every connection.
type listener struct {
	net.Listener
	server *Server
}

// Accept implements net.Listener.
func (l *listener) Accept() (net.Conn, error) {
	inner, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c := newConn(inner, &l.server.o)
	l.server.open.add(c)
	return c, nil
}

// newConn wraps a connection. Its age limit differs from that of others by up to a tenth, so that connections that
// began together do not end together.
func newConn(inner net.Conn, o *Options) *conn {
	c := &conn{Conn: inner, readTimeout: o.ReadTimeout, writeTimeout: o.WriteTimeout, budget: o.Bytes}
	if o.MaxAge > 0 {
		jitter := time.Duration((rand.Float64() - 0.5) / 5 * float64(o.MaxAge))
		c.oldest = time.Now().Add(o.MaxAge + jitter)
	}
	return c
}

// connections are those that are open and not a WebSocket's.
type connections struct {
	closing atomic.Bool // Shutdown was called
	mu      sync.Mutex
	all     map[*conn]struct{}
}

func (s *connections) add(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all == nil {
		s.all = map[*conn]struct{}{}
	}
	s.all[c] = struct{}{}
	c.forget = func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.all, c)
	}
}

// waitQuiet waits until no connection is open, at most the time and no longer than ctx.
func (s *connections) waitQuiet(ctx context.Context, most time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	tick := time.NewTicker(most / 50)
	defer tick.Stop()
	for s.count() > 0 {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (s *connections) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.all)
}

// closeAll closes all at once and returns how many there were.
func (s *connections) closeAll() int {
	s.mu.Lock()
	left := make([]*conn, 0, len(s.all))
	for c := range s.all {
		left = append(left, c)
	}
	s.mu.Unlock()
	for _, c := range left {
		c.Conn.Close()
	}
	return len(left)
}
