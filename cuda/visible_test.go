package cuda

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// testMachine has n GPUs with UUIDs GPU-a0, GPU-a1, … GPU-b9 from the tenth.
func testMachine(n int) []Device {
	devices := make([]Device, n)
	for i := range devices {
		devices[i] = Device{Index: i, UUID: fmt.Sprintf("GPU-a%d-7297", i), Name: "NVIDIA A100", PCIBusID: fmt.Sprintf("0000:%02x:00.0", i),
			MemoryTotal: 40 * gib, MemoryFree: 39 * gib}
	}
	return devices
}

// withMIG splits a GPU of a machine into two instances.
func withMIG(devices []Device, gpu int) []Device {
	var all []Device
	for _, d := range devices {
		if d.Index != gpu {
			all = append(all, d)
			continue
		}
		d.Split = true
		all = append(all, d)
		parent := d.UUID
		for i := range 2 {
			d.Split, d.UUID, d.Name = false, fmt.Sprintf("MIG-%d%d-4f2c", gpu, i), "NVIDIA A100 MIG 3g.20gb"
			d.MIG = &MIG{ParentUUID: parent, Index: i, GPUInstance: i + 1}
			all = append(all, d)
		}
	}
	return all
}

// short writes devices as their indices, an instance as 1.0.
func short(devices []Device) string {
	var words []string
	for _, d := range devices {
		if d.MIG != nil {
			words = append(words, fmt.Sprintf("%d.%d", d.Index, d.MIG.Index))
		} else {
			words = append(words, fmt.Sprint(d.Index))
		}
	}
	return strings.Join(words, " ")
}

type visibleCheck func(value, want string, notes ...string)

func checkVisible(t *testing.T, devices []Device) (ok visibleCheck, fails func(value, message string)) {
	ok = func(value, want string, notes ...string) {
		t.Helper()
		s, err := Visible(devices, Setting{Value: value, Set: value != "unset", From: "the flow"})
		if err != nil || short(s.Devices) != want || len(s.Notes) != len(notes) {
			t.Errorf("%q: %q with notes %q, error %v; want %q with %d notes", value, short(s.Devices), s.Notes, err, want, len(notes))
			return
		}
		for i, note := range notes {
			if !strings.Contains(s.Notes[i], note) {
				t.Errorf("%q: note %q, want %q in it", value, s.Notes[i], note)
			}
		}
	}
	fails = func(value, message string) {
		t.Helper()
		s, err := Visible(devices, Setting{Value: value, Set: true, From: "the flow"})
		if err == nil || !strings.Contains(err.Error(), message) || len(s.Devices) != 0 {
			t.Errorf("%q: %q, error %v; want %q in it", value, short(s.Devices), err, message)
		}
		if err != nil && !strings.Contains(err.Error(), fmt.Sprintf("CUDA_VISIBLE_DEVICES is %q (the flow)", value)) {
			t.Errorf("%q: the error does not name the value: %v", value, err)
		}
	}
	return ok, fails
}

func TestVisibleLists(t *testing.T) {
	ok, fails := checkVisible(t, testMachine(3))
	ok("unset", "0 1 2")
	ok("1", "1")
	ok("2,0", "2 0")
	ok(" 2 , 0 ", "2 0")
	ok("0,2,-1,1", "0 2", `"-1" is no index of a GPU, and CUDA ignores it and the 1 after it`) // the example of CUDA's guide
	ok("0,7", "0", `"7" is no GPU of this machine`)
	ok("0,7,1", "0", `"7" is no GPU of this machine, and CUDA ignores it and the 1 after it`)
	ok("0,", "0", `"" is no index`)
	ok("1gpu,2x", "1 2") // strtoul
	ok("+1", "1")
	ok("0,-1,0", "0", `"-1" is no index`) // twice, but behind the end
	ok("0,GPU-a1", "0", `"GPU-a1" is no index`)
	fails("", `which hides all 3 GPUs; remove it, or name some of 0 (GPU-a0-7297), 1 (GPU-a1-7297), 2`)
	fails("  ", "hides all 3 GPUs")
	fails("-1", `leaves no GPU: "-1" is no index of a GPU; name some of 0 (GPU-a0-7297)`)
	fails("3", `"3" is no GPU of this machine`)
	fails("99999999999999999999", "is no GPU of this machine")
	fails("none", `"none" is no index of a GPU`)
	fails("rr", `"rr" is no index of a GPU`)
	fails("1,1", "which names GPU 1 (NVIDIA A100, GPU-a1-7297) twice")
	fails("0,7,0", "names number 0 twice")
	fails("7,7", "names number 7 twice")
}

