package jina

import (
	"context"
	"runtime"
	"sync/atomic"
	"time"
	"weak"

	"google.golang.org/grpc/peer"

	"clipd/frontend/limit"
)

// countedAnswer is the size from which on an answer counts in the budget, bytes. What is smaller fits into the quota that
// gRPC has for each stream, or nearly.
const countedAnswer = 16 << 10

// hold is what an answer holds of the budget, from before it is written until the connection has taken its last byte: a
// call has ended for its handler while all of its answer still waits for a client that does not read.
type hold struct {
	given    *given
	progress atomic.Int64 // parts of the answer that were written
}

// given gives the bytes back once.
type given struct {
	budget *limit.Bytes
	bytes  int64
	done   atomic.Bool
	timer  atomic.Pointer[time.Timer] // of watch
}

func (g *given) give() {
	if g.done.Swap(true) {
		return
	}
	g.budget.Give(g.bytes)
	if t := g.timer.Load(); t != nil {
		t.Stop()
	}
}

// crowded is the part of the budget above which an answer that nobody takes must go.
const crowded = 2 // the half

// watch cuts the connection when nothing of the answer is written for the time and the budget is crowded. The stream, or the
// call, has ended long ago then, but what it sent waits for its reader as long as the connection lives, and gRPC has no way
// to take it back.
func (h *hold) watch(every time.Duration, cut func()) {
	if h == nil || every <= 0 || cut == nil {
		return
	}
	g, budget, seen := h.given, h.given.budget, h.progress.Load()
	weakly := weak.Make(h) // the timer must not keep alive what the transport forgets
	var check func()
	check = func() {
		if g.done.Load() {
			return
		}
		now := seen
		if h := weakly.Value(); h != nil {
			now = h.progress.Load()
		}
		if now == seen && budget.Used() > budget.Max()/crowded {
			cut()
			return
		}
		seen = now
		g.timer.Store(time.AfterFunc(every, check))
	}
	g.timer.Store(time.AfterFunc(every, check))
}

// cutter returns what ends the connection of a call, or nil where that is not known.
func cutter(ctx context.Context) func() {
	p, found := peer.FromContext(ctx)
	if !found {
		return nil
	}
	c, can := p.AuthInfo.(interface{ Cut() })
	if !can {
		return nil
	}
	return c.Cut
}

// newHold takes the bytes of an answer; nil for a small one.
func newHold(budget *limit.Bytes, bytes int) (*hold, error) {
	if budget == nil || bytes < countedAnswer {
		return nil, nil
	}
	if err := budget.Take(int64(bytes)); err != nil {
		return nil, err
	}
	h := &hold{given: &given{budget: budget, bytes: int64(bytes)}}
	// A transport that is cut may forget its buffers without freeing them.
	runtime.AddCleanup(h, (*given).give, h.given)
	return h, nil
}

// end gives the bytes back; nil holds none.
func (h *hold) end() {
	if h != nil {
		h.given.give()
	}
}
