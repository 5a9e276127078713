package cpus

import (
	"os"
	"slices"
	"testing"
	"testing/fstest"
)

func set(t *testing.T, list string) Set {
	t.Helper()
	s, err := Parse(list)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestRead(t *testing.T) {
	// check compares the number of cores, the nodes and packages that they are of, the slow ones and the threads.
	check := func(name string, fsys tree, allowed string, cores, nodes, packages int, slow string, threads int) {
		t.Helper()
		m := Read(fsys, set(t, allowed), 0)
		inNodes, inPackages, got := map[int]bool{}, map[int]bool{}, []int{}
		for _, c := range m.Cores {
			inNodes[c.Node], inPackages[c.Package] = true, true
			if c.Slow {
				got = append(got, c.CPUs...)
			}
		}
		if len(m.Cores) != cores || len(inNodes) != nodes || len(inPackages) != packages || NewSet(got...).String() != slow || m.Threads() != threads {
			t.Errorf("%s: %d cores in %d nodes and %d packages, slow %v, %d threads; want %d, %d, %d, %s, %d",
				name, len(m.Cores), len(inNodes), len(inPackages), NewSet(got...), m.Threads(), cores, nodes, packages, slow, threads)
		}
	}
	check("one core", plain(1), "0", 1, 1, 1, "", 1)
	check("two cores", plain(2), "0-1", 2, 1, 1, "", 2)
	check("server", server(), "0-255", 128, 2, 2, "", 128)
	check("one sibling of each", server(), "0-127", 128, 2, 2, "", 128)
	check("affinity within one node", server(), "4-7,132-133", 4, 1, 1, "", 4)
	check("hybrid", hybrid(), "0-15", 12, 1, 1, "8-15", 4)
	check("hybrid, slow cores only", hybrid(), "8-15", 8, 1, 1, "", 8)
	check("Grace", grace(), "0-143", 144, 2, 2, "", 144)
	check("three kinds of cores", phone(), "0-7", 8, 1, 1, "0-3", 4)
	check("nodes hidden", server().without("sys/devices/system/node"), "0-255", 128, 2, 2, "", 128)
	check("topology hidden", server().without("sys/devices/system/cpu/cpu"), "0-255", 256, 2, 1, "", 256)

	offline := server()
	offline.online("0-63,128-190") // the second package, and one sibling
	check("offline", offline, "0-255", 64, 1, 1, "", 64)

	unknown := plain(4)
	unknown.set("sys/devices/system/cpu/cpu2/topology/physical_package_id", "-1") // as arm64 without a description does
	check("unknown package", unknown, "0-3", 4, 1, 1, "", 4)
}

func TestNothingCanBeRead(t *testing.T) {
	m := Read(fstest.MapFS{}, nil, 6)
	if m.Threads() != 6 || m.Quota != 0 {
		t.Errorf("%d threads, quota %v; want GOMAXPROCS, 6, and no quota", m.Threads(), m.Quota)
	}
	for _, share := range m.Layout(2, 0) {
		if len(share.CPUs) != 0 || share.Threads != 3 {
			t.Errorf("a replica of two has %d threads on %q; want 3, not bound", share.Threads, share.CPUs)
		}
	}
	// The affinity is known without /sys.
	m = Read(fstest.MapFS{}, set(t, "2-5"), 8)
	if got := m.Split(2); m.Threads() != 4 || got[0].String() != "2-3" || got[1].String() != "4-5" {
		t.Errorf("%d threads, split %v; want 4, 2-3 and 4-5", m.Threads(), got)
	}
	// Garbage is not believed.
	garbage := plain(2)
	garbage.set("sys/devices/system/cpu/online", "zero to one")
	garbage.set("sys/devices/system/cpu/cpu0/topology/core_cpus_list", "0-1") // but 1 says that it is alone
	garbage.set("sys/devices/system/node/node0/cpulist", "?")
	if got := Read(garbage, set(t, "0-1"), 2); len(got.Cores) != 1 || got.Cores[0].CPUs.String() != "0-1" {
		t.Errorf("cores %v; want one of 0-1", got.Cores)
	}
}

func TestQuota(t *testing.T) {
	check := func(name string, fsys tree, quota float64, threads int) {
		t.Helper()
		m := Read(fsys, set(t, "0-63"), 0)
		if m.Quota != quota || m.Threads() != threads {
			t.Errorf("%s: quota %v and %d threads; want %v and %d", name, m.Quota, m.Threads(), quota, threads)
		}
	}
	check("none", plain(64), 0, 64)
	check("2", plain(64).v2("a", "200000 100000"), 2, 2)
	check("3.5", plain(64).v2("a", "350000 100000"), 3.5, 3)
	check("half", plain(64).v2("a", "50000 100000"), 0.5, 1)
	check("more than there is", plain(64).v2("a", "10000000 100000"), 100, 64)
	check("max", plain(64).v2("a", "max 100000"), 0, 64)
	check("garbage", plain(64).v2("a", "many few"), 0, 64)

	above := plain(64).v2("a/b/c", "max 100000")
	above.set("sys/fs/cgroup/a/cpu.max", "400000 100000")
	above.set("sys/fs/cgroup/a/b/cpu.max", "800000 100000")
	check("of a group above", above, 4, 4)

	// In a container, whose own group is the root of what is mounted.
	inside := plain(64)
	inside.set("proc/self/cgroup", "0::/")
	inside.set("proc/self/mountinfo", "629 628 0:26 /../../pod1 /sys/fs/cgroup ro - cgroup2 cgroup rw")
	inside.set("sys/fs/cgroup/cpu.max", "150000 100000")
	check("inside of a container", inside, 1.5, 1)

	v1 := plain(64)
	v1.set("proc/self/cgroup", "9:memory:/docker/1f2e\n4:cpu,cpuacct:/docker/1f2e\n0::/")
	v1.set("proc/self/mountinfo", "30 25 0:27 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"+
		"33 25 0:30 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid shared:9 - cgroup cgroup rw,cpu,cpuacct\n"+
		"34 25 0:31 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw")
	v1.set("sys/fs/cgroup/cpu,cpuacct/docker/1f2e/cpu.cfs_quota_us", "250000")
	v1.set("sys/fs/cgroup/cpu,cpuacct/docker/1f2e/cpu.cfs_period_us", "100000")
	v1.set("sys/fs/cgroup/unified/cgroup.procs", "")
	check("version 1", v1, 2.5, 2)
	v1.set("sys/fs/cgroup/cpu,cpuacct/docker/1f2e/cpu.cfs_quota_us", "-1")
	check("version 1 without one", v1, 0, 64)

	// As docker mounts version 1: the names are those of the host, the mount is the container's own group.
	docker := plain(64)
	docker.set("proc/self/cgroup", "4:cpu,cpuacct:/docker/1f2e")
	docker.set("proc/self/mountinfo", "33 25 0:30 /docker/1f2e /sys/fs/cgroup/cpu,cpuacct ro - cgroup cgroup rw,cpu,cpuacct")
	docker.set("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "200000")
	docker.set("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000")
	check("version 1 inside of docker", docker, 2, 2)

	m := Read(plain(64), set(t, "0-63"), 5)
	if m.Threads() != 5 {
		t.Errorf("%d threads with GOMAXPROCS 5", m.Threads())
	}
}

func TestLocal(t *testing.T) {
	m := Local()
	all := union(m.Cores)
	if len(all) == 0 || !slices.Equal(all, affinity().And(all)) {
		t.Errorf("cores %v; this process may run on %v", m.Cores, affinity())
	}
	if m.Threads() < 1 || m.Threads() > len(all) {
		t.Errorf("%d threads on processors %v", m.Threads(), all)
	}
	if _, err := os.Stat("/sys/devices/system/cpu/online"); err == nil {
		for _, c := range m.Cores {
			if len(c.CPUs) == 0 {
				t.Errorf("a core without processors: %v", m.Cores)
			}
		}
	}
}
