package engine

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// request is one call of Encode on its way through the queues. Its items are numbers: item i is inputs[i].
type request struct {
	ctx      context.Context
	inputs   []Input
	maxBatch int // 0 = no limit of its own
	out      *Embeddings
	mu       sync.Mutex // guards out.Errs and out.Times
	left     atomic.Int64
	done     chan struct{} // closed when no item is left
}

func newRequest(ctx context.Context, in Request, dim int) *request {
	r := &request{ctx: ctx, inputs: in.Inputs, maxBatch: in.MaxBatch, done: make(chan struct{})}
	r.out = &Embeddings{Dim: dim, Data: make([]float32, len(in.Inputs)*dim)}
	r.left.Store(int64(len(in.Inputs)))
	return r
}

// prepared notes that items of the request were made ready between two times.
func (r *request) prepared(begin, end time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.out.Times.Prepare.add(begin, end)
}

// ran notes that an item was ready, was taken into a batch and left it.
func (r *request) ran(ready, taken, left time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.out.Times.Queue.add(ready, taken)
	r.out.Times.Run.add(taken, left)
}

// setError stores the error of item i.
func (r *request) setError(i int, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.out.Errs == nil {
		r.out.Errs = make([]error, len(r.inputs))
	}
	r.out.Errs[i] = err
}

// fail answers item i with an error.
func (r *request) fail(i int, err error) {
	r.setError(i, err)
	r.finish()
}

// finish counts one item as answered; each item calls it exactly once.
func (r *request) finish() {
	switch n := r.left.Add(-1); {
	case n == 0:
		close(r.done)
	case n < 0:
		panic("BUG: an item was answered twice")
	}
}

// item is one input of a request, ready for its tower or waiting to be prepared.
type item struct {
	req    *request
	index  int
	pixels []byte  // image, prepared: [size, size, 3] RGB, from the model's stage
	ids    []int32 // text, prepared: its tokens
	ready  time.Time
}
