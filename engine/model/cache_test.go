package model

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// copyFile copies one file into a folder, which it makes, and returns its new path.
func copyFile(t *testing.T, file, folder string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(folder, filepath.Base(file))
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestTheFoldersNameIsPartOfTheKey(t *testing.T) {
	const weights = models + "vit_quickgelu/open_clip_reduced/open_clip_model.safetensors" // without its config
	cache, dir := t.TempDir(), t.TempDir()
	plain, quick := filepath.Join(dir, "plain"), filepath.Join(dir, "plain-QuickGELU")
	copyFile(t, weights, plain)
	copyFile(t, weights, quick)
	for range 2 { // built, then from the cache
		if load(t, Options{Path: plain, CacheDir: cache}).Architecture.QuickGELU {
			t.Errorf("%s has QuickGELU", plain)
		}
		if !load(t, Options{Path: quick, CacheDir: cache}).Architecture.QuickGELU {
			t.Errorf("%s has no QuickGELU", quick)
		}
	}
}

func TestWritingIntoAPairsDataLeavesTheCacheAlone(t *testing.T) {
	dir := copyOf(t, models+"pair")
	m := load(t, Options{Path: dir, CacheDir: t.TempDir()})
	kept := filepath.Join(filepath.Dir(m.Graphs[Image]), "visual.bin")
	want, err := os.ReadFile(kept)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(filepath.Join(dir, "visual.bin"), os.O_WRONLY, 0) // as an exporter that keeps the file
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(make([]byte, 1000)); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(kept); err != nil || string(got) != string(want) {
		t.Errorf("%s in the cache changed with the user's file: %v", kept, err)
	}
}

func TestAReplacedFileOfTheSameSizeAndTimeIsRead(t *testing.T) {
	dir, other := t.TempDir(), t.TempDir()
	file, fresh := filepath.Join(dir, "w.bin"), filepath.Join(other, "w.bin")
	c := &cache{dir: t.TempDir(), progress: func(string, int64, int64) {}}
	hash := func() string {
		t.Helper()
		sum, _, err := c.fileHash(context.Background(), file)
		if err != nil {
			t.Fatal(err)
		}
		return sum
	}
	if err := os.WriteFile(file, []byte("old weights"), 0o644); err != nil {
		t.Fatal(err)
	}
	old := hash()
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	keepTime := func(path string) {
		t.Helper()
		if err := os.Chtimes(path, info.ModTime(), info.ModTime()); err != nil {
			t.Fatal(err)
		}
	}
	// As rsync -t does: a new file takes the place of the old one.
	if err := os.WriteFile(fresh, []byte("new weights"), 0o644); err != nil {
		t.Fatal(err)
	}
	keepTime(fresh)
	if err := os.Rename(fresh, file); err != nil {
		t.Fatal(err)
	}
	replaced := hash()
	if replaced == old {
		t.Error("another file under the same name has the old hash")
	}
	// As cp -p does: the same file is written over.
	if err := os.WriteFile(file, []byte("3rd weights"), 0o644); err != nil {
		t.Fatal(err)
	}
	keepTime(file)
	if again := hash(); again == replaced {
		t.Error("a file that was written over has the old hash")
	}
}

func TestMadeFilesCanBeReadByAll(t *testing.T) {
	dir := t.TempDir()
	if err := writeAtomically(filepath.Join(dir, "open_clip_config.json"), []byte("{}")); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(filepath.Join(dir, "open_clip_config.json"))
	if err != nil || info.Mode().Perm() != 0o644 {
		t.Errorf("mode %v, %v; expected 0644", info.Mode(), err)
	}
}

func TestACacheThatCannotBeWrittenIsNamed(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file") // a file where the cache's folder should be fails for every user
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	cache := filepath.Join(file, "cache")
	_, err := Load(context.Background(), Options{Path: models + "vit_gelu/open_clip_reduced", CacheDir: cache})
	if err == nil || !strings.Contains(err.Error(), "cannot write to the model cache "+cache) || strings.Contains(err.Error(), "cannot read") {
		t.Errorf("%v; expected that the cache cannot be written", err)
	}
}
