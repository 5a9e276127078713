// Package golden_test runs the graphs that package model builds on the real runtimes and compares the embeddings with those
// of PyTorch.
package golden_test

import (
	"context"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"clipd/engine"
	"clipd/engine/model"
	"clipd/engine/runtime"
)

// form is one way in which a golden model is stored.
type form struct {
	folder, path string
	whole        bool // it has the whole vocabulary
	config       string
	half         bool // its pixels are float16
}

var forms = []form{
	{folder: "vit_quickgelu", path: "vit_quickgelu/openai_jit.pt", whole: true},
	{folder: "vit_quickgelu", path: "vit_quickgelu/state_dict_reduced.pt"},
	{folder: "vit_quickgelu", path: "vit_quickgelu/open_clip_reduced"},
	{folder: "vit_quickgelu", path: "vit_quickgelu/hf_reduced"},
	{folder: "vit_quickgelu_2heads", path: "vit_quickgelu_2heads/openai_jit_cuda_reduced.pt"},
	{folder: "resnet", path: "resnet/state_dict_reduced.pt"},
	{folder: "vit_gelu", path: "vit_gelu/open_clip_reduced"},
	{folder: "vit_gelu", path: "vit_gelu/training_checkpoint_reduced.pt", config: "vit_gelu/open_clip_reduced/open_clip_config.json"},
	{folder: "vit_gelu", path: "pair"},
	{folder: "vit_gelu", path: "pair_dynamic", half: true},
	{folder: "xlmr_gelu", path: "xlmr_gelu", whole: true},
}

// tower runs one graph; rows have equal length.
type tower struct {
	t    *testing.T
	lane *runtime.Lane
	dim  int

	packs bool
}