func TestVisibleUUIDs(t *testing.T) {
	devices := testMachine(3)
	devices[2].UUID = "GPU-b2-7297"
	ok, fails := checkVisible(t, devices)
	ok("GPU-b2-7297", "2")
	ok("GPU-b2,GPU-a0", "2 0")
	ok("GPU-b, GPU-a1", "2 1")
	ok("GPU-b,GPU-c,GPU-a0", "2", `"GPU-c" is the beginning of no UUID of this machine, and CUDA ignores it and the 1 after it`)
	ok("GPU-b,0", "2", `"0" does not begin with GPU- as the first entry does`)
	fails("GPU-a", `"GPU-a" is the beginning of the UUIDs of GPU 0 (NVIDIA A100, GPU-a0-7297) and GPU 1 (NVIDIA A100, GPU-a1-7297)`)
	fails("GPU-", "is the beginning of the UUIDs of")
	fails("gpu-a0", "is no index of a GPU")
	fails("GPU-b2-7297-and-more", "is the beginning of no UUID")
	fails("GPU-b,GPU-b2", "names GPU 2 (NVIDIA A100, GPU-b2-7297) twice")
	fails("MIG-1", "is the beginning of no UUID")
}

func TestVisibleMIG(t *testing.T) {
	const only = "CUDA gives a process one MIG instance and no other GPU beside it"
	ok, fails := checkVisible(t, withMIG(testMachine(3), 1))
	ok("unset", "1.0", only)
	ok("0,2", "0 2")
	ok("1", "1.0")
	ok("0,1", "1.0", only)
	ok("RR", "1.0", only)
	ok("RR0,2", "0 2")
	ok("MIG-11", "1.1")
	ok("MIG-11-4f2c,MIG-10-4f2c", "1.1", only)
	ok("RRMIG-11,MIG-10", "1.1", only)
	ok("MIG-GPU-a1-7297/2/0", "1.1")
	fails("MIG-GPU-a1-7297/3/0", "is the beginning of no UUID")
	fails("MIG-1", "is the beginning of the UUIDs of MIG instance 0 of GPU 1 (NVIDIA A100 MIG 3g.20gb, MIG-10-4f2c) and MIG instance 1")

	devices := testMachine(2)
	devices[1].Split = true // and no instance was made
	ok, fails = checkVisible(t, devices)
	ok("unset", "0", "GPU 1 (NVIDIA A100, GPU-a1-7297) is in MIG mode without an instance; make one")
	ok("0", "0")
	fails("1", "no GPU that it leaves takes work: GPU 1")
}

// The table of jina's own test of _roundrobin_cuda_device, and what its code says beside that.
func TestRoundRobin(t *testing.T) {
	check := func(value string, machine, replicas int, want string) {
		t.Helper()
		s, err := Visible(testMachine(machine), Setting{Value: value, Set: true})
		if err != nil {
			t.Errorf("%q: %v", value, err)
			return
		}
		placed, err := Place(replicas, s.Devices)
		if err != nil || short(placed) != want {
			t.Errorf("%q: %d replicas on %d GPUs: %q, %v; want %q", value, replicas, machine, short(placed), err, want)
		}
	}
	check("RR", 3, 2, "0 1")
	check("RR", 3, 5, "0 1 2 0 1")
	check("RR1:", 3, 5, "1 2 1 2 1")
	check("RR0:2", 3, 5, "0 1 0 1 0")
	check("RR1:2", 3, 2, "1 1")
	check("RR1:2", 3, 1, "1")
	check("RR0,2,3", 4, 3, "0 2 3")
	check("RR0,2,3", 4, 5, "0 2 3 0 2")
	check("RRGPU-a2,GPU-a0", 3, 3, "2 0 2")
	check("RRGPU-a1", 3, 2, "1 1")
	check("RR:", 3, 4, "0 1 2 0")
	check("RR1:3", 4, 3, "1 2 1")
	check("RR:2", 3, 3, "0 1 0")
	check("RR1", 3, 2, "1 1")
	check("RR-2:", 3, 3, "1 2 1")
	check("RR:-1", 3, 3, "0 1 0")
	check("RR::2", 4, 3, "0 2 0")
	check("RR::-1", 3, 4, "2 1 0 2")
	check("RR-1:0:-1", 3, 2, "2 1")
	check("RR0:99", 2, 3, "0 1 0")
	check("RR[0:2]", 3, 3, "0 1 0")
	check("RR[1]", 3, 2, "1 1")
	check("RR0,0,1", 2, 6, "0 0 1 0 0 1")
	check("RR 0 : 2", 3, 3, "0 1 0")
	check("0,2", 3, 5, "0 2 0 2 0") // a plain list as well: clipd is one process

	_, fails := checkVisible(t, testMachine(2))
	fails("RR2:", "that selects none of 2 GPUs; RR is all, RR0:2 the first two, RR0,2 those two, of 0 (GPU-a0-7297), 1")
	fails("RR-1", "selects none")
	fails("RR5", "selects none")
	fails("RR1:1", "selects none")
	fails("RR0,5", "5 is no GPU of this machine")
	fails("RR0,-1", "-1 is no index of a GPU")
	fails("RR0,x", `"x" is no index of a GPU`)
	fails("RR0:2:0", "the step of a slice cannot be 0")
	fails("RR0:1:1:1", "more than start, stop and step")
	fails("RRx", `"x" is neither an index nor the beginning of a UUID`)
	fails("RR[0,1]", `"[0" is no index`)
	fails("RRGPU-a", "is the beginning of the UUIDs of GPU 0")
	fails("RRGPU-a0,1", `"1" is`)
}

