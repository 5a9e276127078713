package jina

import (
	"runtime"
	"sync/atomic"

	"clipd/frontend/limit"
)

// countedAnswer is the size from which on an answer counts in the budget, bytes. What is smaller fits into the quota that
// gRPC has for each stream, or nearly.
const countedAnswer = 16 << 10

// hold is what an answer holds of the budget, from before it is written until the connection has taken its last byte: a
// call has ended for its handler while all of its answer still waits for a client that does not read.
type hold struct{ given *given }

// given gives the bytes back once.
type given struct {
	budget *limit.Bytes
	bytes  int64
	done   atomic.Bool
}

func (g *given) give() {
	if !g.done.Swap(true) {
		g.budget.Give(g.bytes)
	}
}

// newHold takes the bytes of an answer; nil for a small one.
func newHold(budget *limit.Bytes, bytes int) (*hold, error) {
	if budget == nil || bytes < countedAnswer {
		return nil, nil
	}
	if err := budget.Take(int64(bytes)); err != nil {
		return nil, err
	}
	h := &hold{&given{budget: budget, bytes: int64(bytes)}}
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
