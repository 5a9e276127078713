package cpus

// Share is what a replica gets.
type Share struct {
	CPUs    Set // processors that its threads are to run on; empty: all, nothing is bound
	Threads int // that compute at the same time, at least 1
}

// Threads returns how many threads are worth computing with: one for each physical core, as ONNX Runtime and, for latency,
// OpenVINO choose by themselves, since siblings share the units that multiply; the fast cores only where there are efficiency
// cores; never more than the quota of the control group, past which all threads are stopped for the rest of each period, or
// GOMAXPROCS.
func (m *Machine) Threads() int { return m.most(len(m.compute(1))) }

// most bounds a number of threads by quota and GOMAXPROCS.
func (m *Machine) most(threads int) int {
	if m.Quota > 0 {
		threads = min(threads, int(m.Quota))
	}
	if m.Procs > 0 {
		threads = min(threads, m.Procs)
	}
	return max(threads, 1)
}

// Layout divides the machine among replicas. threads is what was asked for each replica; with 0 it gets one for each of its
// cores and its part of what Threads allows. A single replica is not bound: it has everything, and the server's own threads
// share its cores.
func (m *Machine) Layout(replicas, threads int) []Share {
	replicas = max(replicas, 1)
	if replicas == 1 {
		if threads <= 0 {
			threads = m.Threads()
		}
		return []Share{{Threads: threads}}
	}
	shares := make([]Share, replicas)
	parts := split(replicas, m.compute(replicas*max(threads, 1)))
	cores := 0
	for _, part := range parts {
		cores += len(part)
	}
	allowed := m.most(cores)
	before, given := 0, 0 // cores and threads of the replicas so far
	for i, part := range parts {
		before += len(part)
		shares[i] = Share{CPUs: union(part), Threads: threads}
		if threads <= 0 {
			shares[i].Threads = max(before*allowed/cores-given, 1)
			given += shares[i].Threads
		}
	}
	return shares
}
