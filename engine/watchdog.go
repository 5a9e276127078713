package engine

import (
	"fmt"
	"time"
)

// To whom a batch belongs after the lane was called.
const (
	running int32 = iota // to nobody yet
	ended                // the call returned: to its worker
	givenUp              // to the watchdog, which has its items tried again
)

// watch has the watchdog look at a batch when its time is over. The timer is not stopped with the batch, but looks at
// whatever runs when it fires: to set one costs a system call and wakes a thread, as much as a small batch. The lock is held.
func (m *Model) watch(s *slot, b *batch) {
	b.limit = m.patience(s, b)
	if due := b.taken.Add(b.limit); b.watched.IsZero() || due.Before(b.watched) {
		b.watched = due
		b.watchdog.Reset(b.limit)
	}
}

// look is the watchdog.
func (m *Model) look(s *slot, b *batch) {
	m.mu.Lock()
	defer m.mu.Unlock()
	b.watched = time.Time{}
	if s.batch != b {
		return // at rest: the next batch sets the timer
	}
	now := time.Now()
	if due := b.taken.Add(b.limit); now.Before(due) {
		b.watched = due
		b.watchdog.Reset(due.Sub(now))
		return
	}
	if b.owner.CompareAndSwap(running, givenUp) {
		m.giveUp(s, b)
	}
}

// patience returns after what time a batch is given up. The lock is held.
func (m *Model) patience(s *slot, b *batch) time.Duration {
	tower := towerOf(b.queue)
	c := &m.costs[tower][s.width]
	const times = 20 // other programs may have most of the machine
	return max(m.opts.Watchdog, times*(c.of(work(tower, len(b.items), b.length))+c.fresh))
}

// giveUp has the items of a batch that does not end tried elsewhere, and its lane replaced. The memory of the batch stays
// with the call, which may still write to it. The lock is held.
func (m *Model) giveUp(s *slot, b *batch) {
	err := fmt.Errorf("a batch of %d did not end within %v", len(b.items), b.limit.Round(time.Millisecond))
	b.lost, s.batch = true, nil
	m.running[b.queue] -= len(b.items)
	hanging := s.Lane
	s.hangs = true
	m.takeOut(s, err)
	m.wg.Done() // its worker is no longer waited for
	m.retry(b, hanging, func(*item) bool { return true }, err)
	m.kick()
}
