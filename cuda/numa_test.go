package cuda

import (
	"reflect"
	"runtime"
	"slices"
	"testing"
	"testing/fstest"
)

func TestNodes(t *testing.T) {
	sys := fstest.MapFS{
		"devices/system/node/node10/cpulist": {Data: []byte("\n")},
		"devices/system/node/node0/cpulist":  {Data: []byte("0-2,8\n")},
		"devices/system/node/node0/meminfo":  {Data: []byte("Node 0 MemTotal:       2048 kB\nNode 0 MemFree: 1 kB\n")},
		"devices/system/node/node1/cpulist":  {Data: []byte("nonsense")},
		"devices/system/node/online":         {Data: []byte("0-1")},
	}
	want := []Node{{ID: 0, CPUs: []int{0, 1, 2, 8}, Memory: 2 << 20}, {ID: 10}} // a node may have memory alone, or nothing
	if got := Nodes(sys); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got := Nodes(emptyFS); got != nil {
		t.Errorf("without NUMA: %+v", got)
	}
}

func TestFromMask(t *testing.T) {
	if got := fromMask([]uint{0b101, 0, 1 << 63}); !slices.Equal(got, []int{0, 2, 191}) {
		t.Errorf("got %v", got)
	}
}

func TestKeepNear(t *testing.T) {
	all, err := AllowedCPUs()
	if err != nil || len(all) == 0 {
		t.Fatalf("allowed %v, %v", all, err)
	}
	if len(all) < 2 {
		t.Skip("one processor is always near")
	}
	last := all[len(all)-1]
	check := func(d Device, want []int) {
		t.Helper()
		done := make(chan []int)
		go func() { // its thread ends with it, since it stays locked
			runtime.LockOSThread()
			if err := d.KeepNear(); err != nil {
				t.Error(err)
			}
			got, err := AllowedCPUs()
			if err != nil {
				t.Error(err)
			}
			done <- got
		}()
		if got := <-done; !slices.Equal(got, want) {
			t.Errorf("near %v: runs on %v, want %v", d.CPUs, got, want)
		}
	}
	check(Device{CPUs: []int{last, 60000}}, []int{last})
	check(Device{}, all)
	check(Device{CPUs: []int{60000}}, all) // none of them is clipd's
	check(Device{CPUs: all}, all)
}
