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

// watch has the watchdog look at a batch when its time is nearly over. The timer is not stopped with the batch, but looks at
// whatever runs when it fires: to set one costs a system call and wakes a thread, as much as a small batch. The lock is held.
func (m *Model) watch(s *slot, b *batch) {
	b.limit, b.overdue = m.patience(s, b), time.Time{}
	if due := b.taken.Add(b.limit - b.limit/lastPart); b.watched.IsZero() || due.Before(b.watched) {
		b.watched = due
		b.watchdog.Reset(due.Sub(b.taken))
	}
}

// lastPart of a batch's time is counted from when the watchdog has looked at it: after a pause of the whole process (a frozen
// container, a debugger) the time seems to be over, and the batch still gets this much.
const lastPart = 5

// look is the watchdog.
func (m *Model) look(s *slot, b *batch) {
	m.mu.Lock()
	defer m.mu.Unlock()
	b.watched = time.Time{}
	if s.batch != b {
		return // at rest: the next batch sets the timer
	}
	now, due := time.Now(), b.overdue
	if due.IsZero() {
		if due = b.taken.Add(b.limit - b.limit/lastPart); !now.Before(due) {
			due = now.Add(b.limit / lastPart)
			b.overdue = due
		}
	}
	if now.Before(due) {
		b.watched = due
		b.watchdog.Reset(due.Sub(now))
		return
	}
	if b.owner.CompareAndSwap(running, givenUp) {
		m.giveUp(s, b)
	}
}

// Factors of patience, which are generous since a lane that is replaced while it works costs more than a late answer.
const (
	patienceTimes   = 30 // what is expected: other programs may have most of the machine
	patienceUnknown = 10 // Options.Watchdog, while nothing is expected: a large model on a slow machine
)

// patience returns after what time a batch is given up. The lock is held.
func (m *Model) patience(s *slot, b *batch) time.Duration {
	tower := towerOf(b.queue)
	c := &m.costs[tower][s.width]
	if !c.known() {
		return patienceUnknown * m.opts.Watchdog
	}
	return max(m.opts.Watchdog, patienceTimes*(c.of(b.work())+c.fresh))
}

// giveUp has the items of a batch that does not end tried elsewhere, and its lane replaced. The memory of the batch stays
// with the call, which may still write to it. The lock is held.
func (m *Model) giveUp(s *slot, b *batch) {
	err := fmt.Errorf("a batch of %d did not end within %v", len(b.items), b.limit.Round(time.Millisecond))
	m.ran(b, time.Now(), err)
	b.lost, s.batch = true, nil
	m.running[b.queue] -= len(b.items)
	hanging := s.Lane
	s.hangs = true
	m.takeOut(s, err)
	m.wg.Done() // its worker is no longer waited for
	m.retry(b, hanging, func(*item) bool { return true }, err)
	m.kick()
}
