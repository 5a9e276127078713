package engine

import (
	"context"
	"errors"
	"runtime"
	"time"

	"clipd/engine/preprocess"
)

// tokenizeChunk is how many texts are tokenized before they are put into the queue together: lanes start on the
// first ones while the rest of a large request is still being tokenized.
const tokenizeChunk = 256

// Encode embeds inputs as a request without wishes of its own; see Embed.
func (m *Model) Encode(ctx context.Context, inputs []Input) (*Embeddings, error) {
	return m.Embed(ctx, Request{Inputs: inputs})
}

// Embed embeds the inputs of one request and waits for the answers. One bad input fails alone: its error stands in
// Embeddings.Errs, the others have their rows. The returned error is for the whole request: Overloaded when
// the queue has no room for it (nothing was accepted then), Unavailable when the model shuts down, Deadline when
// ctx ended first.
func (m *Model) Embed(ctx context.Context, in Request) (*Embeddings, error) {
	if err := ctx.Err(); err != nil {
		return nil, &Error{Kind: Deadline, Message: "the request ended before it began", Err: err}
	}
	if len(in.Inputs) == 0 {
		return &Embeddings{Dim: m.Dim}, nil
	}
	if err := m.accept(len(in.Inputs)); err != nil {
		return nil, err
	}
	r := newRequest(ctx, in, m.Dim)
	m.enqueue(r)
	select {
	case <-r.done:
		if ctx.Err() == nil || r.out.Errs == nil {
			return r.out, nil
		}
	case <-ctx.Done():
		m.abandon(r)
		<-r.done // the few items that a worker or lane holds right now; their inputs must stay untouched until then
	}
	return nil, &Error{Kind: Deadline, Message: "the request ended before its answer was ready", Err: ctx.Err()}
}

// accept takes n items in, or says why not.
func (m *Model) accept(n int) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return Errorf(Unavailable, "the server is shutting down")
	}
	if n > m.opts.MaxQueued {
		return Errorf(Invalid, "the request has %d inputs; at most %d are allowed (max_queued)", n, m.opts.MaxQueued)
	}
	if m.queued+n > m.opts.MaxQueued {
		return Errorf(Overloaded, "%d inputs are waiting and %d more exceed the limit of %d (max_queued); try again later",
			m.queued, n, m.opts.MaxQueued)
	}
	m.queued += n
	return nil
}

// enqueue puts the pictures of a request into the queue of the workers and its texts, tokenized, into that of
// the lanes.
func (m *Model) enqueue(r *request) {
	texts := 0
	m.mu.Lock()
	for i := range r.inputs {
		if r.inputs[i].Tower == ImageTower {
			m.raw.push(item{req: r, index: i}, 0)
		} else {
			texts++
		}
	}
	if texts < len(r.inputs) {
		m.work.Broadcast()
	}
	m.mu.Unlock()

	chunk := make([]item, 0, min(texts, tokenizeChunk))
	for i := 0; i < len(r.inputs) && texts > 0; i++ {
		if r.inputs[i].Tower != TextTower {
			continue
		}
		chunk = append(chunk, item{req: r, index: i})
		texts--
		if len(chunk) == cap(chunk) || texts == 0 {
			m.enqueueTexts(chunk)
			chunk = chunk[:0]
		}
	}
}

func (m *Model) enqueueTexts(chunk []item) {
	began := time.Now()
	ids := make([]int32, 0, 16*len(chunk))
	for i := range chunk {
		begin := len(ids)
		ids = m.tokenizer.Append(ids, chunk[i].req.inputs[chunk[i].index].Text, m.ContextLength)
		chunk[i].ids = ids[begin:len(ids):len(ids)]
	}
	ready := time.Now()
	chunk[0].req.prepared(began, ready)
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, it := range chunk {
		it.ready = ready
		if it.req.ctx.Err() != nil {
			m.drop(it)
			continue
		}
		m.ready[TextTower].push(it, bucket(len(it.ids)))
	}
	m.batches.Broadcast()
}

// abandon takes the waiting items of a request whose caller went away out of the queues.
func (m *Model) abandon(r *request) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, q := range []*queue{&m.raw, &m.ready[ImageTower], &m.ready[TextTower]} {
		for _, it := range q.remove(r) {
			m.drop(it)
		}
	}
}

// drop answers an item of a request that ended early. The lock is held.
func (m *Model) drop(it item) {
	m.release(it.pixels)
	m.settle(1)
	it.req.fail(it.index, it.req.ctx.Err())
}

// release gives a buffer of the stage back. The lock is held.
func (m *Model) release(pixels []byte) {
	if pixels != nil {
		m.free = append(m.free, pixels)
		m.staged--
		m.work.Signal() // a worker may be waiting for room
	}
}

// prepareImages is a worker: it decodes and resizes one picture after the other while the stage has room.
func (m *Model) prepareImages() {
	one := make([]item, 0, 1)
	for {
		m.mu.Lock()
		for !m.stopped && (m.raw.size == 0 || m.staged >= m.stageSize()) {
			m.work.Wait()
		}
		if m.stopped {
			m.mu.Unlock()
			return
		}
		it := m.raw.take(one[:0], 1)[0]
		one[:1][0] = item{} // a waiting worker holds no request
		if it.req.ctx.Err() != nil {
			m.drop(it)
			m.mu.Unlock()
			continue
		}
		it.pixels = m.buffer()
		m.mu.Unlock()

		began := time.Now()
		err := m.prepare(it)
		it.ready = time.Now()
		it.req.prepared(began, it.ready)

		m.mu.Lock()
		if err != nil {
			m.release(it.pixels)
			m.settle(1)
			it.req.fail(it.index, err)
		} else if it.req.ctx.Err() != nil {
			m.drop(it)
		} else {
			m.ready[ImageTower].push(it, 0)
			m.batches.Signal()
		}
		m.mu.Unlock()
	}
}

// buffer takes a buffer of the stage. The lock is held, and the stage has room.
func (m *Model) buffer() []byte {
	m.staged++
	if n := len(m.free); n > 0 {
		b := m.free[n-1]
		m.free = m.free[:n-1]
		return b
	}
	return make([]byte, m.ImageSize*m.ImageSize*3)
}

// prepare writes the pixels of a picture to its buffer. A picture that makes a decoder panic fails alone.
func (m *Model) prepare(it item) (err error) {
	defer func() {
		if p := recover(); p != nil {
			if _, bug := p.(runtime.Error); !bug {
				panic(p)
			}
			err = Errorf(Internal, "decoding the picture failed: %v", p)
		}
	}()
	in := &it.req.inputs[it.index]
	if p := in.Pixels; p != nil {
		err = preprocess.Tensor(it.pixels, p.Data, p.Height, p.Width, p.Channels, m.ImageSize, m.opts.Limits)
	} else {
		err = preprocess.Image(it.pixels, in.Image, m.ImageSize, m.opts.Limits)
	}
	if err == nil {
		return nil
	}
	kind := Internal
	var bad *preprocess.Error
	switch {
	case errors.As(err, &bad):
		kind = Invalid
	case errors.Is(err, preprocess.ErrUnavailable):
		kind = Unavailable
	}
	return &Error{Kind: kind, Message: "cannot read the picture", Err: err}
}
