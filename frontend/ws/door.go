package ws

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"clipd/frontend/auth"
	"clipd/frontend/fault"
	"clipd/frontend/jina"
	"clipd/frontend/limit"
)

// Options describe a door.
type Options struct {
	Gateway *jina.Gateway // answers the requests
	Keys    *auth.Keys    // who may call; nil: everyone
	Bytes   *limit.Bytes  // budget of the bytes of requests in progress; nil: no limit

	Prefetch     int   // most requests of one connection worked on at a time; 0: no limit
	StreamInputs int   // most documents of one connection worked on at a time; 0: no limit
	MaxMessage   int64 // bytes of a message, also after decompression; 0: DefaultMaxMessage
	MaxDocuments int   // of one request, chunks and matches included; 0: no limit

	// WriteTimeout is how long the client may take to accept a piece of an answer (writePiece); 0: for ever.
	WriteTimeout time.Duration
	// IdleTimeout is how long a connection may be silent before it is asked for a sign of life, how long it then has to
	// give it, and how long a piece of a message (readPiece) may take to come; 0: for ever.
	IdleTimeout time.Duration

	// CORS lets pages of other origins in. A browser sends Origin, and asks no permission before it opens a WebSocket, so
	// that any page could use a server that its reader's browser can reach, one on localhost or within a company. Without
	// CORS an Origin must therefore name the host and port that the request is for. Programs send no Origin and are let in.
	CORS bool

	Log zerolog.Logger
}

// DefaultMaxMessage is what the original takes, 1 GiB.
const DefaultMaxMessage = 1 << 30

// Door opens connections and knows those that are open. fasthttp forgets a connection once it is hijacked, and its
// Shutdown does not wait for it.
type Door struct {
	options Options

	mu      sync.Mutex
	open    map[*conn]struct{}
	closing bool
	empty   chan struct{} // closed when closing, and no connection is open
}

// New makes a door.
func New(o Options) *Door {
	if o.MaxMessage <= 0 {
		o.MaxMessage = DefaultMaxMessage
	}
	return &Door{options: o, open: make(map[*conn]struct{}), empty: make(chan struct{})}
}

// errShuttingDown is what a client hears that is sent away because the server ends.
var errShuttingDown = fault.New(fault.Unavailable, "the server is shutting down")

// Shutdown ends the door: nothing is upgraded any more, and connections end by themselves when their input has ended.
// One on which nothing moves for quietTime is closed. When a fifth of the time to ctx's deadline is left, or the gateway
// is stopped, nothing more is read and what was read is answered; when ctx ends, what is left is cut. Shutdown returns
// nil when everything that was read has been answered.
func (d *Door) Shutdown(ctx context.Context) error {
	d.close()
	var late <-chan time.Time
	if deadline, ok := ctx.Deadline(); ok {
		left := time.Until(deadline)
		timer := time.NewTimer(left - left/5)
		defer timer.Stop()
		late = timer.C
	}
	stopped := d.options.Gateway.Stopped()
	look := time.NewTicker(quietTime / 10)
	defer look.Stop()
	for {
		select {
		case <-d.empty:
			return nil
		case <-look.C:
			d.each((*conn).endIfQuiet)
		case <-late:
			late = nil
			d.each((*conn).goAway)
		case <-stopped:
			stopped = nil
			d.each((*conn).goAway)
		case <-ctx.Done():
			cut := d.each((*conn).cut)
			<-d.empty
			return fmt.Errorf("%d WebSocket connections were still open after the time to finish: %w", cut, ctx.Err())
		}
	}
}

// quietTime is how long nothing may move on a connection before it is taken for idle when the server shuts down.
const quietTime = time.Second

// enter takes a new connection in; one that comes too late is to go away again.
func (d *Door) enter(c *conn) (late bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.open[c] = struct{}{}
	return d.closing
}

func (d *Door) leave(c *conn) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.open, c)
	d.tellEmpty()
}

// Open is the number of connections that are open.
func (d *Door) Open() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.open)
}

// close stops new connections.
func (d *Door) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closing = true
	d.tellEmpty()
}

// tellEmpty closes d.empty once it is true. d.mu is held.
func (d *Door) tellEmpty() {
	if !d.closing || len(d.open) > 0 {
		return
	}
	select {
	case <-d.empty:
	default:
		close(d.empty)
	}
}

func (d *Door) isClosing() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.closing
}

// each calls do with every open connection and returns their number.
func (d *Door) each(do func(*conn)) int {
	d.mu.Lock()
	all := make([]*conn, 0, len(d.open))
	for c := range d.open {
		all = append(all, c)
	}
	d.mu.Unlock()
	for _, c := range all {
		do(c)
	}
	return len(all)
}
