// Package cpus says which processors this process has, how they hang together, and how replicas share them.
//
// A processor (CPU) is what Linux counts: with simultaneous multithreading (SMT) a core is two of them. Everything is read
// from /sys and /proc, so that a container's affinity, quota and hidden files count.
package cpus

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// maxCPUs is more than Linux can be built for; a larger number in a list is a mistake.
const maxCPUs = 8192

// Set is a set of processors in ascending order, each once.
type Set []int

// NewSet makes a Set of processors in any order.
func NewSet(cpus ...int) Set {
	s := slices.Clone(cpus)
	slices.Sort(s)
	return slices.Compact(s)
}

// Parse reads a list as the kernel writes it: "0-3,8". "" is the empty set.
func Parse(list string) (Set, error) {
	list = strings.TrimSpace(list)
	if list == "" {
		return nil, nil
	}
	var s Set
	for part := range strings.SplitSeq(list, ",") {
		first, last, isRange := strings.Cut(part, "-")
		a, err := parseCPU(first)
		b := a
		if err == nil && isRange {
			b, err = parseCPU(last)
		}
		if err != nil || b < a {
			return nil, fmt.Errorf("%q is no list of processors such as 0-3,8, each below %d", list, maxCPUs)
		}
		for cpu := a; cpu <= b; cpu++ {
			s = append(s, cpu)
		}
	}
	return NewSet(s...), nil
}

func parseCPU(text string) (int, error) {
	n, err := strconv.ParseUint(text, 10, 32)
	if err == nil && n >= maxCPUs {
		err = strconv.ErrRange
	}
	return int(n), err
}

// String writes the list as Parse reads it.
func (s Set) String() string {
	var text strings.Builder
	for i := 0; i < len(s); {
		next := i + 1
		for next < len(s) && s[next] == s[next-1]+1 {
			next++
		}
		if i > 0 {
			text.WriteByte(',')
		}
		text.WriteString(strconv.Itoa(s[i]))
		if next > i+1 {
			text.WriteString("-" + strconv.Itoa(s[next-1]))
		}
		i = next
	}
	return text.String()
}

// Has reports whether the processor is in the set.
func (s Set) Has(cpu int) bool {
	_, found := slices.BinarySearch(s, cpu)
	return found
}

// And returns the processors that are in both sets.
func (s Set) And(other Set) Set {
	var both Set
	for _, cpu := range s {
		if other.Has(cpu) {
			both = append(both, cpu)
		}
	}
	return both
}
