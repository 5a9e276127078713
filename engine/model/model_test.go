package model

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

const models = "../../testdata/models/"

func load(t *testing.T, o Options) *Model {
	t.Helper()
	m, err := Load(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range m.Graphs {
		if _, err := os.Stat(g); err != nil {
			t.Error(err)
		}
	}
	return m
}

func TestLoadByPath(t *testing.T) {
	cache := t.TempDir()
	m := load(t, Options{Path: models + "vit_gelu/open_clip_reduced", CacheDir: cache})
	if m.Name != "open_clip_reduced" || m.Dim != 40 || m.ImageSize != 64 || m.ContextLength != 77 || m.VocabSize != 370 || m.PadID != 0 || m.ResizeMode != "shortest" {
		t.Errorf("%+v", m)
	}
	if m.Mean != [3]float32{0.48145466, 0.4578275, 0.40821073} || !filepath.IsAbs(m.Source) || len(m.ContentHash) != 64 || m.Bytes < 900_000 {
		t.Errorf("%+v", m)
	}
	if m.LogitScale < 1 || m.LogitScale > 101 {
		t.Errorf("logit scale %v", m.LogitScale)
	}
	named := load(t, Options{Name: models + "vit_gelu/open_clip_reduced", CacheDir: cache})
	if named.Graphs != m.Graphs || named.Name != m.Name {
		t.Errorf("the path as name gives %+v", named)
	}
	other := load(t, Options{Name: "mine", Path: models + "xlmr_gelu", CacheDir: cache})
	if other.Name != "mine" || other.PadID != 1 || other.ContextLength != 80 || other.Graphs == m.Graphs {
		t.Errorf("%+v", other)
	}
	half := load(t, Options{Path: models + "vit_gelu/open_clip_reduced", CacheDir: cache, Weights: BFloat16})
	if half.Graphs == m.Graphs {
		t.Error("bfloat16 weights have the graphs of float32")
	}
}

func TestLoadTheBuiltInModel(t *testing.T) {
	m := load(t, Options{Name: "demo", CacheDir: t.TempDir()})
	if m.Name != "demo" || m.Source != "built in" || m.Dim == 0 || m.Bytes == 0 {
		t.Errorf("%+v", m)
	}
}

func TestLoadAPair(t *testing.T) {
	m := load(t, Options{Path: models + "pair", CacheDir: t.TempDir()})
	if m.Dim != 40 || m.ImageSize != 64 || m.ContextLength != 77 || m.LogitScale != 100 {
		t.Errorf("%+v", m)
	}
	beside := filepath.Join(filepath.Dir(m.Graphs[Image]), "visual.bin")
	want, err := os.ReadFile(models + "pair/visual.bin")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(beside); err != nil || string(got) != string(want) {
		t.Errorf("external data beside the graph: %d bytes, %v", len(got), err)
	}
}

func TestPairsThatCannotBeAdopted(t *testing.T) {
	check := func(err error, want string) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v; expected %q", err, want)
		}
	}
	from, to := t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(from, "w.bin"), []byte("users"), 0o644); err != nil {
		t.Fatal(err)
	}
	check(adopt(from, to, "image.onnx"), "writes itself")
	check(adopt(from, to, "./text.onnx"), "writes itself")
	check(adopt(from, to, "missing.bin"), "no such file")
	for range 2 { // both towers may use one file; the second time must not touch it
		if err := adopt(from, to, "w.bin"); err != nil {
			t.Fatal(err)
		}
	}
	if data, err := os.ReadFile(filepath.Join(from, "w.bin")); err != nil || string(data) != "users" {
		t.Errorf("the user's file is now %q, %v", data, err)
	}
	_, err := Load(context.Background(), Options{Path: models + "pair/visual.onnx", CacheDir: to})
	check(err, "is one tower")
	visual, err := os.ReadFile(models + "pair/visual.onnx")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(from, "visual.onnx"), visual, 0o644); err != nil {
		t.Fatal(err)
	}
	_, err = Load(context.Background(), Options{Path: from, CacheDir: to})
	check(err, "only one of")
}

