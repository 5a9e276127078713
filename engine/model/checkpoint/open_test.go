package checkpoint

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestOpenEachFormat(t *testing.T) {
	check := func(path string, format Format, tensors int) *Checkpoint {
		t.Helper()
		c, err := Open(models + path)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		if c.Format != format || len(c.Tensors) != tensors {
			t.Errorf("%s: %s with %d tensors, expected %s with %d", path, c.Format, len(c.Tensors), format, tensors)
		}
		return c
	}
	jit := check("vit_quickgelu/openai_jit.pt", FormatTorchScript, 65)
	state := check("vit_quickgelu/state_dict_reduced.pt", FormatStateDict, 62)
	check("vit_quickgelu_2heads/openai_jit_cuda_reduced.pt", FormatTorchScript, 65)
	check("vit_gelu/training_checkpoint_reduced.pt", FormatStateDict, 62)
	check("vit_quickgelu/open_clip_reduced", FormatSafetensors, 62)
	check("vit_quickgelu/hf_reduced", FormatSafetensors, 80)
	for _, want := range state.Tensors {
		got := jit.Tensor(want.Name)
		if got == nil {
			t.Errorf("the archive has no %s", want.Name)
		} else if want.Name != "token_embedding.weight" && !bytes.Equal(got.Bytes(), want.Bytes()) {
			t.Errorf("%s differs between the archive and the state_dict", want.Name)
		}
	}
}

func write(t *testing.T, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestOpenRefusesClearly(t *testing.T) {
	check := func(data []byte, want string) {
		t.Helper()
		path := write(t, "x.pt", data)
		if _, err := Open(path); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%.40q: %v; expected %q and the path", data, err, want)
		}
	}
	check(nil, "is empty")
	check([]byte("version https://git-lfs.github.com/spec/v1\n"), "Git LFS")
	check([]byte("<!DOCTYPE html><html>"), "web page")
	check([]byte("\x80\x02\x8a\x0al\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."), "before 1.6")
	check([]byte("something else"), "neither")
	whole, err := os.ReadFile(models + "vit_gelu/training_checkpoint_reduced.pt")
	if err != nil {
		t.Fatal(err)
	}
	check(whole[:len(whole)-1000], "zip directory")
	check(whole[:100], "zip directory")
	broken := bytes.Clone(whole)
	at := bytes.Index(broken, []byte("torch._utils"))
	copy(broken[at:], "shutil_rmtr_")
	check(broken, "shutil_rmtr_")
	if _, err := Open(t.TempDir()); err == nil || !strings.Contains(err.Error(), "holds no weights") {
		t.Errorf("empty folder: %v", err)
	}
	if _, err := Open("/nowhere/x.pt"); err == nil {
		t.Error("a missing file was opened")
	}
}

// rezip writes the archive again with changes.
func rezip(t *testing.T, name string, method uint16, change func(name string, data []byte) []byte) string {
	t.Helper()
	r, err := zip.OpenReader(models + name)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for _, f := range r.File {
		in, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		var data bytes.Buffer
		if _, err := data.ReadFrom(in); err != nil {
			t.Fatal(err)
		}
		changed := change(f.Name, data.Bytes())
		if changed == nil {
			continue
		}
		entry, err := w.CreateHeader(&zip.FileHeader{Name: f.Name, Method: method})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := entry.Write(changed); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return write(t, "x.pt", out.Bytes())
}

func TestArchiveErrors(t *testing.T) {
	const name = "vit_gelu/training_checkpoint_reduced.pt"
	same := func(_ string, data []byte) []byte { return data }
	check := func(path string, want ...string) {
		t.Helper()
		_, err := Open(path)
		for _, w := range want {
			if err == nil || !strings.Contains(err.Error(), w) {
				t.Errorf("%v; expected %q", err, w)
			}
		}
	}
	check(rezip(t, name, zip.Deflate, same), "is compressed")
	check(rezip(t, name, zip.Store, func(n string, data []byte) []byte {
		if strings.HasSuffix(n, "/data/3") {
			return data[:len(data)-1]
		}
		return data
	}), `"visual.class_embedding"`, "has 191 bytes", "need 192")
	check(rezip(t, name, zip.Store, func(n string, data []byte) []byte {
		if strings.HasSuffix(n, "/data/3") {
			return nil
		}
		return data
	}), `"visual.class_embedding"`, "no entry")
	check(rezip(t, name, zip.Store, func(n string, data []byte) []byte {
		if strings.HasSuffix(n, "byteorder") {
			return []byte("big")
		}
		return data
	}), "byte order")
	check(rezip(t, name, zip.Store, func(n string, data []byte) []byte {
		if strings.HasSuffix(n, "data.pkl") {
			return nil
		}
		return data
	}), "without data.pkl")
	if c, err := Open(rezip(t, name, zip.Store, same)); err != nil {
		t.Error(err)
	} else {
		c.Close()
	}
}

func TestShards(t *testing.T) {
	dir := t.TempDir()
	put := func(name, header string, body int) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), safetensors(header, body), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	put("a.safetensors", `{"one":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}`, 8)
	put("b.safetensors", `{"two":{"dtype":"F16","shape":[2],"data_offsets":[0,4]}}`, 4)
	index := func(where map[string]string) {
		t.Helper()
		data, err := json.Marshal(map[string]any{"weight_map": where})
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "model.safetensors.index.json"), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	index(map[string]string{"one": "a.safetensors", "two": "b.safetensors"})
	c, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if c.Tensor("one") == nil || c.Tensor("two") == nil || len(c.Files) != 3 {
		t.Errorf("shards gave %v from %v", c.Tensors, c.Files)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	for want, where := range map[string]map[string]string{
		"lies outside": {"one": "../a.safetensors"}, "is missing": {"three": "a.safetensors"}, "no such file": {"one": "c.safetensors"},
	} {
		index(where)
		if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("index %v: %v; expected %q", where, err, want)
		}
	}
}

func TestFileCutWhileMappedIsAnError(t *testing.T) {
	path := write(t, "x.bin", make([]byte, 1<<20))
	m, err := mapFile(path)
	if err != nil {
		t.Fatal(err)
	}
	defer m.close()
	if err := os.Truncate(path, 10); err != nil {
		t.Fatal(err)
	}
	sum := 0
	err = Guard(path, func() error {
		for _, b := range m.data {
			sum += int(b)
		}
		return nil
	})
	if err == nil || !strings.Contains(err.Error(), "became shorter") {
		t.Errorf("reading a cut file: %v", err)
	}
}
