package engine

import (
	"context"
	"time"
)

// request is one call of Embed on its way through the queues. Its items are numbers: item i is inputs[i]. The lock
// of the model guards what is below inputs.
type request struct {
	ctx      context.Context
	deadline time.Time // zero: none
	maxBatch int       // 0 = no limit of its own
	priority Priority
	quick    bool // small enough for a wide lane
	inputs   []Input

	out      *Embeddings
	left     int           // items not yet answered
	late     bool          // an item was dropped because its answer would have come after the deadline
	gone     bool          // the caller has gone: nobody reads out, and its places are free
	reading  int           // workers that read its inputs
	released chan struct{} // when gone: closed once no worker reads its inputs
	done     chan struct{} // closed when no item is left

	shares [places]*share
	first  share // the one that most requests need
}

func newRequest(ctx context.Context, in Request) *request {
	r := &request{ctx: ctx, inputs: in.Inputs, maxBatch: in.MaxBatch, priority: in.Priority.valid(), left: len(in.Inputs), done: make(chan struct{})}
	r.deadline, _ = ctx.Deadline()
	return r
}

// share returns what the request has in the queue of a place.
func (r *request) share(p place) *share {
	s := r.shares[p]
	if s == nil {
		s = &r.first
		if s.req != nil {
			s = &share{}
		}
		s.req = r
		r.shares[p] = s
	}
	return s
}

// setError stores the error of item i.
func (r *request) setError(i int, err error) {
	if r.out.Errs == nil {
		r.out.Errs = make([]error, len(r.inputs))
	}
	r.out.Errs[i] = err
}

// item is one input of a request, ready for its tower or waiting to be prepared.
type item struct {
	req    *request
	index  int
	pixels []byte  // image, prepared: [size, size, 3] RGB
	staged bool    // pixels is a buffer of the model's stage
	ids    []int32 // text, prepared: its tokens
	flight *flight // of its content, whose leader it is
	bad    bool    // its answer has values that are not finite
	ready  time.Time
}

// answer ends an item with its error or, its row being in place, with nil. The lock is held.
func (m *Model) answer(it item, err error) {
	if it.flight != nil {
		m.land(&it, err)
	}
	m.release(&it)
	r := it.req
	if r.gone {
		return
	}
	if err != nil {
		r.setError(it.index, err)
	}
	r.left--
	m.settle(1)
	switch {
	case r.left == 0:
		close(r.done)
	case r.left < 0:
		panic("BUG: an item was answered twice")
	}
}

// ended returns why an item of the request is not worth its computation, which takes so long: its caller has gone, or it would
// come too late; or nil. The lock is held.
func (r *request) ended(now time.Time, takes time.Duration) error {
	if r.gone {
		return context.Canceled
	}
	if err := r.ctx.Err(); err != nil {
		return err
	}
	if !r.deadline.IsZero() && now.Add(takes).After(r.deadline) {
		r.late = true
		return context.DeadlineExceeded
	}
	return nil
}

// abandon frees the places of a request whose caller has gone. Its waiting items leave the queues; what a lane works on
// is answered to nobody. It returns a channel that is closed when no worker reads the inputs any more.
func (m *Model) abandon(r *request) <-chan struct{} {
	m.mu.Lock()
	defer m.mu.Unlock()
	r.released = make(chan struct{})
	r.gone = true
	if r.left > 0 {
		for _, q := range [...]*queue{&m.raw, &m.ready[images], &m.ready[r.texts()]} {
			for _, it := range q.remove(r) {
				if it.flight != nil {
					m.land(&it, context.Canceled)
				}
				m.release(&it)
			}
		}
		m.settle(r.left)
		r.left = 0
	}
	if r.reading == 0 {
		close(r.released)
	}
	return r.released
}

// texts returns which queue the texts of the request are for.
func (r *request) texts() int {
	if r.quick {
		return quickTexts
	}
	return texts
}
