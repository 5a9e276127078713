package engine

import (
	"fmt"
	"math"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"
)

// slot is the place of a lane among those of its model: its worker, and what is known of it. A lane that fails is
// replaced, its slot stays. The lock of the model guards it.
type slot struct {
	Slot
	number int
	width  int // index of its costs: 0 narrow, 1 wide
	wake   sync.Cond
	idle   bool   // waits for wake
	woken  bool   // and was called because there is work
	due    bool   // and is to look again, since a time has come or the model closes
	worker *batch // of the worker whose lane is in use; nil: none
	batch  *batch // the same, while it runs
	out    bool   // has no lane at the moment
	hangs  bool   // because a call of it does not return
	fails  int    // batches that failed since the last one that did not
	shapes shapes

	yieldedTo uint64    // serial of the wide lane's batch that it waited for
	want      int       // items to gather before the next batch, 0: none
	gatherEnd time.Time // and until when
	until     time.Time // when to look for a batch again, if not zero
	timer     *time.Timer
	backOff   time.Duration // before its lane is made anew
}

// batch is what a lane works on: its items, and its buffers, which grow to the largest batch and are reused.
type batch struct {
	serial uint64
	queue  int
	items  []item
	taken  time.Time
	limit  time.Duration // after which the watchdog gives it up
	form   form          // of texts
	texts  textBuffers
	packer packer
	pixels []byte // [items, size, size, 3]
	out    []float32
	retry  *again // what is tried again; nil: the first time
	plain  bool   // in the shape of the lane's last batch, so that its time says what the work costs
	lost   bool   // the watchdog gave it up; its buffers belong to the call that hangs

	owner    atomic.Int32 // of what comes after the call: one of the constants below
	watchdog *time.Timer
	watched  time.Time // when the watchdog looks next; zero: it does not
	overdue  time.Time // when the batch is given up; zero: it was in time so far
}

func (m *Model) newSlot(number int, s Slot) *slot {
	made := &slot{Slot: s, number: number}
	if s.Wide {
		made.width = 1
	}
	made.wake.L = &m.mu
	made.timer = time.AfterFunc(time.Hour, func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		made.look()
	})
	made.timer.Stop()
	return made
}

// look wakes the worker of the slot to look anew at everything. The lock is held.
func (s *slot) look() {
	s.due = true
	s.wake.Signal()
}

// start begins the worker of a slot on a lane.
func (m *Model) start(s *slot, l Lane) {
	b := &batch{}
	b.watchdog = time.AfterFunc(time.Hour, func() { m.look(s, b) })
	b.watchdog.Stop()
	s.Lane, s.worker = l, b
	m.wg.Add(1)
	go func() {
		if m.serve(s, l, b) {
			m.wg.Done()
		}
	}()
}

// serve is the worker of a lane. It returns false when the watchdog has given it up and counted it out.
func (m *Model) serve(s *slot, l Lane, b *batch) bool {
	if s.Locked {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
	}
	for m.take(s, b) {
		m.fill(b)
		err := m.call(l, b)
		if !m.finish(s, b, err) {
			l.Close()
			return false
		}
		clear(b.items)
		b.retry = nil
	}
	m.mu.Lock()
	b.watchdog.Stop()
	keep := s.worker != b && s.Rebuild == nil // replace tries it again, or closes it
	m.mu.Unlock()
	if !keep {
		l.Close()
	}
	return true
}

// take waits for items and cuts a batch; false means that the lane's time is over. The batch stays open to newcomers
// until here: nothing is collected before a lane is free.
func (m *Model) take(s *slot, b *batch) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	for {
		if m.stopped || s.worker != b {
			return false
		}
		now := time.Now()
		if m.again(s, b, now) || m.cut(s, b, now) {
			m.serial++
			b.serial, b.taken = m.serial, now
			b.owner.Store(running)
			m.watch(s, b)
			s.batch = b
			m.running[b.queue] += len(b.items)
			return true
		}
		if !s.until.IsZero() {
			s.timer.Reset(s.until.Sub(now))
		}
		s.idle = true
		if m.yields(s) {
			m.kick() // it may have been woken for what another replica's lane can take now
		}
		for !s.woken && !s.due {
			s.wake.Wait()
		}
		s.idle, s.woken, s.due = false, false, false
	}
}

