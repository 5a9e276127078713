package cpus

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestSplit(t *testing.T) {
	check := func(name string, fsys tree, allowed string, replicas int, want ...string) {
		t.Helper()
		var got []string
		for _, s := range Read(fsys, set(t, allowed), 0).Split(replicas) {
			got = append(got, s.String())
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s among %d: %q; want %q", name, replicas, got, want)
		}
	}
	check("one core", plain(1), "0", 1, "0")
	check("one core", plain(1), "0", 3, "0", "0", "0")
	check("two cores", plain(2), "0-1", 2, "0", "1")
	check("two cores", plain(2), "0-1", 5, "0", "1", "0", "1", "0")
	check("five cores", plain(5), "0-4", 2, "0-1", "2-4")
	check("server", server(), "0-255", 1, "0-255")
	check("server", server(), "0-255", 2, "0-63,128-191", "64-127,192-255")
	check("server", server(), "0-255", 3, "0-31,128-159", "32-63,160-191", "64-127,192-255")
	check("server", server(), "0-255", 4, "0-31,128-159", "32-63,160-191", "64-95,192-223", "96-127,224-255")
	check("nodes hidden", server().without("sys/devices/system/node"), "0-255", 2, "0-63,128-191", "64-127,192-255")
	// Three quarters of the cores that are left lie in the second node.
	check("affinity subset", server(), "62-69,190-197", 4, "62-63,190-191", "64-65,192-193", "66-67,194-195", "68-69,196-197")
	check("hybrid", hybrid(), "0-15", 2, "0-3", "4-7")
	check("hybrid, more than fast cores", hybrid(), "0-15", 6, "0-3", "4-7", "8-9", "10-11", "12-13", "14-15")
	check("Grace", grace(), "0-143", 2, "0-71", "72-143")

	four := plain(8) // four nodes of two cores
	for node := range 4 {
		four.node(node, fmt.Sprintf("%d-%d", 2*node, 2*node+1))
	}
	check("four nodes", four, "0-7", 2, "0-3", "4-7")
	check("four nodes", four, "0-7", 3, "0-1", "2-3", "4-7")
	check("four nodes", four, "0-7", 8, "0", "1", "2", "3", "4", "5", "6", "7")

	interleaved := server().without("sys/devices/system/node")
	interleaved.node(0, "0-255") // firmware makes one node of two packages
	check("interleaved", interleaved, "0-255", 2, "0-63,128-191", "64-127,192-255")
}

// Whatever the machine and the number of replicas: sets hold whole cores, lie in one node where there are enough replicas, and
// are disjoint and cover everything where there are no more replicas than cores.
func TestSplitHoldsItsPromises(t *testing.T) {
	for name, fsys := range map[string]tree{"server": server(), "grace": grace(), "plain": plain(7), "phone": phone()} {
		m := Read(fsys, set(t, fsys.text("sys/devices/system/cpu/online")), 0)
		for replicas := 1; replicas <= 160; replicas++ {
			sets := m.Split(replicas)
			if len(sets) != replicas {
				t.Fatalf("%s: %d sets for %d replicas", name, len(sets), replicas)
			}
			cores := m.compute(replicas)
			uses := map[int]int{}
			for _, s := range sets {
				nodes := map[int]bool{}
				for _, c := range cores {
					switch both := c.CPUs.And(s); {
					case len(both) == 0:
					case len(both) < len(c.CPUs):
						t.Errorf("%s among %d: %v has a part of the core %v", name, replicas, s, c.CPUs)
					default:
						nodes[c.Node] = true
						uses[c.CPUs[0]]++
					}
				}
				if all := len(byNode(cores)); len(nodes) == 0 || replicas >= all && len(nodes) != 1 {
					t.Errorf("%s among %d: %v lies in nodes %v", name, replicas, s, nodes)
				}
			}
			if len(uses) != len(cores) {
				t.Errorf("%s among %d: %d of %d cores are used", name, replicas, len(uses), len(cores))
			}
			for core, n := range uses {
				if replicas <= len(cores)/2 && n != 1 {
					t.Errorf("%s among %d: core %d is in %d sets", name, replicas, core, n)
				}
			}
		}
	}
}

func (t tree) text(path string) string { return text(t, path) }

func TestLayout(t *testing.T) {
	check := func(name string, m *Machine, replicas, threads int, want string) {
		t.Helper()
		var got []string
		for _, s := range m.Layout(replicas, threads) {
			got = append(got, fmt.Sprintf("%d on %q", s.Threads, s.CPUs))
		}
		if strings.Join(got, ", ") != want {
			t.Errorf("%s, %d replicas, %d threads: %s; want %s", name, replicas, threads, strings.Join(got, ", "), want)
		}
	}
	read := func(fsys tree, allowed string) *Machine { return Read(fsys, set(t, allowed), 0) }
	check("one core", read(plain(1), "0"), 0, 0, `1 on ""`)
	check("one core", read(plain(1), "0"), 2, 0, `1 on "0", 1 on "0"`)
	check("two cores", read(plain(2), "0-1"), 1, 0, `2 on ""`)
	check("two cores", read(plain(2), "0-1"), 1, 5, `5 on ""`)
	check("two cores", read(plain(2), "0-1"), 2, 0, `1 on "0", 1 on "1"`)
	check("two cores", read(plain(2), "0-1"), 2, 3, `3 on "0", 3 on "1"`)
	check("server", read(server(), "0-255"), 1, 0, `128 on ""`)
	check("server", read(server(), "0-255"), 2, 0, `64 on "0-63,128-191", 64 on "64-127,192-255"`)
	check("server", read(server(), "0-255"), 3, 0, `32 on "0-31,128-159", 32 on "32-63,160-191", 64 on "64-127,192-255"`)
	check("hybrid", read(hybrid(), "0-15"), 1, 0, `4 on ""`)
	check("hybrid", read(hybrid(), "0-15"), 2, 0, `2 on "0-3", 2 on "4-7"`)
	check("hybrid, more threads than fast cores", read(hybrid(), "0-15"), 2, 6, `6 on "0-9", 6 on "10-15"`)
	check("quota 3.5", read(plain(64).v2("a", "350000 100000"), "0-63"), 1, 0, `3 on ""`)
	check("quota 3.5", read(plain(64).v2("a", "350000 100000"), "0-63"), 2, 0, `1 on "0-31", 2 on "32-63"`)
	check("quota 1", read(plain(4).v2("a", "100000 100000"), "0-3"), 2, 0, `1 on "0-1", 1 on "2-3"`)
	check("GOMAXPROCS", Read(plain(4), set(t, "0-3"), 2), 2, 0, `1 on "0-1", 1 on "2-3"`)
}