func newTower(t *testing.T, r *runtime.Runtime, m *model.Model, kind runtime.Tower, precision runtime.Precision) *tower {
	t.Helper()
	s, err := r.NewSession(runtime.SessionOptions{Graph: m.Graphs[kind], Tower: kind, Device: device(r), Precision: precision, Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	if got := s.Info(); got.Dim != m.Dim || got.Precision != precision {
		t.Fatalf("the session has %d columns in %s, the model %d in %s", got.Dim, got.Precision, m.Dim, precision)
	}
	lane, err := s.NewLane()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(lane.Close)
	return &tower{t, lane, m.Dim, s.Info().Packs}
}

// device is the first that a runtime has.
func device(r *runtime.Runtime) string {
	name, _, _ := strings.Cut(r.Info().Devices[0], " ")
	return name
}

func (w *tower) images(pixels [][]byte, size int) [][]float32 {
	w.t.Helper()
	out := make([]float32, len(pixels)*w.dim)
	if err := w.lane.RunImages(slices.Concat(pixels...), len(pixels), size, out); err != nil {
		w.t.Fatal(err)
	}
	return slices.Collect(slices.Chunk(out, w.dim))
}

func (w *tower) texts(ids [][]int32, length int, pad int32) [][]float32 {
	w.t.Helper()
	batch := engine.LayOut(ids, w.packs, pad)
	if !w.packs { // to the given length, whatever that of the longest
		var rows []int32
		for _, text := range ids {
			rows = append(append(rows, text...), slices.Repeat([]int32{pad}, length-len(text))...)
		}
		batch = engine.TextBatch{Rows: len(ids), Length: length, IDs: rows}
	}
	out := make([]float32, batch.Rows*w.dim)
	if err := w.lane.RunTexts(batch, out); err != nil {
		w.t.Fatal(err)
	}
	return slices.Collect(slices.Chunk(out[:len(ids)*w.dim], w.dim))
}

// bar is how near embeddings must be.
type bar struct {
	cosine, difference float64
}

func compare(t *testing.T, what string, got, want [][]float32, b bar) {
	t.Helper()
	for i := range want {
		var dot, gg, ww, far float64
		for k, w := range want[i] {
			g := float64(got[i][k])
			dot, gg, ww = dot+g*float64(w), gg+g*g, ww+float64(w)*float64(w)
			far = max(far, math.Abs(g-float64(w)))
			if math.IsNaN(g) {
				far = math.Inf(1)
			}
		}
		if cosine := dot / math.Sqrt(gg*ww); !(cosine >= b.cosine) || far > b.difference {
			t.Errorf("%s %d: cosine %.7f, difference %.2g; expected at least %v and at most %v", what, i, cosine, far, b.cosine, b.difference)
		}
	}
}

func (f form) check(t *testing.T, r *runtime.Runtime, precision runtime.Precision, cache string) {
	g := readGolden(t, f.folder)
	m, err := model.Load(context.Background(), model.Options{Path: f.place(t), CacheDir: cache})
	if err != nil {
		t.Fatal(err)
	}
	near, same := bar{0.99999, 1e-4}, bar{0.999999, 1e-5}
	if precision == runtime.BF16 {
		near, same = bar{0.9995, 0.2}, bar{0.9999, 0.1}
	} else if precision == runtime.FP16 {
		near, same = bar{0.9999, 0.02}, bar{0.99999, 0.01}
	} else if f.half {
		near = bar{0.99999, 0.02}
	}
	image := newTower(t, r, m, runtime.Image, precision)
	batch := image.images(g.pixels, g.size)
	compare(t, "image", batch, g.images, near)
	for i := range g.pixels {
		compare(t, "image alone", image.images(g.pixels[i:i+1], g.size), batch[i:i+1], same)
	}
	ids := g.reduced
	if f.whole {
		ids = g.whole
	}
	text := newTower(t, r, m, runtime.Text, precision)
	if own := f.folder != "xlmr_gelu" && !strings.HasPrefix(f.path, "pair"); text.packs != own {
		t.Errorf("the text tower packs: %v, want %v", text.packs, own)
	}
	together := text.texts(ids, m.ContextLength, m.PadID)
	compare(t, "text", together, g.texts, near)
	for i, row := range ids {
		compare(t, "text alone", text.texts(ids[i:i+1], len(row), m.PadID), together[i:i+1], same)
	}
	backwards := slices.Clone(ids)
	slices.Reverse(backwards)
	again := text.texts(backwards, m.ContextLength, m.PadID)
	slices.Reverse(again)
	compare(t, "text among others", again, together, same)
}

// place is where the checkpoint lies, with its config beside it.
func (f form) place(t *testing.T) string {
	t.Helper()
	if f.config == "" {
		return models + f.path
	}
	dir := t.TempDir()
	for _, file := range []string{f.path, f.config} {
		data, err := os.ReadFile(models + file)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(file)), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, filepath.Base(f.path))
}

// TestHalfWeights: graphs whose weights are float16 keep float32 at both ends and the accuracy of half precision.
func TestHalfWeights(t *testing.T) {
	r, err := runtime.Open("onnxruntime")
	if err != nil {
		t.Fatalf("%v (make native builds it)", err)
	}
	cache := t.TempDir()
	for _, f := range []form{forms[2], forms[4], forms[6], forms[10]} {
		g := readGolden(t, f.folder)
		m, err := model.Load(context.Background(), model.Options{Path: f.place(t), CacheDir: cache, Weights: model.Float16})
		if err != nil {
			t.Fatal(err)
		}
		ids := g.reduced
		if f.whole {
			ids = g.whole
		}
		half := bar{0.9999, 0.02}
		compare(t, f.path+" image", newTower(t, r, m, runtime.Image, runtime.FP32).images(g.pixels, g.size), g.images, half)
		compare(t, f.path+" text", newTower(t, r, m, runtime.Text, runtime.FP32).texts(ids, m.ContextLength, m.PadID), g.texts, half)
	}
}

// TestBFloat16Weights: graphs whose weights are bfloat16, as OpenVINO gets them where it computes in it.
func TestBFloat16Weights(t *testing.T) {
	r, err := runtime.Open("openvino")
	if err != nil {
		t.Fatalf("%v (make native builds it)", err)
	}
	if !slices.Contains(r.Info().Precisions, runtime.BF16) {
		t.Skip("this processor does not compute in bfloat16")
	}
	cache := t.TempDir()
	for _, f := range []form{forms[0], forms[2], forms[4], forms[5], forms[6], forms[10]} {
		g := readGolden(t, f.folder)
		m, err := model.Load(context.Background(), model.Options{Path: f.place(t), CacheDir: cache, Weights: model.BFloat16})
		if err != nil {
			t.Fatal(err)
		}
		ids := g.reduced
		if f.whole {
			ids = g.whole
		}
		near := bar{0.9995, 0.2}
		compare(t, f.path+" image", newTower(t, r, m, runtime.Image, runtime.BF16).images(g.pixels, g.size), g.images, near)
		compare(t, f.path+" text", newTower(t, r, m, runtime.Text, runtime.BF16).texts(ids, m.ContextLength, m.PadID), g.texts, near)
	}
}

func TestGoldenModels(t *testing.T) {
	cache := t.TempDir()
	for _, name := range []string{"openvino", "onnxruntime"} {
		r, err := runtime.Open(name)
		if err != nil {
			t.Fatalf("%v (make native builds it)", err)
		}
		for _, precision := range []runtime.Precision{runtime.FP32, runtime.BF16} {
			if !slices.Contains(r.Info().Precisions, precision) {
				continue
			}
			for _, f := range forms {
				t.Run(name+"/"+precision.String()+"/"+f.path, func(t *testing.T) { f.check(t, r, precision, cache) })
			}
		}
	}
}
