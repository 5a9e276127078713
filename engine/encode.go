package engine

import (
	"context"
	"runtime"
	"time"
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
// the queue has no room for it or it could not be answered in time (nothing was accepted then), Unavailable when the
// model shuts down or no lane works, Deadline when ctx ended first or would have.
func (m *Model) Embed(ctx context.Context, in Request) (*Embeddings, error) {
	if err := ctx.Err(); err != nil {
		return nil, &Error{Kind: Deadline, Message: "the request ended before it began", Err: err}
	}
	if len(in.Inputs) == 0 {
		return &Embeddings{Dim: m.Dim}, nil
	}
	r := newRequest(ctx, in)
	if err := m.accept(r); err != nil {
		return nil, err
	}
	r.out = &Embeddings{Dim: m.Dim, Data: make([]float32, len(in.Inputs)*m.Dim)}
	if err := m.enqueue(r); err != nil {
		<-m.abandon(r)
		return nil, err
	}
	select {
	case <-r.done:
		switch {
		case r.out.Errs == nil:
			return r.out, nil
		case r.late:
			return nil, &Error{Kind: Deadline, Message: "the request's deadline would have passed before its answer", Err: context.DeadlineExceeded}
		case ctx.Err() == nil:
			return r.out, nil
		}
	case <-ctx.Done():
		<-m.abandon(r) // the few inputs that a worker reads right now must stay untouched until then
	}
	return nil, &Error{Kind: Deadline, Message: "the request ended before its answer was ready", Err: ctx.Err()}
}

// enqueue puts the pictures of a request into the queue of the workers and its texts, tokenized, into that of
// the lanes. A text that makes the tokenizer panic fails its request, whose places are to be given free.
func (m *Model) enqueue(r *request) (err error) {
	defer func() {
		if p := recover(); p != nil {
			if _, bug := p.(runtime.Error); !bug {
				panic(p)
			}
			err = Errorf(Internal, "reading the request failed: %v", p)
		}
	}()
	n := 0
	for i := range r.inputs {
		if r.inputs[i].Tower == TextTower {
			n++
		}
	}
	if n < len(r.inputs) {
		m.queuePictures(r, len(r.inputs)-n)
	}
	if n > 0 {
		m.tokenize(r, n)
	}
	return nil
}

// tokenize queues the n texts of a request. When its caller goes away meanwhile it stops: Embed gives the places free.
func (m *Model) tokenize(r *request, n int) {
	var few [4]item
	var fewKeys [4]contentKey
	chunk, keys := few[:0], fewKeys[:0]
	if n > len(few) {
		chunk, keys = make([]item, 0, min(n, tokenizeChunk)), make([]contentKey, 0, min(n, tokenizeChunk))
	}
	began := time.Now()
	ids := make([]int32, 0, 16*min(n, tokenizeChunk))
	for i := range r.inputs {
		if r.inputs[i].Tower != TextTower {
			continue
		}
		if r.ctx.Err() != nil {
			return
		}
		it, key := item{req: r, index: i}, r.inputs[i].key()
		if !m.cache.get(key, r.out.Row(i)) {
			begin := len(ids)
			ids = m.tokenizer.Append(ids, r.inputs[i].Text, m.ContextLength)
			if it.ids = ids[begin:len(ids):len(ids)]; m.Packs {
				it.ids = upToEnd(it.ids)
			}
		}
		chunk, keys = append(chunk, it), append(keys, key)
		n--
		if n > 0 && len(chunk) < tokenizeChunk {
			continue
		}
		ready := time.Now()
		m.prepared(TextTower, len(chunk), began, ready)
		m.queueTexts(r, chunk, keys, began, ready)
		chunk, keys, began = chunk[:0], keys[:0], ready
		ids = make([]int32, 0, 16*min(n, tokenizeChunk))
	}
}

// lengthDecay is how much the mean length of texts follows a text.
const lengthDecay = 1.0 / 256

// queueTexts queues texts with their tokens; those without were found in the cache and are answered.
func (m *Model) queueTexts(r *request, chunk []item, keys []contentKey, began, ready time.Time) {
	flights := make([]flight, len(chunk))
	m.mu.Lock()
	defer m.mu.Unlock()
	r.out.Times.Prepare.add(began, ready)
	q := &m.ready[r.texts()]
	for i := range chunk {
		it := &chunk[i]
		it.ready = ready
		if it.ids == nil {
			m.answer(*it, nil)
			continue
		}
		flights[i].key = keys[i]
		if m.board(it, &flights[i]) {
			continue
		}
		n := len(it.ids)
		if m.length == 0 {
			m.length = float64(n)
		}
		m.length += (float64(n) - m.length) * lengthDecay
		q.push(*it, m.bucket(n))
	}
	m.kick()
}
