package engine

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// lowered runs f on an operating-system thread of its own whose priority is lower by nice. Threads that f starts in C
// inherit it, as the kernel keeps it for each thread. An unprivileged thread cannot raise its priority again, so this one
// ends with f: a goroutine that returns while locked takes its thread along. (Go never starts threads of its own from a
// locked one.)
func lowered(nice int, f func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		// It only fails for values that no thread may have; then the priority stays as it is.
		if now, err := unix.Getpriority(unix.PRIO_PROCESS, 0); err == nil {
			_ = unix.Setpriority(unix.PRIO_PROCESS, 0, 20-now+nice) // the system call gives 20 - nice
		}
		done <- f()
	}()
	return <-done
}