func TestVisibleNoGPU(t *testing.T) {
	if _, err := Visible(nil, Setting{Value: "RR", Set: true}); !errors.Is(err, ErrNoGPU) {
		t.Errorf("error %v", err)
	}
}

func TestOrderOfNumbers(t *testing.T) {
	devices := testMachine(2)
	check := func(s Setting, want string) {
		t.Helper()
		got, err := Visible(devices, s)
		if err != nil || len(got.Notes) > 1 || strings.Join(got.Notes, "") == "" != (want == "") || !strings.Contains(strings.Join(got.Notes, ""), want) {
			t.Errorf("%+v: %q, %v; want %q", s, got.Notes, err, want)
		}
	}
	check(Setting{Value: "1", Set: true}, "")
	devices[1].Name = "NVIDIA T4"
	check(Setting{Value: "1", Set: true}, "CUDA_DEVICE_ORDER=PCI_BUS_ID makes all count alike")
	check(Setting{Value: "RR0:1", Set: true, Order: "FASTEST_FIRST"}, "the GPUs of this machine differ")
	check(Setting{Value: "1", Set: true, Order: "PCI_BUS_ID"}, "")
	check(Setting{Value: "GPU-a1", Set: true}, "")
	check(Setting{Value: "RR", Set: true}, "")
	check(Setting{}, "")
	check(Setting{Order: "fastest"}, `CUDA_DEVICE_ORDER is "fastest"; CUDA knows FASTEST_FIRST and PCI_BUS_ID`)
}

func TestFromEnvironment(t *testing.T) {
	process := map[string]string{"CUDA_VISIBLE_DEVICES": "0", "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}
	lookup := func(from map[string]string) func(string) (string, bool) {
		return func(name string) (string, bool) { v, ok := from[name]; return v, ok }
	}
	check := func(flow, process map[string]string, want Setting) {
		t.Helper()
		if got := FromEnvironment(flow, lookup(process)); got != want {
			t.Errorf("flow %v, process %v: %+v, want %+v", flow, process, got, want)
		}
	}
	check(nil, nil, Setting{})
	check(nil, process, Setting{Value: "0", Set: true, From: "the environment", Order: "PCI_BUS_ID"})
	check(map[string]string{"CUDA_VISIBLE_DEVICES": "RR"}, process, Setting{Value: "RR", Set: true, From: "the flow", Order: "PCI_BUS_ID"})
	check(map[string]string{"CUDA_VISIBLE_DEVICES": "", "CUDA_DEVICE_ORDER": "FASTEST_FIRST"}, process,
		Setting{Set: true, From: "the flow", Order: "FASTEST_FIRST"})
	if s := (Setting{}).String(); s != "CUDA_VISIBLE_DEVICES is not set" {
		t.Error(s)
	}
}

func FuzzVisible(f *testing.F) {
	for _, value := range []string{"", "0,1", "RR", "RR0:2", "RR[::-1]", "GPU-a0", "MIG-10", "RR0,0,1", "-1", "RR-9:9:9", "MIG-GPU-a1-7297/1/0"} {
		f.Add(value)
	}
	devices := withMIG(testMachine(4), 1)
	f.Fuzz(func(t *testing.T, value string) {
		s, err := Visible(devices, Setting{Value: value, Set: true})
		if err == nil == (len(s.Devices) == 0) {
			t.Fatalf("%q: %d devices, error %v", value, len(s.Devices), err)
		}
		for _, d := range s.Devices {
			if err == nil && d.Split {
				t.Fatalf("%q: %s takes no work", value, d.Label())
			}
		}
		if err == nil {
			if _, err := Environment(s.Devices); err != nil {
				t.Fatalf("%q: %v", value, err)
			}
		}
	})
}
