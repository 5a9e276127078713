package engine

import (
	"context"
	"errors"
	"time"
)

// flight is a content on its way through the model. Inputs of the same content join it and are answered with its
// item's row. The lock of the model guards it.
type flight struct {
	key         contentKey
	leader      *request // whose item is computed
	joined      []item
	taken, left time.Time // of the batch
}

// board lets an item join the flight of its content, or makes it the leader of a new one, f. It returns true when the
// item has joined. A small request does not join a larger one, whose item may be far from its turn, nor one of lower
// priority or with batches larger than its own may be. The lock is held.
func (m *Model) board(it *item, f *flight) bool {
	first := m.flights[f.key]
	if first == nil {
		f.leader = it.req
		it.flight = f
		m.flights[f.key] = f
		return false
	}
	l, r := first.leader, it.req
	fits := r.maxBatch == 0 || l.maxBatch > 0 && l.maxBatch <= r.maxBatch
	if l != r && (l.gone || len(l.inputs) > len(r.inputs) || l.priority < r.priority || !fits) {
		return false
	}
	first.joined = append(first.joined, *it)
	m.joined.Add(1)
	return true
}

// land answers those who joined an item's flight as the item is answered. When the item was only dropped, since its own
// caller did not wait for it, one of them takes it over, with what was prepared for it: land then returns true. The lock is
// held.
func (m *Model) land(it *item, err error) (taken bool) {
	f := it.flight
	it.flight = nil
	dropped := errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
	for dropped && len(f.joined) > 0 {
		next := f.joined[0]
		f.joined = f.joined[1:]
		if next.req.gone {
			continue
		}
		f.leader, next.flight = next.req, f
		next.ids, next.pixels, next.staged = it.ids, it.pixels, it.staged
		it.pixels, it.staged = nil, false
		switch {
		case next.ids != nil:
			m.ready[next.req.texts()].push(next, m.bucket(len(next.ids)))
		case next.pixels != nil:
			m.ready[images].push(next, 0)
		default:
			m.raw.push(next, 0)
			m.work.Signal()
		}
		m.kick()
		return true
	}
	delete(m.flights, f.key)
	for i := range f.joined {
		j := &f.joined[i]
		if j.req.gone {
			continue
		}
		if err == nil {
			copy(j.req.out.Row(j.index), it.req.out.Row(it.index))
		}
		if !f.taken.IsZero() {
			j.req.ran(j.ready, f.taken, f.left)
		}
		m.answer(*j, err)
	}
	return false
}
