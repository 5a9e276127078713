package cuda

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/NVIDIA/go-nvml/pkg/nvml"
	"github.com/NVIDIA/go-nvml/pkg/nvml/mock"
	"github.com/NVIDIA/go-nvml/pkg/nvml/mock/dgxh200"
	"github.com/NVIDIA/go-nvml/pkg/nvml/mock/server"
)

var emptyFS = fstest.MapFS{}

func TestDiscover(t *testing.T) {
	s := newScript(t, 2)
	s.gpus[1].split("MIG-aaaa", "MIG-bbbb")
	l, err := Use(s)
	if err != nil {
		t.Fatal(err)
	}
	sys := fstest.MapFS{
		"bus/pci/devices/0000:3a:00.0/numa_node":     {Data: []byte("1\n")},
		"bus/pci/devices/0000:3a:00.0/local_cpulist": {Data: []byte("16-17,48\n")},
	}
	got, err := l.discover(sys)
	if err != nil {
		t.Fatal(err)
	}
	whole := Device{Index: 0, UUID: "GPU-00000000-74d2-7297-d557-12771b6a79d5", Name: "NVIDIA A100-SXM4-40GB", Capability: Capability{8, 0},
		MemoryTotal: 40 * gib, MemoryFree: 20 * gib, PCIBusID: "0000:3a:00.0", NUMANode: 1, CPUs: []int{16, 17, 48}}
	parent := whole
	parent.Index, parent.UUID, parent.PCIBusID = 1, "GPU-00000001-74d2-7297-d557-12771b6a79d5", "0000:3b:00.0"
	parent.Split = true
	parent.NUMANode, parent.CPUs = -1, []int{4, 5, 6, 7, 64} // sysfs does not show it; NVML tells
	instance := func(uuid string, index, gi int) Device {
		d := parent
		d.UUID, d.Name, d.Split, d.MemoryTotal, d.MemoryFree = uuid, "NVIDIA A100-SXM4-40GB MIG 3g.20gb", false, 20*gib, 19*gib
		d.MIG = &MIG{ParentUUID: parent.UUID, Index: index, GPUInstance: gi}
		return d
	}
	want := []Device{whole, parent, instance("MIG-aaaa", 1, 1), instance("MIG-bbbb", 3, 2)}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("discovered\n%+v\nwant\n%+v", got, want)
	}
	if driver, version := l.Driver(); driver != "550.54.15" || version != "12.4" {
		t.Errorf("driver %s, CUDA %s", driver, version)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}

// The library's own mock of another machine, with nothing scripted but what it lacks.
func TestDiscoverH200(t *testing.T) {
	s := dgxh200.New()
	l, err := Use(s)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range s.Devices {
		d.(*server.Device).GetCpuAffinityWithinScopeFunc = func(int, nvml.AffinityScope) ([]uint, nvml.Return) {
			return nil, nvml.ERROR_NOT_SUPPORTED
		}
	}
	devices, err := l.discover(emptyFS)
	if err != nil || len(devices) != 8 {
		t.Fatalf("%d devices, %v", len(devices), err)
	}
	if d := devices[7]; d.Index != 7 || d.Capability.String() != "9.0" || !strings.Contains(d.Name, "H200") || len(d.CPUs) != 0 ||
		d.NUMANode != -1 {
		t.Errorf("the last is %+v", d)
	}
}

