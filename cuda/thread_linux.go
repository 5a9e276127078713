package cuda

import (
	"fmt"

	"golang.org/x/sys/unix"

	"clipd/engine/cpus"
)

// AllowedCPUs returns the processors that this process may run on, ascending.
func AllowedCPUs() ([]int, error) {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return nil, fmt.Errorf("cannot read which processors clipd may use: %w", err)
	}
	var all []int
	for cpu := range len(set) * 64 {
		if set.IsSet(cpu) {
			all = append(all, cpu)
		}
	}
	return all, nil
}

// KeepNear lets the calling thread run only on the processors near the device, so that what it copies to the GPU crosses no
// other socket. The caller has locked its goroutine to the thread (runtime.LockOSThread) and never unlocks it, or the
// thread's next goroutine would inherit this. Without a known processor that clipd may use it changes nothing.
func (d Device) KeepNear() error {
	allowed, err := AllowedCPUs()
	if err != nil {
		return err
	}
	var set unix.CPUSet
	for _, cpu := range cpus.Set(d.CPUs).And(allowed) {
		set.Set(cpu)
	}
	if set.Count() == 0 || set.Count() == len(allowed) {
		return nil
	}
	if err := unix.SchedSetaffinity(0, &set); err != nil {
		return fmt.Errorf("cannot keep a thread near %s (processors %s): %w", d.Label(), cpus.Set(d.CPUs), err)
	}
	return nil
}
