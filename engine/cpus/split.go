package cpus

import "slices"

// Split divides the cores among replicas. Each set holds whole cores, SMT siblings together:
//   - with at least as many replicas as NUMA nodes, every replica lies within one node, and a node has as many replicas as
//     its part of the cores allows;
//   - with fewer, every replica has whole nodes, neighbours together;
//   - where a node has more replicas than cores, they share its cores in turn.
//
// Efficiency cores are left out where there are enough others; they are for the rest of the server. A set is empty where the
// processors are unknown.
func (m *Machine) Split(replicas int) []Set {
	var sets []Set
	for _, cores := range split(max(replicas, 1), m.compute(replicas)) {
		sets = append(sets, union(cores))
	}
	return sets
}

func split(replicas int, cores []Core) [][]Core {
	nodes := byNode(cores)
	var shares [][]Core
	if replicas < len(nodes) {
		for _, part := range chunks(nodes, replicas) {
			shares = append(shares, slices.Concat(part...))
		}
		return shares
	}
	for i, n := range replicasOf(nodes, replicas) {
		if n > len(nodes[i]) {
			for r := range n {
				shares = append(shares, nodes[i][r%len(nodes[i]):][:1])
			}
			continue
		}
		shares = append(shares, chunks(nodes[i], n)...)
	}
	return shares
}

// compute returns the cores to compute on: the fast ones of a hybrid processor where they are enough for this many threads,
// else all. Work is divided into equal parts, which end with the slowest core.
func (m *Machine) compute(threads int) []Core {
	fast := slices.DeleteFunc(slices.Clone(m.Cores), func(c Core) bool { return c.Slow })
	if len(fast) == 0 || len(fast) < threads {
		return m.Cores
	}
	return fast
}

// byNode groups cores, which are in the order of packages and nodes. A node over two packages, which some firmware makes by
// interleaving their memory, counts as two.
func byNode(cores []Core) (nodes [][]Core) {
	for i := 0; i < len(cores); {
		end := i + 1
		for end < len(cores) && cores[end].Node == cores[i].Node && cores[end].Package == cores[i].Package {
			end++
		}
		nodes = append(nodes, cores[i:end])
		i = end
	}
	return nodes
}

// replicasOf says how many replicas each node gets; at least one each. One after the other goes where it has the most cores.
func replicasOf(nodes [][]Core, replicas int) []int {
	got := make([]int, len(nodes))
	for i := range got {
		got[i] = 1
	}
	for range replicas - len(nodes) {
		best := 0
		for i := range nodes {
			if len(nodes[i])*(got[best]+1) > len(nodes[best])*(got[i]+1) {
				best = i
			}
		}
		got[best]++
	}
	return got
}

// chunks cuts items into n parts of neighbours whose sizes differ by one at most; n is at most len(items).
func chunks[T any](items []T, n int) [][]T {
	parts := make([][]T, n)
	for i := range parts {
		parts[i] = items[i*len(items)/n : (i+1)*len(items)/n]
	}
	return parts
}

func union(cores []Core) Set {
	var all []int
	for _, c := range cores {
		all = append(all, c.CPUs...)
	}
	return NewSet(all...)
}
