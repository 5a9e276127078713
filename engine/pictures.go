package engine

import (
	"context"
	"errors"
	"runtime"
	"time"

	"clipd/engine/preprocess"
)

// queuePictures puts the n pictures of a request into the queue of the workers. Those in the cache are answered.
func (m *Model) queuePictures(r *request, n int) {
	type found struct {
		item
		hit bool
	}
	all := make([]found, 0, n)
	flights := make([]flight, n)
	for i := range r.inputs {
		if in := &r.inputs[i]; in.Tower == ImageTower {
			key := in.key()
			flights[len(all)].key = key
			all = append(all, found{item{req: r, index: i}, m.cache.get(key, r.out.Row(i))})
		}
	}
	now := time.Now()
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := range all {
		it := &all[i].item
		it.ready = now
		if all[i].hit {
			m.answer(*it, nil)
		} else if !m.board(it, &flights[i]) {
			m.raw.push(*it, 0)
		}
	}
	if n == 1 {
		m.work.Signal()
	} else {
		m.work.Broadcast()
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
		it := m.raw.take(one[:0], limits{tower: ImageTower, rows: 1, step: 1, most: 1})[0]
		one[:1][0] = item{} // a waiting worker holds no request
		r := it.req
		if err := r.ended(time.Now(), 0); err != nil {
			m.answer(it, err)
			m.mu.Unlock()
			continue
		}
		it.pixels, it.staged = m.buffer(), true
		r.reading++
		m.mu.Unlock()

		began := time.Now()
		err := m.prepare(it)
		it.ready = time.Now()
		m.prepared(ImageTower, 1, began, it.ready)

		m.mu.Lock()
		if r.reading--; r.gone && r.reading == 0 {
			close(r.released)
		}
		switch {
		case err != nil:
			m.answer(it, err)
		case r.gone:
			m.answer(it, context.Canceled)
		default:
			r.out.Times.Prepare.add(began, it.ready)
			m.ready[images].push(it, 0)
			m.kick()
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

// release gives the item's buffer of the stage back. The lock is held.
func (m *Model) release(it *item) {
	if it.staged {
		m.free = append(m.free, it.pixels)
		m.staged--
		m.work.Signal() // a worker may be waiting for room
	}
	it.pixels, it.staged = nil, false
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