func TestDiscoverFailures(t *testing.T) {
	s := newScript(t, 3)
	s.gpus[1].answer = nvml.ERROR_GPU_IS_LOST
	s.gpus[2].answer = nvml.ERROR_NOT_SUPPORTED // it shares the host's memory
	l, err := Use(s)
	if err != nil {
		t.Fatal(err)
	}
	devices, err := l.discover(emptyFS)
	if len(devices) != 2 || devices[0].Index != 0 || devices[1].Index != 2 || devices[1].MemoryTotal != 0 {
		t.Errorf("devices %+v", devices)
	}
	if err == nil || errors.Is(err, ErrNoGPU) || !strings.Contains(err.Error(), "GPU 1 cannot be used: the GPU has fallen off the bus") {
		t.Errorf("error %v", err)
	}

	s.gpus[0].answer, s.gpus[2].answer = nvml.ERROR_RESET_REQUIRED, nvml.ERROR_GPU_IS_LOST
	devices, err = l.discover(emptyFS)
	if len(devices) != 0 || !errors.Is(err, ErrNoGPU) || !strings.Contains(err.Error(), "GPU 0 cannot be used: the GPU needs a reset") {
		t.Errorf("devices %v, error %v", devices, err)
	}
	s.Devices = nil
	if _, err = l.discover(emptyFS); !errors.Is(err, ErrNoGPU) || !strings.Contains(err.Error(), "the driver runs, but has none") {
		t.Errorf("error %v", err)
	}
}

func TestRefresh(t *testing.T) {
	s := newScript(t, 1)
	l, devices := s.open(t)
	d := devices[0]
	d.MemoryFree = 1
	if d, err := l.Refresh(d); err != nil || d.MemoryFree != 20*gib {
		t.Errorf("%d free, %v", d.MemoryFree, err)
	}
	s.gpus[0].answer = nvml.ERROR_UNKNOWN
	if _, err := l.Refresh(d); err == nil || !strings.Contains(err.Error(), "the memory of GPU 0 (NVIDIA A100-SXM4-40GB, GPU-00000000-") {
		t.Errorf("error %v", err)
	}
	d.UUID = "GPU-gone"
	if _, err := l.Refresh(d); err == nil || !strings.Contains(err.Error(), "cannot be reached") {
		t.Errorf("error %v", err)
	}
}

func TestWithoutDriver(t *testing.T) {
	check := func(ret nvml.Return, want string) {
		t.Helper()
		_, err := Use(&mock.Interface{InitFunc: func() nvml.Return { return ret }})
		if !errors.Is(err, ErrNoGPU) || !strings.Contains(err.Error(), want) {
			t.Errorf("%d: %v, want %q", ret, err, want)
		}
	}
	check(nvml.ERROR_LIBRARY_NOT_FOUND, "no NVIDIA GPU: libnvidia-ml.so.1 was not found; it comes with the NVIDIA driver")
	check(nvml.ERROR_DRIVER_NOT_LOADED, "modprobe nvidia")
	check(nvml.ERROR_LIB_RM_VERSION_MISMATCH, "different versions")
	check(nvml.ERROR_NO_PERMISSION, "/dev/nvidiactl")
	check(nvml.ERROR_FUNCTION_NOT_FOUND, "lacks nvmlInit")
	check(nvml.ERROR_UNKNOWN, "(UNKNOWN)")
	check(nvml.Return(77), "NVML status 77")
}

// The real library, where this machine has it or not.
func TestOpen(t *testing.T) {
	l, err := Open()
	if err != nil {
		if !errors.Is(err, ErrNoGPU) {
			t.Errorf("error %v", err)
		}
		t.Skip(err)
	}
	devices, err := l.Discover()
	t.Log(err)
	for _, d := range devices {
		t.Logf("%+v", d)
		if d.UUID == "" || d.PCIBusID == "" || d.Name == "" {
			t.Errorf("incomplete: %+v", d)
		}
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}

func TestBusID(t *testing.T) {
	check := func(id, want string) {
		t.Helper()
		p := nvml.PciInfo{Domain: 2, Bus: 0xa0, Device: 5}
		for i, c := range id {
			p.BusId[i] = int8(c)
		}
		if got := busID(p); got != want {
			t.Errorf("%q: %q, want %q", id, got, want)
		}
	}
	check("00000000:3B:00.0", "0000:3b:00.0")
	check("0000000C:3B:00.1", "000c:3b:00.1")
	check("00010000:00:1E.0", "00010000:00:1e.0")
	check("0000:3b:00.0", "0000:3b:00.0")
	check("", "0002:a0:05.0")
}
