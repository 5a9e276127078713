package engine

import (
	"runtime"
	"time"
)

// To hand an item to a lane's thread and its answer back takes two changes of threads, some 5 µs each and 20 on a busy machine. Where a batch itself
// takes less, both sides look for a moment whether the other one is ready instead of going to sleep.
const (
	spinBelow = 20 * time.Microsecond // the time of a batch
	spinLooks = 200000                // about 100 µs; counted, since a clock that stands still in a test would never end it
)

// mayHurry notes how long a batch took. The lock is held.
func (m *Model) mayHurry(s *slot, took time.Duration) {
	s.hurries = took < spinBelow && runtime.GOMAXPROCS(0) > 1
	if m.hurries.Load() != s.hurries {
		m.hurries.Store(s.hurries)
	}
}

// spin looks for the call of an idle slot, until it comes or the time is over. The lock is held, but not meanwhile.
func (m *Model) spin(s *slot) {
	m.mu.Unlock()
	defer m.mu.Lock()
	for range spinLooks {
		if s.called.Load() {
			return
		}
	}
}

// await looks for the end of a request, for one caller at a time: others find the processors in use.
func (m *Model) await(r *request) {
	if !m.hurries.Load() || !m.awaiting.CompareAndSwap(false, true) {
		return
	}
	defer m.awaiting.Store(false)
	for range spinLooks {
		if r.over.Load() {
			return
		}
	}
}
