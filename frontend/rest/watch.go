package rest

import (
	"context"
	"sync"
	"time"
)

// watchAfter is how long a request is worked on before its connection is watched: what is quicker is not worth the
// goroutine.
const watchAfter = 10 * time.Millisecond

// ahead is a byte that a watch has read of the next request.
type ahead struct {
	mu   sync.Mutex
	full bool
	b    [1]byte
}

// take hands the byte over, if there is one.
func (a *ahead) take(to *byte) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.full {
		return false
	}
	*to, a.full = a.b[0], false
	return true
}

// watch waits for a caller to go away while its request is worked on. HTTP has no word for it: the connection is read,
// which ends when it is closed. A byte that comes instead is the beginning of the next request; it is kept, and the
// watch is over.
type watch struct {
	c      *conn
	cancel context.CancelFunc
	timer  *time.Timer
	done   chan struct{}

	mu      sync.Mutex
	stopped bool
}

// watch cancels when the caller closes the connection. Stop must be called before anything else reads of it.
func (c *conn) watch(cancel context.CancelFunc) (stop func()) {
	w := &watch{c: c, cancel: cancel, done: make(chan struct{})}
	w.timer = time.AfterFunc(watchAfter, w.run)
	return w.stop
}

func (w *watch) run() {
	defer close(w.done)
	w.mu.Lock()
	if w.stopped {
		w.mu.Unlock()
		return
	}
	w.c.Conn.SetReadDeadline(time.Time{})
	w.mu.Unlock()
	a := &w.c.ahead
	a.mu.Lock()
	full := a.full // of a request that came while the one before was watched
	a.mu.Unlock()
	if full {
		return
	}
	var b [1]byte
	n, err := w.c.Conn.Read(b[:])
	if n == 1 {
		a.mu.Lock()
		a.b, a.full = b, true
		a.mu.Unlock()
	} else if err != nil {
		w.cancel() // after stop this reaches nobody
	}
}

// past is a deadline that is over.
var past = time.Unix(1, 0)

func (w *watch) stop() {
	if w.timer.Stop() {
		return
	}
	w.mu.Lock()
	w.stopped = true
	w.c.Conn.SetReadDeadline(past)
	w.mu.Unlock()
	<-w.done
	w.c.Conn.SetReadDeadline(time.Time{})
}
