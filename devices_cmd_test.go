package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"clipd/cuda"
)

// clipdDevices runs "clipd devices" on this machine, whatever GPUs it has.
func clipdDevices(t *testing.T, args ...string) string {
	t.Helper()
	root := newRoot()
	var out bytes.Buffer
	root.SetArgs(append([]string{"devices"}, args...))
	root.SetOut(&out)
	if err := root.Execute(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestDevicesOfThisMachine(t *testing.T) {
	out := clipdDevices(t)
	if !strings.HasPrefix(out, "processors ") {
		t.Errorf("output %s", out)
	}
	if !strings.Contains(out, "GPU-") && !strings.Contains(out, "no NVIDIA GPU: ") {
		t.Errorf("neither a GPU nor why there is none: %s", out)
	}
	var m machine
	if err := json.Unmarshal([]byte(clipdDevices(t, "--json")), &m); err != nil {
		t.Fatal(err)
	}
	if len(m.CPUs) == 0 || len(m.GPUs) == 0 && len(m.Notes) == 0 {
		t.Errorf("%+v", m)
	}
}

func TestDevicesPrint(t *testing.T) {
	gpu := cuda.Device{Index: 3, UUID: "GPU-1", Name: "NVIDIA A30", MemoryTotal: 24 << 30, MemoryFree: 23 << 30, PCIBusID: "0000:3b:00.0", NUMANode: 1}
	m := machine{CPUs: []int{0, 1, 4}, Nodes: []cuda.Node{{ID: 1, CPUs: []int{4, 5}, Memory: 64 << 30}}, Driver: "570.86.15", CUDA: "12.8",
		GPUs: []cuda.Device{gpu}, Notes: []string{"a note"}}
	var out bytes.Buffer
	if err := m.print(&out, m.GPUs); err != nil {
		t.Fatal(err)
	}
	want := `processors 0-1,4 (3) for clipd
NUMA node 1: processors 4-5, 64.0 GiB
NVIDIA driver 570.86.15, CUDA up to 12.8

GPU  NAME        CUDA  FREE      MEMORY    PCI           NUMA  CPUS  CLIPD   UUID
3    NVIDIA A30  0.0   23.0 GiB  24.0 GiB  0000:3b:00.0  1     -     cuda:0  GPU-1
a note
`
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
}
