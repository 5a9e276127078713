package upload

import (
	"errors"
	"net"
	"sync"
)

// ErrEnded is what reading from a connection gives that was ended for the memory of its unfinished messages.
var ErrEnded = errors.New("the connection was ended: too much of messages that had not arrived whole")

// A Watch follows one HTTP/2 connection of a server. Received is called by one goroutine at a time and so is Sent; all
// else by any. A nil *Watch sees nothing.
type Watch struct {
	budget *Budget
	remote net.Addr
	end    func(goAway []byte)

	mu        sync.Mutex // after the budget's
	in, out   frames
	pad       int // of the DATA frame that is being received: its padding; -1, not known yet
	fresh     bool
	streams   map[uint32]*stream // on which the client may send
	current   *stream            // of the last DATA frame; nil: nobody will read it
	highest   uint32             // stream that the client has opened
	currentID uint32             // of current, when there is one
	held      int64              // of the streams
	weight    float64            // sum of each stream's held × began, for rent
	taken     int64              // of the budget
	resumed   int64              // when reading went on after a wait
	over      bool               // ended or closed
	gone      chan struct{}      // closed when end has returned; nil: not ended

	waiting *waiter // guarded by the budget's mutex
}

// Received looks at bytes that were read, before the server gets them. It waits when the budget has no room for what
// they add to messages; with an error the connection is over.
func (w *Watch) Received(p []byte) error {
	if w == nil {
		return nil
	}
	w.mu.Lock()
	if w.over {
		w.mu.Unlock()
		return w.leave()
	}
	tooMany := w.receive(p)
	need := w.held - w.taken
	switch {
	case tooMany:
		w.mu.Unlock()
		w.budget.endForStreams(w)
		return w.leave()
	case need > 0 && w.budget.takeAtOnce(need):
		w.taken += need
		need = 0
	case need < 0:
		w.taken += need
	}
	w.mu.Unlock()
	if need > 0 {
		return w.budget.wait(w, need)
	}
	if need < 0 {
		w.budget.give(-need)
	}
	return nil
}

// leave returns the error of a connection that is over, but not before the client was told: the server closes the
// connection when it sees the error.
func (w *Watch) leave() error {
	w.mu.Lock()
	gone := w.gone
	w.mu.Unlock()
	if gone != nil {
		<-gone
	}
	return ErrEnded
}

// Sent looks at bytes that are about to be written: a stream that the server ends takes no memory any more.
func (w *Watch) Sent(p []byte) {
	if w == nil {
		return
	}
	w.mu.Lock()
	for len(p) > 0 {
		n, began := w.out.next(p)
		p = p[n:]
		if began && w.endsStream() {
			w.forget(w.out.stream)
		}
	}
	spare := w.settle()
	w.mu.Unlock()
	if spare > 0 {
		w.budget.give(spare)
	}
}

// settle takes off what the connection has of the budget and no stream needs; the caller gives it back. w.mu is held.
func (w *Watch) settle() (spare int64) {
	spare = max(w.taken-w.held, 0)
	w.taken -= spare
	return spare
}

func (w *Watch) endsStream() bool {
	switch w.out.kind {
	case frameReset:
		return true
	case frameHeaders, frameData:
		return w.out.flags&flagEndStream != 0
	}
	return false
}

// BetweenFrames reports whether what was sent ends with a whole frame, so that another may follow.
func (w *Watch) BetweenFrames() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.out.between()
}

// Close gives back what the connection has of the budget.
func (w *Watch) Close() {
	if w != nil {
		w.budget.close(w)
	}
}

// receive follows p and reports whether the client has more streams open than it can have by mistake.
func (w *Watch) receive(p []byte) (tooMany bool) {
	now := int64(-1)
	for len(p) > 0 {
		wasHeader := w.in.skip > 0 || w.in.left == 0
		n, began := w.in.next(p)
		piece := p[:n]
		p = p[n:]
		switch {
		case began:
			if w.begin(); w.tooMany() {
				return true
			}
		case wasHeader || w.in.kind != frameData:
			continue
		case w.current != nil:
			if now < 0 {
				now = w.budget.now()
			}
			w.data(piece, now)
		}
		if w.in.left == 0 && w.in.kind == frameData && w.in.flags&flagEndStream != 0 {
			w.forget(w.in.stream)
		}
	}
	return false
}

// begin takes note of the frame whose header is there.
func (w *Watch) begin() {
	f := &w.in
	switch f.kind {
	case frameHeaders:
		// An id that is even or not higher than those before is an error that ends the connection.
		if f.stream%2 == 1 && f.stream > w.highest {
			w.highest = f.stream
			if f.flags&flagEndStream == 0 {
				w.streams[f.stream] = &stream{}
			}
		} else if f.flags&flagEndStream != 0 {
			w.forget(f.stream)
		}
	case frameReset:
		w.forget(f.stream)
	case frameData:
		if w.current == nil || w.currentID != f.stream {
			w.current, w.currentID = w.streams[f.stream], f.stream
		}
		w.fresh = true
		w.pad = 0
		if f.flags&flagPadded != 0 {
			w.pad = -1
		}
	}
}

// data takes a part of the payload of a DATA frame.
func (w *Watch) data(p []byte, now int64) {
	f, s := &w.in, w.current
	if w.pad < 0 {
		w.pad = int(p[0])
		p = p[1:]
		if w.pad > f.length-1 { // an error that ends the connection
			w.current = nil
			return
		}
	}
	if padding := min(w.pad-f.left, len(p)); padding > 0 {
		p = p[:len(p)-padding]
	}
	if len(p) == 0 {
		return
	}
	if s.held > 0 {
		w.uncount(s)
	}
	if s.add(p, memory(f.length), w.fresh) {
		s.began = now
	}
	s.moved = now
	w.fresh = false
	if s.held == 0 {
		return
	}
	w.held += s.held
	w.weight += float64(s.held) * float64(s.began)
}

func (w *Watch) uncount(s *stream) {
	w.held -= s.held
	w.weight -= float64(s.held) * float64(s.began)
	if w.held == 0 {
		w.weight = 0 // and no rounding error stays
	}
}

// forget drops a stream on which nothing more is read.
func (w *Watch) forget(id uint32) {
	s := w.streams[id]
	if s == nil {
		return
	}
	delete(w.streams, id)
	w.uncount(s)
	if s == w.current {
		w.current = nil
	}
}

// tooMany: the server ends each stream beyond its own limit, and a client that knows the limit opens none; streams that
// were under way when it came to know are few.
func (w *Watch) tooMany() bool {
	most := w.budget.o.MaxStreams
	return most > 0 && len(w.streams) > 2*most+128
}

// rent is how much of the budget the connection's messages have had for how long, in byte nanoseconds. w.mu is held, as
// below.
func (w *Watch) rent(now int64) float64 { return float64(now)*float64(w.held) - w.weight }

// stalls reports whether a message has not grown since that time.
func (w *Watch) stalls(since int64) bool {
	if w.held == 0 || w.resumed >= since {
		return false
	}
	for _, s := range w.streams {
		if s.held > 0 && s.moved < since {
			return true
		}
	}
	return false
}
