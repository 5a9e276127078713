package jina

import (
	"os"
	"runtime"
	"testing"
	"time"
)

// usage is what a server must not have more of after a client's mistake than before.
type usage struct {
	goroutines, descriptors int
	heap                    uint64
}

func measure() usage {
	runtime.GC()
	runtime.GC() // empties the pools
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	fds, _ := os.ReadDir("/proc/self/fd")
	return usage{runtime.NumGoroutine(), len(fds), m.HeapAlloc}
}

// settle measures when the tests before have let go of what they had.
func settle() usage {
	u := measure()
	for range 100 {
		time.Sleep(5 * time.Millisecond)
		now := measure()
		if now.goroutines >= u.goroutines {
			return now
		}
		u = now
	}
	return u
}

// compare waits until goroutines, descriptors and heap are what they were, a server of this test that still stands
// aside.
func (u usage) compare(t *testing.T) {
	t.Helper()
	const server, heap = 4, 4 << 20
	var now usage
	for range 300 {
		if now = measure(); now.goroutines <= u.goroutines+server && now.descriptors <= u.descriptors && now.heap <= u.heap+heap {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("%+v before, %+v afterwards", u, now)
}