// call runs the batch. A panic of the lane is its error.
func (m *Model) call(l Lane, b *batch) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the lane panicked: %v\n%s", p, debug.Stack())
		}
	}()
	if towerOf(b.queue) == ImageTower {
		return l.RunImages(b.pixels, len(b.items), m.ImageSize, b.out)
	}
	return l.RunTexts(b.texts.batch, b.out)
}

// fill copies the items into the batch's buffers and frees their places in the stage.
func (m *Model) fill(b *batch) {
	rows := len(b.items)
	if towerOf(b.queue) == ImageTower {
		size := m.ImageSize * m.ImageSize * 3
		b.out = grow(b.out, rows*m.Dim)
		b.pixels = grow(b.pixels, rows*size)
		for i := range b.items {
			copy(b.pixels[i*size:], b.items[i].pixels)
		}
		m.mu.Lock()
		for i := range b.items {
			m.release(&b.items[i])
		}
		m.mu.Unlock()
		return
	}
	b.out = grow(b.out, b.form.ends*m.Dim)
	if m.Packs {
		b.texts.packed(b.items, &b.packer, b.form)
	} else {
		b.texts.padded(b.items, b.form.width, m.PadID)
	}
}

// work is the x of the batch in the costs of its lane.
func (b *batch) work() float64 {
	if towerOf(b.queue) == ImageTower {
		return float64(len(b.items))
	}
	return float64(b.form.tokens())
}

func grow[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}

// finish answers the items of a batch that the lane has run, or hands them on to be tried again. It returns false when
// the watchdog was quicker: the batch is no longer the worker's.
func (m *Model) finish(s *slot, b *batch, err error) bool {
	if !b.owner.CompareAndSwap(running, ended) {
		return false
	}
	left := time.Now()
	m.ran(b, left, err)
	bad := 0
	if err == nil {
		for i := range b.items {
			if row := b.out[i*m.Dim : (i+1)*m.Dim]; finite(row) {
				copy(b.items[i].req.out.Row(b.items[i].index), row)
				if f := b.items[i].flight; f != nil {
					m.cache.put(f.key, row)
				}
			} else {
				b.items[i].bad = true
				bad++
			}
		}
	}
	// Their places are free before the callers hear, so that one who comes back at once finds room.
	m.mu.Lock()
	defer m.mu.Unlock()
	s.batch = nil
	rows := len(b.items)
	m.running[b.queue] -= rows
	m.crowded = (s.Wide || m.crowded) && m.ready[quickTexts].size > 0
	if err != nil || bad == rows {
		m.failed(s, b, err)
	} else {
		took := left.Sub(b.taken)
		tower := towerOf(b.queue)
		if b.plain {
			m.costs[tower][s.width].observe(b.work(), took)
		}
		m.succeeded(s)
		behind := m.waiting(s)
		for i := range b.items {
			it := b.items[i]
			if it.bad {
				continue
			}
			it.req.ran(it.ready, b.taken, left)
			if it.flight != nil {
				it.flight.taken, it.flight.left = b.taken, left
			}
			m.answer(it, nil)
		}
		if bad > 0 {
			m.retry(b, s.Lane, func(it *item) bool { return it.bad }, errNotFinite)
		}
		s.gather(rows-bad+behind, left, took, m.opts.MaxBatch)
	}
	m.kick()
	return true
}

// ran notes that an item was ready, was taken into a batch and left it. The lock is held.
func (r *request) ran(ready, taken, left time.Time) {
	if r.gone {
		return
	}
	r.out.Times.Queue.add(ready, taken)
	r.out.Times.Run.add(taken, left)
}

// finite reports whether no value of row is NaN or infinite.
func finite(row []float32) bool {
	var sum float32
	for _, v := range row {
		sum += v * 0 // 0, or NaN once a value is not finite
	}
	return !math.IsNaN(float64(sum))
}
