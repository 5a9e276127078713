package cuda

import (
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

// TestRealBindings goes the whole way that the scripts leave out: go-nvml, its jumps and a library in C, of an old driver. The
// library must be found under its own name, so the test runs itself again with a path to it.
func TestRealBindings(t *testing.T) {
	const second = "CLIPD_TEST_NVML"
	if os.Getenv(second) != "" {
		useRealBindings(t)
		return
	}
	compiler, err := exec.LookPath("cc")
	if err != nil {
		t.Skip("no C compiler:", err)
	}
	module, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/NVIDIA/go-nvml").Output()
	if err != nil {
		t.Skip("cannot find the header of NVML:", err)
	}
	dir := t.TempDir()
	build := exec.Command(compiler, "-shared", "-fPIC", "-Wno-deprecated-declarations", "-DNVML_NO_UNVERSIONED_FUNC_DEFS",
		"-I", filepath.Join(strings.TrimSpace(string(module)), "pkg", "nvml"), "-o", filepath.Join(dir, libraryName), "testdata/nvml.c")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, bindNow := range []string{"", "1"} {
		again := exec.Command(self, "-test.run=^TestRealBindings$", "-test.v")
		again.Env = append(os.Environ(), second+"=1", "LD_LIBRARY_PATH="+dir, "LD_BIND_NOW="+bindNow)
		out, err := again.CombinedOutput()
		if err != nil || !strings.Contains(string(out), "--- PASS: TestRealBindings") {
			t.Errorf("LD_BIND_NOW=%q: %v\n%s", bindNow, err, out)
		}
	}
}

func useRealBindings(t *testing.T) {
	l, err := Open()
	if err != nil {
		t.Fatal(err)
	}
	if driver, version := l.Driver(); driver != "470.57.02" || version != "11.4" {
		t.Errorf("driver %q, CUDA %q", driver, version)
	}
	devices, err := l.discover(emptyFS)
	if err != nil {
		t.Fatal(err)
	}
	want := []Device{
		{Index: 0, UUID: "GPU-8932f937-d72c-4106-c12f-20bd9faed9f6", Name: "NVIDIA A30", Capability: Capability{8, 0}, MemoryTotal: 24 * gib,
			MemoryFree: 23 * gib, PCIBusID: "0000:3b:00.0", NUMANode: -1, CPUs: []int{0, 1, 2, 3}},
		{Index: 1, UUID: "GPU-8932f938-d72c-4106-c12f-20bd9faed9f6", Name: "Tesla T4", Capability: Capability{7, 5}, MemoryTotal: 15 * gib,
			MemoryFree: 14 * gib, PCIBusID: "0000:3c:00.0", NUMANode: -1, CPUs: []int{4, 5, 6, 7}},
	}
	if !reflect.DeepEqual(devices, want) {
		t.Errorf("discovered\n%+v\nwant\n%+v", devices, want)
	}
	if d, err := l.Refresh(devices[1]); err != nil || d.MemoryFree != 14*gib {
		t.Errorf("refreshed %+v, %v", d, err)
	}

	lost := make(chan string, 1)
	m := l.Watch(devices, MonitorOptions{OnLost: func(d Device, reason string) { lost <- d.Name + ": " + reason }})
	if got := <-lost; !strings.HasPrefix(got, "Tesla T4: XID 79: the GPU has fallen off the bus") {
		t.Errorf("lost %s", got)
	}
	for m.Snapshot().GPUs[0].Polls == 0 { // the first poll may come after the event
		time.Sleep(time.Millisecond)
	}
	got := m.Snapshot().GPUs[0]
	if r := got.Reading; r.Utilization != 50 || r.Power != -1 || len(r.Slowed) != 1 || r.Recovery != "" || got.State != Well ||
		!got.Events {
		t.Errorf("status of GPU 0 %+v", got)
	}
	if !m.Stop() {
		t.Error("a call hangs")
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}
