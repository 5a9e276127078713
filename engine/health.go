package engine

import (
	"errors"
	"fmt"
	"time"
)

// failsMost is how many batches a lane may fail one after the other before it is made anew.
const failsMost = 3

// Bounds of the time before a lane is made anew; it doubles while the lane answers nothing in between.
const (
	backOffLeast = 100 * time.Millisecond
	backOffMost  = 30 * time.Second
)

var errNoRebuild = errors.New("this lane cannot be made anew")

// Health reports whether the model answers, and if not, why: no lane works at the moment.
func (m *Model) Health() (ok bool, reason string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.healthy, m.reason
}

// failed notes a batch that gave an error or no finite row, and has its items tried again. The lock is held.
func (m *Model) failed(s *slot, b *batch, err error) {
	if b.retry == nil { // what is tried again may be at fault itself
		s.fails++
	}
	if s.fails >= failsMost {
		m.takeOut(s, err)
	}
	m.retry(b, s.Lane, func(*item) bool { return true }, err)
}

// succeeded notes a batch with answers. The lock is held.
func (m *Model) succeeded(s *slot) {
	s.fails, s.backOff = 0, 0
}

// exonerate takes back that a lane failed: another one failed on the same input. The lock is held.
func (m *Model) exonerate(l Lane) {
	for _, s := range m.slots {
		if s.Lane == l && s.fails > 0 {
			s.fails--
		}
	}
}

// takeOut ends the use of a slot's lane and starts what brings it back. The lock is held.
func (m *Model) takeOut(s *slot, err error) {
	if s.out || m.stopped {
		return
	}
	s.out, s.worker = true, nil
	s.backOff = min(max(2*s.backOff, backOffLeast), backOffMost)
	m.review(err)
	m.wg.Go(func() { m.replace(s) })
}

// replace makes the lane of a slot anew, with growing pauses until it succeeds.
func (m *Model) replace(s *slot) {
	m.mu.Lock()
	old, pause := s.Lane, s.backOff // s.hangs does not change before start
	m.mu.Unlock()
	for {
		select {
		case <-time.After(pause):
		case <-m.end:
			if s.Rebuild == nil && !s.hangs { // its worker left it for this
				old.Close()
			}
			return
		}
		lane, err := m.rebuild(s, old)
		m.rebuilt(err)
		m.mu.Lock()
		if err == nil {
			if m.stopped {
				m.mu.Unlock()
				lane.Close()
				return
			}
			s.out, s.hangs, s.fails, s.shapes = false, false, failsMost-1, shapes{}
			m.start(s, lane)
			m.review(nil)
			m.mu.Unlock()
			return
		}
		s.backOff = min(2*s.backOff, backOffMost)
		pause = s.backOff
		m.review(err)
		m.failWaiting(err)
		m.mu.Unlock()
	}
}

// rebuild makes a lane. One that cannot be made anew is tried as it is, unless it hangs.
func (m *Model) rebuild(s *slot, old Lane) (l Lane, err error) {
	if s.Rebuild == nil && s.hangs {
		return nil, errNoRebuild
	}
	if s.Rebuild == nil {
		return old, nil
	}
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("making a lane anew panicked: %v", p)
		}
	}()
	return s.Rebuild()
}

// review decides anew whether the model is healthy; err is what has just gone wrong. The lock is held.
func (m *Model) review(err error) {
	healthy := m.lanesOf(images) > 0
	if healthy == m.healthy {
		return
	}
	m.healthy, m.reason = healthy, ""
	if !healthy {
		m.reason = fmt.Sprintf("no lane works: %v", err)
		if m.closed {
			m.failWaiting(err)
		}
	}
	if m.opts.OnHealth != nil {
		m.wg.Go(func() {
			m.telling.Lock() // one call at a time, each with what is true by then
			defer m.telling.Unlock()
			m.opts.OnHealth(m.Health())
		})
	}
}

// failWaiting answers what waits for a lane, when none works. The lock is held.
func (m *Model) failWaiting(err error) {
	if m.healthy {
		return
	}
	cause := &Error{Kind: Unavailable, Message: "no lane of the model works at the moment", Err: err}
	for _, q := range [...]*queue{&m.raw, &m.ready[images], &m.ready[texts], &m.ready[quickTexts]} {
		for q.size > 0 {
			for _, it := range q.take(nil, limits{rows: q.size, step: 1, most: q.size}) {
				m.answer(it, cause)
			}
		}
	}
	for _, r := range m.retries {
		for _, it := range r.items {
			m.answer(it, cause)
		}
	}
	m.retries = nil
}
