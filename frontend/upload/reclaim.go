package upload

import (
	"time"

	"github.com/rs/zerolog"
)

// Why a connection is ended, for its client.
const (
	whyFull    = "the server has no memory for more of messages that have not arrived whole; send fewer or smaller ones at a time, or try again later"
	whyStalled = "a message has begun and not gone on, and its memory is needed"
	whyStreams = "more than twice as many streams are open as the server allows"
)

// reclaim ends connections, the most expensive first, until r has its bytes or is itself over.
//
// The most expensive is the one with the most byte seconds: a large message that comes fast costs less than a small one
// that never ends, and whoever has little is left alone, be it slow. There always is one: at least the one that waits.
func (b *Budget) reclaim(r *waiter) {
	for r.watch.waiting == r {
		now, most := b.now(), -1.0
		var victim *Watch
		for w := range b.watches {
			w.mu.Lock()
			if rent := w.rent(now); rent > most && w.held > 0 {
				victim, most = w, rent
			}
			w.mu.Unlock()
		}
		if victim == nil {
			victim = r.watch
		}
		b.finish(victim, whyFull)
		b.serve()
	}
}

// lookEvery is how often connections are looked through for stalled messages, at most.
const lookEvery = time.Second

// reclaimStalled ends connections that have a stalled message until r has its bytes. Of those that wait it is the server
// that does not read.
func (b *Budget) reclaimStalled(r *waiter) {
	now := b.now()
	since := now - int64(b.o.StallTimeout)
	if b.o.StallTimeout <= 0 || b.looked != 0 && now-b.looked < int64(lookEvery) {
		return
	}
	b.looked = now
	for w := range b.watches {
		if r.watch.waiting != r {
			return
		}
		w.mu.Lock()
		stalls := w.stalls(since)
		w.mu.Unlock()
		if stalls && w.waiting == nil {
			b.finish(w, whyStalled)
			b.serve()
		}
	}
}

// finish ends a connection, tells it why, and gives back what it had.
func (b *Budget) finish(w *Watch, why string) {
	gone := make(chan struct{})
	last, held, ok := b.drop(w, gone)
	if !ok {
		return
	}
	b.ended.Add(1)
	b.burst.note(b.o.Log, w, held, why)
	go func() {
		defer close(gone)
		w.end(goAway(last, why))
	}()
}

// drop takes a connection out; false, it is out already. gone is closed when it has been ended; nil, it is closed.
func (b *Budget) drop(w *Watch, gone chan struct{}) (last uint32, held int64, ok bool) {
	w.mu.Lock()
	if ok = !w.over; ok {
		w.gone = gone
	}
	last, held = w.highest, w.taken
	w.over, w.taken, w.held, w.weight, w.current = true, 0, 0, 0, nil
	clear(w.streams)
	w.mu.Unlock()
	delete(b.watches, w)
	if w.waiting != nil {
		b.dequeue(w.waiting)
	}
	b.o.Bytes.Give(held)
	return last, held, ok
}

func (b *Budget) close(w *Watch) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.drop(w, nil)
	b.serve()
}

func (b *Budget) endForStreams(w *Watch) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.finish(w, whyStreams)
	b.serve()
}

// logEvery is how often the log tells of ended connections, at most.
const logEvery = time.Minute

// burst is the state of the log's lines about ended connections.
type burst struct {
	since uint64 // ended connections that no line has told of
	last  time.Time
}

func (u *burst) note(log zerolog.Logger, w *Watch, held int64, why string) {
	u.since++
	if time.Since(u.last) < logEvery {
		return
	}
	event := log.Warn().Uint64("ended", u.since).Int64("bytes", held).Int64("max", w.budget.o.Bytes.Max()).Str("why", why)
	if w.remote != nil {
		event = event.Stringer("remote", w.remote)
	}
	event.Msg("connections ended for the memory of messages that have not arrived whole")
	u.since, u.last = 0, time.Now()
}
