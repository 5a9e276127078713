package cpus

import (
	"cmp"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
)

// text reads a small file; "" when it cannot be read.
func text(fsys fs.FS, path string) string {
	data, err := fs.ReadFile(fsys, path)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(data))
}

// readSet reads a list of processors; an unreadable one is empty.
func readSet(fsys fs.FS, path string) Set {
	s, err := Parse(text(fsys, path))
	if err != nil {
		return nil
	}
	return s
}

// readNumber reads a number that is not negative, or returns otherwise. (The kernel writes -1 for what it does not know.)
func readNumber(fsys fs.FS, path string, otherwise int) int {
	n, err := strconv.Atoi(text(fsys, path))
	if err != nil || n < 0 {
		return otherwise
	}
	return n
}

// readCores groups the allowed processors into cores.
func readCores(fsys fs.FS, allowed Set) []Core {
	nodes := readNodes(fsys)
	slow := readSlow(fsys, allowed)
	var cores []Core
	seen := map[int]bool{}
	for _, cpu := range allowed {
		if seen[cpu] {
			continue
		}
		folder := fmt.Sprintf("sys/devices/system/cpu/cpu%d/topology/", cpu)
		siblings := readSet(fsys, folder+"core_cpus_list")
		if len(siblings) == 0 {
			siblings = readSet(fsys, folder+"thread_siblings_list") // its name before Linux 5.3
		}
		core := Core{CPUs: siblings.And(allowed), Package: readNumber(fsys, folder+"physical_package_id", 0), Slow: slow.Has(cpu)}
		// Siblings are mutual; where files say otherwise, no processor may get into two cores.
		core.CPUs = slices.DeleteFunc(core.CPUs, func(sibling int) bool { return seen[sibling] })
		if !core.CPUs.Has(cpu) {
			core.CPUs = Set{cpu}
		}
		for _, sibling := range core.CPUs {
			seen[sibling] = true
		}
		var known bool
		if core.Node, known = nodes[cpu]; !known {
			// A container may hide the nodes. Sockets never share one; numbers after those of nodes keep the two apart.
			core.Node = len(nodes) + core.Package
		}
		cores = append(cores, core)
	}
	slices.SortStableFunc(cores, func(a, b Core) int {
		return cmp.Or(cmp.Compare(a.Package, b.Package), cmp.Compare(a.Node, b.Node), cmp.Compare(a.CPUs[0], b.CPUs[0]))
	})
	return cores
}

// readNodes returns the NUMA node of each processor that one names.
func readNodes(fsys fs.FS) map[int]int {
	nodes := map[int]int{}
	const folder = "sys/devices/system/node"
	entries, err := fs.ReadDir(fsys, folder)
	if err != nil {
		return nil
	}
	for _, entry := range entries {
		digits, isNode := strings.CutPrefix(entry.Name(), "node")
		node, err := strconv.Atoi(digits)
		if !isNode || err != nil {
			continue
		}
		for _, cpu := range readSet(fsys, folder+"/"+entry.Name()+"/cpulist") { // none: a node of memory only
			nodes[cpu] = node
		}
	}
	return nodes
}

// readSlow returns the efficiency cores of a hybrid processor: on x86 where the kernel lists them, elsewhere those that have
// at most half of the best one's capacity.
func readSlow(fsys fs.FS, allowed Set) Set {
	fast := readSet(fsys, "sys/devices/cpu_core/cpus").And(allowed)
	if slow := readSet(fsys, "sys/devices/cpu_atom/cpus").And(allowed); len(fast) > 0 && len(slow) > 0 {
		return slow
	}
	capacity := map[int]int{}
	best := 0
	for _, cpu := range allowed {
		capacity[cpu] = readNumber(fsys, fmt.Sprintf("sys/devices/system/cpu/cpu%d/cpu_capacity", cpu), 0)
		best = max(best, capacity[cpu])
	}
	var slow Set
	for _, cpu := range allowed {
		if c := capacity[cpu]; c > 0 && 2*c <= best {
			slow = append(slow, cpu)
		}
	}
	return slow
}
