package limit

import (
	"math"

	"github.com/KimMachineGun/automemlimit/memlimit"
)

const (
	// leastDefault lets a few of the largest pictures through on a machine of any size.
	leastDefault = 256 << 20
	// part of the memory that requests get when the flow does not say: the rest is the model's, the decoded
	// pictures' and the system's.
	part = 4
)

// Memory is what this process may use, bytes: the limit of its control group, or the machine's memory; 0 when neither can
// be read.
func Memory() int64 {
	return int64(min(smallest(memlimit.FromCgroup, memlimit.FromSystem), math.MaxInt64))
}

// defaultMax is the budget for this process.
func defaultMax() int64 { return shareOf(memlimit.FromCgroup, memlimit.FromSystem) }

// shareOf returns a part of the smallest of the memory sizes, in bytes. One that cannot be read, or has no limit, does
// not count: a process without a control group has the whole machine.
func shareOf(sizes ...func() (uint64, error)) int64 {
	return max(leastDefault, int64(smallest(sizes...)/part))
}

// smallest returns the smallest of the sizes that can be read, 0 for none.
func smallest(sizes ...func() (uint64, error)) uint64 {
	memory := uint64(0)
	for _, size := range sizes {
		if n, err := size(); err == nil && (memory == 0 || n < memory) {
			memory = n
		}
	}
	return memory
}
