package runtime

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestWrongOptionsAreRefused(t *testing.T) {
	damaged := filepath.Join(t.TempDir(), "damaged.onnx")
	data := readFile(t, "text.onnx")
	if err := os.WriteFile(damaged, data[:len(data)/2], 0o600); err != nil {
		t.Fatal(err)
	}
	notGraph := filepath.Join(t.TempDir(), "text.onnx")
	if err := os.WriteFile(notGraph, []byte("not a graph"), 0o600); err != nil {
		t.Fatal(err)
	}
	// A graph whose external weights are missing.
	alone := filepath.Join(t.TempDir(), "image.onnx")
	if err := os.WriteFile(alone, readFile(t, "image.onnx"), 0o600); err != nil {
		t.Fatal(err)
	}
	each(t, func(t *testing.T, r *Runtime) {
		check := func(o SessionOptions, kind error, parts ...string) {
			t.Helper()
			s, err := r.NewSession(o)
			if err == nil {
				s.Close()
				t.Errorf("%+v: accepted", o)
				return
			}
			if !errors.Is(err, kind) {
				t.Errorf("%+v: %v; want %v", o, err, kind)
			}
			for _, part := range append(parts, r.Info().Name) {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%+v: %q does not name %q", o, err, part)
				}
			}
		}
		text := graph(Text)
		check(SessionOptions{Graph: "/nowhere/text.onnx", Tower: Text}, ErrInvalid, "/nowhere/text.onnx", "no such file")
		check(SessionOptions{Graph: "", Tower: Text}, ErrInvalid, "empty")
		check(SessionOptions{Graph: t.TempDir(), Tower: Text}, ErrInvalid, "regular file")
		check(SessionOptions{Graph: text + "\x00x", Tower: Text}, ErrInvalid, "zero byte")
		check(SessionOptions{Graph: damaged, Tower: Text}, ErrInvalid, damaged)
		check(SessionOptions{Graph: damaged, Tower: Text, CacheDir: t.TempDir()}, ErrInvalid, damaged)
		check(SessionOptions{Graph: notGraph, Tower: Text}, ErrInvalid, notGraph)
		check(SessionOptions{Graph: alone, Tower: Image}, ErrInvalid, alone, "image.bin")
		check(SessionOptions{Graph: text, Tower: Image}, ErrInvalid, text, "int32 [?, ?]", "uint8 [rows, height, width, 3]")
		check(SessionOptions{Graph: graph(Image), Tower: Text}, ErrInvalid, "uint8 [?, 16, 16, 3]")
		check(SessionOptions{Graph: filepath.Join(graphs, "int64_ids.onnx"), Tower: Text}, ErrInvalid, "wanted is one input int32")
		check(SessionOptions{Graph: filepath.Join(graphs, "two_inputs.onnx"), Tower: Text}, ErrInvalid, `"x"`, `"y"`)
		check(SessionOptions{Graph: text, Tower: 7}, ErrInvalid, "tower is 7")
		check(SessionOptions{Graph: text, Tower: Text, Precision: 9}, ErrInvalid, "precision is 9")
		check(SessionOptions{Graph: text, Tower: Text, Lanes: -1}, ErrInvalid, "-1")
		check(SessionOptions{Graph: text, Tower: Text, Threads: -1}, ErrInvalid, "-1")
		check(SessionOptions{Graph: text, Tower: Text, Lanes: 1 << 20}, ErrInvalid, "1048576")
		check(SessionOptions{Graph: text, Tower: Text, Threads: 1 << 20}, ErrInvalid, "1048576")
		check(SessionOptions{Graph: text, Tower: Text, CacheDir: text}, ErrInvalid, "cache folder")
		check(SessionOptions{Graph: text, Tower: Text, Device: "cuda:0"}, ErrUnavailable, "cuda:0", "it has cpu")
		for p := FP32; p <= FP16; p++ {
			has := false
			for _, one := range r.Info().Precisions {
				has = has || one == p
			}
			if !has {
				check(SessionOptions{Graph: text, Tower: Text, Precision: p}, ErrUnavailable, p.String(), "ask for")
			}
		}
	})
}

func TestWrongBatchesAreRefused(t *testing.T) {
	ids, pixels := readInts(t, "text.input"), readFile(t, "image.input")
	each(t, func(t *testing.T, r *Runtime) {
		texts := newLane(t, newSession(t, r, SessionOptions{Graph: graph(Text), Tower: Text, Precision: FP32}))
		images := newLane(t, newSession(t, r, SessionOptions{Graph: graph(Image), Tower: Image, Precision: FP32}))
		check := func(err error, parts ...string) {
			t.Helper()
			if !errors.Is(err, ErrInvalid) {
				t.Errorf("error is %v, want ErrInvalid", err)
				return
			}
			for _, part := range parts {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q does not name %q", err, part)
				}
			}
		}
		out := make([]float32, 4*dim)
		check(texts.RunTexts(Texts{Rows: 4, Length: 8, IDs: ids}, out), "36 ids")
		check(texts.RunTexts(Texts{Rows: 0, Length: 9, IDs: ids}, out), "at least 1")
		check(texts.RunTexts(Texts{Rows: -4, Length: -9, IDs: ids}, out), "at least 1")
		check(texts.RunTexts(Texts{Rows: 4, Length: 9, IDs: nil}, out), "no ids")
		check(texts.RunTexts(Texts{Rows: 4, Length: 9, IDs: ids}, out[:10]), "room for 10")
		ends := []int32{8, 17, 26, 35}
		check(texts.RunTexts(Texts{Rows: 4, Length: 9, IDs: ids, Packing: &Packing{ids, ids, ends}}, out), "packed", "one in each line")
		check(texts.RunTexts(Texts{Rows: 4, Length: 9, IDs: ids, Packing: &Packing{ids, ids[1:], ends}}, out), "35 segments")
		check(texts.RunTexts(Texts{Rows: 4, Length: 9, IDs: ids, Packing: &Packing{ids, ids, ends[1:]}}, out), "3 ends")
		check(texts.RunTexts(Texts{Rows: 4, Length: 10, IDs: ids, Packing: &Packing{ids, ids, ends}}, out), "lines of 10")
		check(texts.RunTexts(Texts{Rows: math.MaxInt, Length: 9, IDs: ids}, out))
		check(texts.RunImages(pixels, 3, 16, out), "text tower")
		check(images.RunTexts(Texts{Rows: 4, Length: 9, IDs: ids}, out), "image tower")
		check(images.RunImages(pixels, 3, 15, out[:3*dim]), "bytes of pixels")
		check(images.RunImages(pixels, 1<<30, 1<<31-1, out))
		check(images.RunImages(make([]byte, 8*8*3), 1, 8, out[:dim]), "8x8", "16x16")
		// Longer than the table of positions: the graph itself cannot do it, and the lane goes on.
		if err := texts.RunTexts(Texts{Rows: 4, Length: 60, IDs: make([]int32, 4*60)}, out); err == nil {
			t.Error("60 ids in a graph for 24: accepted")
		}
		if err := texts.RunTexts(Texts{Rows: 4, Length: 9, IDs: ids}, out); err != nil {
			t.Errorf("after errors, the lane fails: %v", err)
		}
		checkRows(t, "after errors", out, readFloats(t, "text.output"), 0.999999)
	})
}
