package upload

import (
	"container/list"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"clipd/frontend/limit"
)

// DefaultWait holds when Options has none: as long as a handful of large messages takes to arrive over a slow network.
const DefaultWait = 5 * time.Second

// Options describe a budget.
type Options struct {
	// Bytes is the memory of all messages that have not arrived whole. Nothing else takes of it: were it the budget of the
	// requests, whoever sends nothing but beginnings would have every whole request refused. It must hold the largest
	// message.
	Bytes *limit.Bytes

	// Wait is how long a connection is not read from for want of room before the one that costs the most is ended. 0 means
	// DefaultWait.
	Wait time.Duration

	// StallTimeout is how long a message that has begun may get no byte before its connection is ended, when its memory
	// is needed. 0: there is no such time.
	StallTimeout time.Duration

	// MaxStreams is the server's limit on the streams of a connection. A client that opens more than twice as many (and
	// 128) that nobody has ended is cut off. 0: no limit.
	MaxStreams int

	Log zerolog.Logger
}

// Budget is the memory of the messages that have begun and not ended, on all connections of a server.
//
// A message that stalls is ended only when others need its memory: on a connection that a proxy shares among callers,
// ending it ends all their calls, and a stream that the server itself holds back looks just the same.
type Budget struct {
	o     Options
	start time.Time
	ended atomic.Uint64
	queue atomic.Int32 // length of waiting

	mu      sync.Mutex
	watches map[*Watch]struct{}
	waiting list.List // of *waiter, first come first
	looked  int64     // when stalled messages were looked for
	burst   burst
}

// waiter is a connection that is not read from.
type waiter struct {
	watch *Watch
	bytes int64
	place *list.Element
	done  chan struct{} // closed when the bytes are its own, or the connection is over
}

// NewBudget makes a budget.
func NewBudget(o Options) *Budget {
	if o.Wait <= 0 {
		o.Wait = DefaultWait
	}
	return &Budget{o: o, start: time.Now(), watches: map[*Watch]struct{}{}}
}

// Watch follows a new connection from its first byte, the preface of HTTP/2. end is called at most once, in a goroutine
// of its own, to end the connection, if possible with that frame. The connection has to be closed by Watch.Close, too. A
// nil *Budget gives a nil *Watch.
func (b *Budget) Watch(remote net.Addr, end func(goAway []byte)) *Watch {
	if b == nil {
		return nil
	}
	w := &Watch{budget: b, remote: remote, end: end, streams: map[uint32]*stream{}}
	w.in.skip = prefaceSize
	b.mu.Lock()
	defer b.mu.Unlock()
	b.watches[w] = struct{}{}
	return w
}

// Used returns the memory of messages that have not arrived whole, bytes.
func (b *Budget) Used() int64 {
	if b == nil {
		return 0
	}
	return b.o.Bytes.Used()
}

// Ended counts the connections that were ended.
func (b *Budget) Ended() uint64 {
	if b == nil {
		return 0
	}
	return b.ended.Load()
}

// Waiting counts the connections that are not read from now.
func (b *Budget) Waiting() int {
	if b == nil {
		return 0
	}
	return int(b.queue.Load())
}

func (b *Budget) now() int64 { return int64(time.Since(b.start)) }

// takeAtOnce takes n bytes unless others wait for them.
func (b *Budget) takeAtOnce(n int64) bool { return b.queue.Load() == 0 && b.o.Bytes.Take(n) == nil }

// give gives n bytes back, to those who wait.
func (b *Budget) give(n int64) {
	b.o.Bytes.Give(n)
	if b.queue.Load() > 0 {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.serve()
	}
}

// serve wakes connections, in their order, while there is room. b.mu is held, as below.
func (b *Budget) serve() {
	for first := b.waiting.Front(); first != nil; first = b.waiting.Front() {
		r := first.Value.(*waiter)
		if b.o.Bytes.Take(r.bytes) != nil {
			return
		}
		w := r.watch
		w.mu.Lock()
		w.taken += r.bytes
		w.resumed = b.now()
		w.mu.Unlock()
		b.dequeue(r)
	}
}

func (b *Budget) dequeue(r *waiter) {
	b.waiting.Remove(r.place)
	b.queue.Add(-1)
	r.watch.waiting = nil
	close(r.done)
}

// wait waits for n bytes, and ends connections when they do not come by themselves.
func (b *Budget) wait(w *Watch, n int64) error {
	r := b.enqueue(w, n)
	timer := time.NewTimer(b.o.Wait)
	defer timer.Stop()
	select {
	case <-r.done:
	case <-timer.C:
		b.mu.Lock()
		b.reclaim(r)
		b.mu.Unlock()
		<-r.done
	}
	w.mu.Lock()
	over := w.over
	spare := w.settle() // a stream may have ended meanwhile
	w.mu.Unlock()
	if over {
		return w.leave()
	}
	if spare > 0 {
		b.give(spare)
	}
	return nil
}

func (b *Budget) enqueue(w *Watch, n int64) *waiter {
	r := &waiter{watch: w, bytes: n, done: make(chan struct{})}
	b.mu.Lock()
	defer b.mu.Unlock()
	w.mu.Lock()
	over := w.over
	w.mu.Unlock()
	if over {
		close(r.done)
		return r
	}
	w.waiting = r
	r.place = b.waiting.PushBack(r)
	b.queue.Add(1) // whoever gives from now on serves; who gave before is seen here
	b.serve()
	b.reclaimStalled(r)
	return r
}
