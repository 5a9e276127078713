package model

import (
	"encoding/binary"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"clipd/engine/model/arch"
	"clipd/engine/model/checkpoint"
	"clipd/engine/model/onnx"
	"clipd/engine/model/registry"
	"clipd/engine/model/tower"
)

func TestMakeWhatItReads(t *testing.T) {
	for _, name := range []string{"ViT-S-32-alt"} {
		dir := t.TempDir()
		if err := Make(name, 7, dir); err != nil {
			t.Fatal(err)
		}
		m := load(t, Options{Path: dir, CacheDir: t.TempDir()})
		_, want, err := registry.FindArchitecture(name)
		if err != nil {
			t.Fatal(err)
		}
		if m.Dim != want.EmbedDim || m.ImageSize != want.Vision.ImageSize || m.Architecture.Vision.Width != want.Vision.Width ||
			m.Architecture.Text.Layers != want.Text.Layers || m.LogitScale < 99.9 || m.LogitScale > 100.1 {
			t.Errorf("%s: %+v", name, m)
		}
		d, err := Info(dir)
		if err != nil || d.Problem != "" || d.Format != "safetensors" || d.Tensors != d.Types["float32"] || !strings.Contains(d.String(), "ViT/32 224 px") {
			t.Errorf("%s: %+v, %v", name, d, err)
		}
		if 4*d.Parameters > d.Bytes || 4*d.Parameters < d.Bytes-200_000 {
			t.Errorf("%s: %d parameters in %d bytes", name, d.Parameters, d.Bytes)
		}
	}
}

func TestRandomWeights(t *testing.T) {
	tensors := []randomTensor{{"a", []int{333, 77}, 0, 0.02}, {"b", []int{5}, 1, 0}, {"c", nil, 4.5, 0}, {"d", []int{333, 77}, 0, 0.02}}
	file := func(seed int64) string {
		t.Helper()
		path := filepath.Join(t.TempDir(), "x.safetensors")
		if err := writeRandom(path, tensors, seed); err != nil {
			t.Fatal(err)
		}
		return path
	}
	read := func(path string) string {
		t.Helper()
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	first := file(1)
	if read(first) != read(file(1)) {
		t.Error("one seed gave two files")
	}
	if read(first) == read(file(2)) {
		t.Error("two seeds gave one file")
	}
	c, err := checkpoint.Open(first)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	values, others := make([]float32, 333*77), make([]float32, 333*77)
	for name, to := range map[string][]float32{"a": values, "d": others, "b": make([]float32, 5)} {
		if err := c.Tensor(name).Floats(to, 0); err != nil {
			t.Fatal(err)
		}
		if name == "b" && !slices.Equal(to, []float32{1, 1, 1, 1, 1}) {
			t.Errorf("a constant is %v", to)
		}
	}
	sum, squares := 0.0, 0.0
	for _, v := range values {
		sum += float64(v)
		squares += float64(v) * float64(v)
	}
	n := float64(len(values))
	if mean, std := sum/n, math.Sqrt(squares/n); math.Abs(mean) > 0.001 || math.Abs(std-0.02) > 0.001 {
		t.Errorf("mean %v and standard deviation %v, expected 0 and 0.02", mean, std)
	}
	if slices.Equal(values, others) {
		t.Error("two tensors are equal")
	}
	if err := writeRandom("/nowhere/x", tensors, 1); err == nil {
		t.Error("a missing folder was written to")
	}
}

// TestEveryArchitectureIsComplete: the tensors that Make lists are those that the graphs need, no more and no less.
// TestShapeOfAScalar holds the header to what other readers of safetensors accept.
func TestShapeOfAScalar(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.safetensors")
	if err := writeRandom(path, []randomTensor{{"logit_scale", nil, 4.5, 0}}, 1); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if header := string(data[8 : 8+binary.LittleEndian.Uint64(data)]); !strings.Contains(header, `"shape":[]`) {
		t.Errorf("header %s", header)
	}
}

func TestEveryArchitectureIsComplete(t *testing.T) {
	for _, name := range []string{"RN50", "RN101", "RN50x4", "RN50x16", "RN50x64", "ViT-B-32", "ViT-B-16-plus-240", "ViT-L-14-336", "ViT-H-14", "ViT-g-14", "ViT-bigG-14", "ViT-e-14", "ViT-M-16-alt"} {
		_, a, err := registry.FindArchitecture(name)
		if err != nil {
			t.Fatal(err)
		}
		tensors, err := randomTensors(a)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		c, err := checkpoint.Open(sparse(t, tensors))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		w, got, err := detect(c, nil)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if heads := a.Vision.HeadWidth; heads != 0 && got.Vision.Heads != a.Vision.Width/heads || got.Text.Heads != a.Text.Heads || got.Vision.ImageSize != a.Vision.ImageSize {
			t.Errorf("%s: detected %s", name, got)
		}
		checkComplete(t, name, w, got)
	}
	if err := Make("ViT-Z", 1, t.TempDir()); err == nil || !strings.Contains(err.Error(), "ViT-B-32") {
		t.Errorf("an unknown architecture: %v", err)
	}
}

func TestInfoOfOtherFiles(t *testing.T) {
	pair, err := Info(models + "pair")
	if err != nil || pair.Format != "ONNX pair" || !strings.Contains(pair.String(), "input_ids[batch,77]") {
		t.Errorf("pair: %+v, %v", pair, err)
	}
	jit, err := Info(models + "vit_quickgelu/openai_jit.pt")
	if err != nil || jit.Format != "TorchScript archive" || jit.Types["int64"] != 3 || !strings.Contains(jit.Architecture, "QuickGELU") {
		t.Errorf("TorchScript: %+v, %v", jit, err)
	}
	built, err := Info("demo")
	if err != nil || built.Problem != "" || built.Bytes == 0 {
		t.Errorf("demo: %+v, %v", built, err)
	}
	file := sparse(t, []randomTensor{{name: "bert.weight", shape: []int{2, 2}}})
	if other, err := Info(file); err != nil || !strings.Contains(other.Problem, "no CLIP image tower") {
		t.Errorf("another network: %+v, %v", other, err)
	}
	if _, err := Info("/nowhere"); err == nil {
		t.Error("a missing file was described")
	}
}

// sparse writes a safetensors file of float16 zeros that takes no space on the disk.
func sparse(t *testing.T, tensors []randomTensor) string {
	t.Helper()
	entries := map[string]any{}
	at := 0
	for _, tensor := range tensors {
		n := 2 * tensor.len()
		entries[tensor.name] = map[string]any{"dtype": "F16", "shape": append([]int{}, tensor.shape...), "data_offsets": []int{at, at + n}}
		at += n
	}
	encoded, err := json.Marshal(entries)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "sparse.safetensors")
	if err := os.WriteFile(path, append(binary.LittleEndian.AppendUint64(nil, uint64(len(encoded))), encoded...), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, int64(8+len(encoded)+at)); err != nil {
		t.Fatal(err)
	}
	return path
}

// checkComplete builds both graphs, without writing them, and expects every tensor to be used.
func checkComplete(t *testing.T, name string, w *arch.Weights, a Architecture) {
	t.Helper()
	if _, err := tower.Image(w, a, registry.OpenAIMean, registry.OpenAIStd, onnx.Float); err != nil {
		t.Errorf("%s: %v", name, err)
	}
	if _, err := tower.Text(w, a, onnx.Float); err != nil {
		t.Errorf("%s: %v", name, err)
	}
	if unused := w.Unused(); len(unused) > 0 {
		t.Errorf("%s: unused %v", name, unused)
	}
}
