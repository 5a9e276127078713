package cpus

import (
	"fmt"
	"strings"
	"testing/fstest"
)

// tree is a made /sys and /proc.
type tree struct{ fstest.MapFS }

func newTree() tree { return tree{fstest.MapFS{}} }

func (t tree) set(path, content string) {
	t.MapFS[path] = &fstest.MapFile{Data: []byte(content + "\n")}
}

// cpu adds a processor of a core.
func (t tree) cpu(cpu, pkg int, siblings string) {
	folder := fmt.Sprintf("sys/devices/system/cpu/cpu%d/topology/", cpu)
	t.set(folder+"core_cpus_list", siblings)
	t.set(folder+"physical_package_id", fmt.Sprint(pkg))
}

func (t tree) online(list string) { t.set("sys/devices/system/cpu/online", list) }
func (t tree) node(node int, cpus string) {
	t.set(fmt.Sprintf("sys/devices/system/node/node%d/cpulist", node), cpus)
}
func (t tree) capacity(cpu int, value int) {
	t.set(fmt.Sprintf("sys/devices/system/cpu/cpu%d/cpu_capacity", cpu), fmt.Sprint(value))
}

// without takes away what lies below a folder.
func (t tree) without(folder string) tree {
	for path := range t.MapFS {
		if strings.HasPrefix(path, folder) {
			delete(t.MapFS, path)
		}
	}
	return t
}

// plain is one package of cores with one processor each.
func plain(cores int) tree {
	t := newTree()
	for cpu := range cores {
		t.cpu(cpu, 0, fmt.Sprint(cpu))
	}
	all := fmt.Sprintf("0-%d", cores-1)
	if cores == 1 {
		all = "0"
	}
	t.online(all)
	t.node(0, all)
	return t
}

// server is two packages of 64 cores with two processors each, numbered as Linux does on x86: first one of each core, then the
// siblings. A node is a package.
func server() tree {
	t := newTree()
	for core := range 128 {
		for _, cpu := range []int{core, core + 128} {
			t.cpu(cpu, core/64, fmt.Sprintf("%d,%d", core, core+128))
		}
	}
	t.online("0-255")
	t.node(0, "0-63,128-191")
	t.node(1, "64-127,192-255")
	return t
}

// hybrid is 4 fast cores with two processors each and 8 slow ones, as Intel's kernels list them.
func hybrid() tree {
	t := newTree()
	for cpu := range 8 {
		t.cpu(cpu, 0, fmt.Sprintf("%d-%d", cpu&^1, cpu|1))
	}
	for cpu := 8; cpu < 16; cpu++ {
		t.cpu(cpu, 0, fmt.Sprint(cpu))
	}
	t.online("0-15")
	t.node(0, "0-15")
	t.set("sys/devices/cpu_core/cpus", "0-7")
	t.set("sys/devices/cpu_atom/cpus", "8-15")
	return t
}

// grace is two packages of 72 cores, arm64, with nodes of memory (of GPUs) beside the two that have processors.
func grace() tree {
	t := newTree()
	for cpu := range 144 {
		t.cpu(cpu, cpu/72, fmt.Sprint(cpu))
		t.capacity(cpu, 1024)
	}
	t.online("0-143")
	t.node(0, "0-71")
	t.node(1, "72-143")
	t.node(2, "")
	t.node(10, "")
	return t
}

// phone is an arm64 with three kinds of cores.
func phone() tree {
	t := plain(8)
	for cpu, capacity := range []int{300, 300, 300, 300, 800, 800, 800, 1024} {
		t.capacity(cpu, capacity)
	}
	return t
}

// v2 puts the process into a control group of version 2, seen from outside of a container.
func (t tree) v2(group, max string) tree {
	t.set("proc/self/cgroup", "0::/"+group)
	t.set("proc/self/mountinfo", "29 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate")
	t.set("sys/fs/cgroup/"+group+"/cpu.max", max)
	return t
}
