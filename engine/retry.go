package engine

import (
	"context"
	"errors"
	"slices"
	"time"
)

var errNotFinite = errors.New("the answer has values that are not finite")

// again is a part of a batch that failed and that is tried once more, on another lane where there is one.
type again struct {
	queue int
	items []item // pictures with copies of their pixels
	avoid Lane   // the one that failed
	hangs int    // batches with these items that did not end
}

// retry has the chosen rows of a failed batch tried again: in halves, so that an item that a runtime cannot stand fails
// alone, and on another lane than l, so that a lane that has gone wrong harms nobody. A single row that no other lane can
// be asked about, or that has failed on two, gets the error. After a batch that hung each row is tried alone, since every
// further one that hangs costs another lane; a row that hangs twice gets the error, too. The lock is held.
func (m *Model) retry(b *batch, l Lane, chosen func(*item) bool, err error) {
	hangs := 0
	if b.retry != nil {
		hangs = b.retry.hangs
	}
	if b.lost {
		hangs++
	}
	size := m.ImageSize * m.ImageSize * 3
	items := make([]item, 0, len(b.items))
	for i := range b.items {
		if it := b.items[i]; chosen(&it) {
			if b.queue == images { // the stage's buffer was given back, and that of the batch is for the next one
				it.pixels = slices.Clone(b.pixels[i*size : (i+1)*size])
			}
			it.bad = false
			if it.req.gone { // one who joined it may take it over
				m.answer(it, context.Canceled)
				continue
			}
			items = append(items, it)
		}
	}
	alone := len(b.items) == 1 && (b.retry != nil && b.retry.avoid != l || !b.lost && !m.otherThan(l, b.queue))
	switch n := len(items); {
	case n == 0:
		return
	case alone && b.retry != nil && b.retry.avoid != l:
		m.exonerate(b.retry.avoid)
		fallthrough
	case alone || hangs > 1:
		for _, it := range items {
			it.req.ran(it.ready, b.taken, time.Now())
			m.answer(it, &Error{Kind: Internal, Message: "the model failed", Err: err})
		}
	case n == 1 || hangs > 0:
		for i := range items {
			m.retries = append(m.retries, &again{b.queue, items[i : i+1], l, hangs})
		}
	default:
		m.retries = append(m.retries, &again{b.queue, items[:n/2], l, hangs}, &again{b.queue, items[n/2:], l, hangs})
	}
}

// otherThan reports whether a working lane other than l can run batches of a queue. The lock is held.
func (m *Model) otherThan(l Lane, q int) bool {
	for _, s := range m.slots {
		if !s.out && s.Lane != l && (!s.Wide || q != images) {
			return true
		}
	}
	return false
}

// retryFor returns the index of something that a slot's lane may try again, or -1. The lock is held.
func (m *Model) retryFor(s *slot) int {
	for i, r := range m.retries {
		if s.Wide && r.queue == images {
			continue
		}
		if r.avoid != s.Lane || !m.otherThan(s.Lane, r.queue) {
			return i
		}
	}
	return -1
}

// again takes something that failed before. The lock is held.
func (m *Model) again(s *slot, b *batch, now time.Time) bool {
	for {
		i := m.retryFor(s)
		if i < 0 {
			return false
		}
		r := m.retries[i]
		m.retries = slices.Delete(m.retries, i, i+1)
		c := &m.costs[towerOf(r.queue)][s.width]
		if b.items = m.live(append(b.items[:0], r.items...), c, now); len(b.items) > 0 {
			b.queue, b.retry = r.queue, r
			m.shape(s, b)
			return true
		}
	}
}
