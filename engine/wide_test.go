package engine

import (
	"os"
	"path/filepath"
	"testing"

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
