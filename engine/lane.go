package engine

import (
	"runtime"
	"time"
)

// batch is what a lane works on: its items, and its buffers, which grow to the largest batch and are reused.
type batch struct {
	tower  Tower
	items  []item
	taken  time.Time
	length int     // text: tokens in a row
	ids    []int32 // [items, length]
	pixels []byte  // [items, size, size, 3]
	out    []float32

	// Of the batch before: what gather expects to come back.
	rows   int // answered
	behind int // waiting when it ended
	took   time.Duration
	ended  time.Time
}

// serve is the goroutine of a lane.
func (m *Model) serve(l Lane) {
	// A runtime may keep state by thread (CUDA's current device, pools of OpenMP), so a lane stays on one.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer l.Close()
	b := &batch{}
	for m.take(b) {
		b.taken = time.Now()
		m.fill(b)
		m.run(l, b, 0, len(b.items))
		b.ended = time.Now()
		b.took = b.ended.Sub(b.taken)
		b.rows = len(b.items)
		m.mu.Lock()
		b.behind = m.waiting()
		m.mu.Unlock()
		clear(b.items)
	}
}

// take waits for items and cuts a batch; false means that the model has closed. The batch stays open to newcomers until
// here: nothing is collected before a lane is free.
func (m *Model) take(b *batch) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	for {
		for !m.stopped && m.waiting() == 0 {
			m.wait()
		}
		if m.stopped {
			return false
		}
		m.gather(b)
		b.tower = 1 - m.last
		if m.ready[b.tower].size == 0 {
			b.tower = m.last
		}
		m.last = b.tower
		q := &m.ready[b.tower]
		// With other lanes waiting, the work is shared out rather than taken whole.
		n := min((q.size+m.idle)/(m.idle+1), m.opts.MaxBatch)
		b.items = m.live(q.take(b.items[:0], n))
		if len(b.items) > 0 {
			return true
		}
	}
}

// waiting returns how many items are ready for a lane. The lock is held.
func (m *Model) waiting() int { return m.ready[ImageTower].size + m.ready[TextTower].size }

// wait waits as an idle lane until something changes. The lock is held.
func (m *Model) wait() {
	m.idle++
	m.batches.Wait()
	m.idle--
}

// Bounds of gather: the part of the last batch's time, and a time that nobody notices.
const (
	gatherPart = 8
	gatherMost = 2 * time.Millisecond
)

// gather lets the callers that the lane has just answered come back before it cuts the next batch. Without it a lane
// takes the first of them alone, and the others find it busy: with eight callers of one text each, batches are then
// of one and seven. It waits for as many items as the last batch answered and left waiting, so a lonely caller never
// does, and at most an eighth of the time that the last batch took, from its end. The lock is held.
func (m *Model) gather(b *batch) {
	until := b.ended.Add(min(b.took/gatherPart, gatherMost))
	left, want := time.Until(until), min(b.rows+b.behind, m.opts.MaxBatch)
	if left <= 0 || m.waiting() >= want {
		return
	}
	timer := time.AfterFunc(left, func() {
		m.mu.Lock()
		m.batches.Broadcast()
		m.mu.Unlock()
	})
	defer timer.Stop()
	for !m.stopped && m.waiting() < want && time.Now().Before(until) {
		m.wait()
	}
}

// live drops the items whose caller has gone. The lock is held.
func (m *Model) live(items []item) []item {
	kept := items[:0]
	for _, it := range items {
		if it.req.ctx.Err() != nil {
			m.drop(it)
			continue
		}
		kept = append(kept, it)
	}
	clear(items[len(kept):]) // an idle lane holds no request
	return kept
}

// fill copies the items into the batch's buffers and frees their places in the stage.
func (m *Model) fill(b *batch) {
	rows := len(b.items)
	b.out = grow(b.out, rows*m.Dim)
	if b.tower == ImageTower {
		size := m.ImageSize * m.ImageSize * 3
		b.length = m.ImageSize
		b.pixels = grow(b.pixels, rows*size)
		for i := range b.items {
			copy(b.pixels[i*size:], b.items[i].pixels)
		}
		m.mu.Lock()
		for i := range b.items {
			m.release(b.items[i].pixels)
			b.items[i].pixels = nil
		}
		m.mu.Unlock()
		return
	}
	longest := 0
	for i := range b.items {
		longest = max(longest, len(b.items[i].ids))
	}
	b.length = m.rowLength(rows, longest)
	b.ids = grow(b.ids, rows*b.length)
	for i := range b.items {
		row := b.ids[i*b.length : (i+1)*b.length]
		for j := copy(row, b.items[i].ids); j < len(row); j++ {
			row[j] = m.PadID
		}
	}
}

func grow[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}

// run embeds rows [from, to) of the batch and answers their items. A batch that fails is tried again in
// halves, so that an item that a runtime cannot stand fails alone.
func (m *Model) run(l Lane, b *batch, from, to int) {
	out := b.out[from*m.Dim : to*m.Dim]
	var err error
	if b.tower == ImageTower {
		size := m.ImageSize * m.ImageSize * 3
		err = l.RunImages(b.pixels[from*size:to*size], to-from, b.length, out)
	} else {
		err = l.RunTexts(b.ids[from*b.length:to*b.length], to-from, b.length, out)
	}
	if err != nil && to-from > 1 {
		half := from + (to-from)/2
		m.run(l, b, from, half)
		m.run(l, b, half, to)
		return
	}
	left := time.Now()
	for i := from; i < to; i++ {
		b.items[i].req.ran(b.items[i].ready, b.taken, left)
		it, row := b.items[i], b.out[i*m.Dim:(i+1)*m.Dim]
		switch {
		case err != nil:
			it.req.setError(it.index, &Error{Kind: Internal, Message: "the model failed", Err: err})
		case !finite(row):
			it.req.setError(it.index, Errorf(Internal, "the model's answer has values that are not finite"))
		default:
			copy(it.req.out.Row(it.index), row)
		}
	}
	// Their places are free before the callers hear, so that one who comes back at once finds room.
	m.mu.Lock()
	defer m.mu.Unlock()
	m.settle(to - from)
	for _, it := range b.items[from:to] {
		it.req.finish()
	}
}
