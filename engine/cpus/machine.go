package cpus

import (
	"io/fs"
	"os"
	"runtime"
	"sync"

	"golang.org/x/sys/unix"
)

// Machine is what this process may use.
type Machine struct {
	Cores []Core  // physical, by package, node and first processor; at least one
	Quota float64 // CPU time that the control group allows, in processors; 0: no limit
	Procs int     // GOMAXPROCS; 0: no limit
}

// Core is a physical core, or what of it this process may use.
type Core struct {
	CPUs    Set  // its processors: one, or the SMT siblings; empty: it is known that there is one, but not which
	Package int  // socket
	Node    int  // NUMA node
	Slow    bool // an efficiency core beside faster ones
}

// Local returns what this process has. It is read once: what a runtime binds its threads to later does not change it.
var Local = sync.OnceValue(func() *Machine {
	return Read(os.DirFS("/"), affinity(), runtime.GOMAXPROCS(0))
})

// affinity returns the processors that this process may run on; nil: unknown.
func affinity() Set {
	mask := unix.NewCPUSet(maxCPUs)
	if unix.SchedGetaffinityDynamic(os.Getpid(), mask) != nil {
		return nil
	}
	var s Set
	for cpu := range maxCPUs {
		if mask.IsSet(cpu) {
			s = append(s, cpu)
		}
	}
	return s
}

// Read returns what a process has that may run on these processors, with the files of the machine below fsys ("sys/...",
// "proc/..."). What cannot be read is left out: without the topology each processor counts as a core of its own, and without
// the affinity there are procs of them.
func Read(fsys fs.FS, allowed Set, procs int) *Machine {
	m := &Machine{Quota: readQuota(fsys), Procs: procs}
	if online := readSet(fsys, "sys/devices/system/cpu/online"); len(online.And(allowed)) > 0 {
		allowed = online.And(allowed)
	} else if len(allowed) == 0 {
		allowed = online
	}
	if m.Cores = readCores(fsys, allowed); len(m.Cores) == 0 {
		m.Cores = make([]Core, max(procs, 1))
	}
	return m
}
