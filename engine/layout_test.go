package engine

import (
	"os"
	"path/filepath"
	"testing"

	"clipd/engine/cpus"
	"clipd/engine/model"
	"clipd/engine/runtime"
)

// TestWideFits shows that a model gets a wide lane where a second text tower is cheap beside the rest, or computes in bf16.
func TestWideFits(t *testing.T) {
	folder := t.TempDir()
	l := &Opened{LaneCount: 2, Checkpoint: &model.Model{Graphs: [2]string{filepath.Join(folder, "image.onnx"), filepath.Join(folder, "text.onnx")}}}
	l.Runtime.Name = "openvino"
	l.Session[TextTower].Precision = runtime.FP32
	check := func(image, text int64, want bool) {
		t.Helper()
		for name, size := range map[string]int64{"image.onnx": 1 << 10, "image.onnx.data": image, "text.onnx": 1 << 10, "text.onnx.data": text} {
			path := filepath.Join(folder, name)
			if err := os.WriteFile(path, nil, 0o644); err != nil {
				t.Fatal(err)
			}
			if err := os.Truncate(path, size); err != nil { // no byte is written
				t.Fatal(err)
			}
		}
		if got := l.wantsWide(); got != want {
			t.Errorf("image tower of %d MiB, text tower of %d: wide lane %v, want %v", image>>20, text>>20, got, want)
		}
	}
	check(1<<20, 2<<20, true)
	check(335<<20, 242<<20, false) // ViT-B/32
	check(1216<<20, 494<<20, true) // ViT-L/14
	l.Session[TextTower].Precision = runtime.BF16
	check(335<<20, 242<<20, true)
	l.LaneCount = 1
	check(1216<<20, 494<<20, false)
}

// TestLayOut shows that replicas on a processor keep to cores of their own, and that those on GPUs have two lanes and their
// devices.
func TestLayOut(t *testing.T) {
	machine := cpus.Local()
	lay := func(o LoadOptions) *Opened {
		l := &Opened{Replicas: max(o.Replicas, 1), options: o}
		l.layOut(o)
		return l
	}
	if l := lay(LoadOptions{}); l.cpus[0] != "" || l.LaneCount != min(machine.Threads(), maxLanes) || l.LaneCount*l.Threads > machine.Threads() {
		t.Errorf("one replica is bound to %q with %d lanes of %d threads", l.cpus[0], l.LaneCount, l.Threads)
	}
	if l := lay(LoadOptions{LaneCount: 1, Threads: 2}); l.LaneCount != 1 || l.Threads != min(2, machine.Threads()) {
		t.Errorf("one lane of two threads became %d of %d", l.LaneCount, l.Threads)
	}
	l := lay(LoadOptions{Replicas: 2})
	for i, share := range machine.Layout(2, 0) {
		if l.cpus[i] != share.CPUs.String() {
			t.Errorf("replica %d keeps to %q, want %v", i, l.cpus[i], share.CPUs)
		}
	}
	l = lay(LoadOptions{Replicas: 3, Device: "cuda", Devices: []string{"cuda:0000:3b:00.0", "cuda:0000:86:00.0", "cuda:0000:3b:00.0"}})
	if l.LaneCount != gpuLanes || l.Threads != 1 || !l.onGPU() || l.device(1) != "cuda:0000:86:00.0" || l.cpus[2] != "" {
		t.Errorf("three replicas on GPUs are laid out as %+v", l)
	}
	if l := lay(LoadOptions{Device: "cuda:1"}); l.device(0) != "cuda:1" || !l.onGPU() {
		t.Errorf("device cuda:1 became %q", l.device(0))
	}
	if l := lay(LoadOptions{Device: "cpu"}); l.onGPU() {
		t.Error("the processor counts as a GPU")
	}
}
