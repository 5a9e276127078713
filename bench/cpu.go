package bench

import (
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// measureCPU measures the processor time that this process takes within a window. The function that it returns gives
// the number of cores that were busy on average.
func measureCPU(w window) func() float64 {
	var mu sync.Mutex
	var at [2]time.Duration
	var seen [2]bool
	mark := func(i int) func() {
		return func() {
			mu.Lock()
			defer mu.Unlock()
			at[i], seen[i] = processTime(), true
		}
	}
	begin := time.AfterFunc(time.Until(w.begin), mark(0))
	end := time.AfterFunc(time.Until(w.end), mark(1))
	return func() float64 {
		begin.Stop()
		end.Stop()
		mu.Lock()
		defer mu.Unlock()
		if !seen[0] {
			return 0 // ended early
		}
		if !seen[1] {
			at[1] = processTime()
		}
		return (at[1] - at[0]).Seconds() / w.end.Sub(w.begin).Seconds()
	}
}

// processTime is the processor time of this process so far.
func processTime() time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