// copyOf copies a checkpoint's folder, so that it can be changed.
func copyOf(t *testing.T, folder string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(folder)); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestSecondLoadReadsNothing(t *testing.T) {
	cache, dir := t.TempDir(), copyOf(t, models+"vit_gelu/open_clip_reduced")
	stages := map[string]int{}
	o := Options{Path: dir, CacheDir: cache, Progress: func(stage string, _, _ int64) { stages[stage]++ }}
	first := load(t, o)
	if stages["read"] == 0 || stages["image tower"] == 0 || stages["text tower"] == 0 {
		t.Errorf("the first load reported %v", stages)
	}
	clear(stages)
	if second := load(t, o); second.Graphs != first.Graphs || len(stages) != 0 {
		t.Errorf("the second load reported %v", stages)
	}
	// Contents that fit no model show that the file is read again, although it keeps its size and time.
	file := filepath.Join(dir, "open_clip_model.safetensors")
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, make([]byte, info.Size()), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(file, info.ModTime(), info.ModTime()); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(context.Background(), o); err == nil {
		t.Error("a changed file was not noticed")
	}
}

func TestDamagedCacheIsBuiltAgain(t *testing.T) {
	cache := t.TempDir()
	o := Options{Path: models + "vit_gelu/open_clip_reduced", CacheDir: cache}
	m := load(t, o)
	want := map[string]string{}
	folder := filepath.Dir(m.Graphs[Image])
	for _, name := range []string{"image.onnx", "image.onnx.data", "text.onnx", "text.onnx.data"} {
		data, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			t.Fatal(err)
		}
		want[name] = string(data)
	}
	damage := func(name string, change func(path string) error) {
		t.Helper()
		if err := change(filepath.Join(folder, name)); err != nil {
			t.Fatal(err)
		}
		load(t, o)
		for name, data := range want {
			if got, err := os.ReadFile(filepath.Join(folder, name)); err != nil || string(got) != data {
				t.Errorf("%s was not built again: %v", name, err)
			}
		}
	}
	damage("image.onnx", os.Remove)
	damage("text.onnx.data", func(p string) error { return os.Truncate(p, 100) })
	damage("text.onnx", func(p string) error {
		return os.WriteFile(p, []byte(strings.Repeat("x", len(want["text.onnx"]))), 0o644)
	})
	damage("model.json", func(p string) error { return os.WriteFile(p, []byte("{"), 0o644) })
	left, err := filepath.Glob(filepath.Join(cache, "graphs", ".*"))
	if err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestLoadsAtOnce(t *testing.T) {
	cache := t.TempDir()
	var wait sync.WaitGroup
	for range 6 {
		wait.Go(func() {
			if _, err := Load(context.Background(), Options{Path: models + "vit_gelu/open_clip_reduced", CacheDir: cache}); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
}

func TestLoadStops(t *testing.T) {
	cache := t.TempDir()
	ctx, cancel := context.WithCancel(context.Background())
	o := Options{Path: models + "vit_gelu/open_clip_reduced", CacheDir: cache, Progress: func(stage string, _, _ int64) {
		if stage == "image tower" {
			cancel()
		}
	}}
	if _, err := Load(ctx, o); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled load: %v", err)
	}
	if left, _ := filepath.Glob(filepath.Join(cache, "graphs", "*")); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
	if left, _ := filepath.Glob(filepath.Join(cache, "graphs", ".*")); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestLoadErrors(t *testing.T) {
	cache := t.TempDir()
	check := func(o Options, want ...string) {
		t.Helper()
		o.CacheDir = cache
		_, err := Load(context.Background(), o)
		for _, w := range want {
			if err == nil || !strings.Contains(err.Error(), w) {
				t.Errorf("%+v: %v; expected %q", o, err, w)
			}
		}
	}
	check(Options{}, "no model is named")
	check(Options{Name: "ViT-B-32::opnai"}, "ViT-B-32::openai", "model_path")
	check(Options{Name: "M-CLIP/LABSE-Vit-L-14"}, "not supported")
	check(Options{Path: "/nowhere"}, "/nowhere")
	check(Options{Path: t.TempDir()}, "holds no weights")
	check(Options{Name: "demo", Weights: 9}, "type 9")
}

func TestCacheDir(t *testing.T) {
	check := func(wanted, want string) {
		t.Helper()
		if got, err := CacheDir(wanted); err != nil || got != want {
			t.Errorf("CacheDir(%q) = %s, %v; expected %s", wanted, got, err, want)
		}
	}
	t.Setenv("HOME", "/home/someone")
	t.Setenv("XDG_CACHE_HOME", "")
	t.Setenv("CLIPD_CACHE", "")
	check("", "/home/someone/.cache/clipd")
	t.Setenv("XDG_CACHE_HOME", "/xdg")
	check("", "/xdg/clipd")
	t.Setenv("CLIPD_CACHE", "/own")
	check("", "/own")
	check("/given", "/given")
}
