package runtime

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// The graphs and the answers that onnx's reference evaluator gives for them; made by make_graphs.py there.
const graphs = "../../csrc/tests/graphs"

const (
	imageRows, imageSize = 3, 16
	textRows, textLength = 4, 9
	dim                  = 12
)

func readFile(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(graphs, name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func readInts(t testing.TB, name string) []int32 {
	t.Helper()
	data := readFile(t, name)
	ids := make([]int32, len(data)/4)
	for i := range ids {
		ids[i] = int32(binary.LittleEndian.Uint32(data[4*i:]))
	}
	return ids
}

func readFloats(t testing.TB, name string) []float32 {
	t.Helper()
	bits := readInts(t, name)
	values := make([]float32, len(bits))
	for i, b := range bits {
		values[i] = math.Float32frombits(uint32(b))
	}
	return values
}

// cosine of two rows.
func cosine(a, b []float32) float64 {
	var ab, aa, bb float64
	for i := range a {
		ab += float64(a[i]) * float64(b[i])
		aa += float64(a[i]) * float64(a[i])
		bb += float64(b[i]) * float64(b[i])
	}
	return ab / math.Sqrt(aa*bb)
}

func checkRows(t *testing.T, what string, got, want []float32, least float64) {
	t.Helper()
	for row := 0; row*dim < len(want); row++ {
		g, w := got[row*dim:(row+1)*dim], want[row*dim:(row+1)*dim]
		// Not c < least, which a NaN would pass.
		if c := cosine(g, w); !(c >= least) {
			t.Errorf("%s: row %d has cosine %v to the reference, want at least %v\ngot  %v\nwant %v", what, row, c, least, g, w)
		}
	}
}

// each runs the test for every runtime of this build. None may be missing.
func each(t *testing.T, test func(t *testing.T, r *Runtime)) {
	for _, name := range []string{"openvino", "onnxruntime"} {
		t.Run(name, func(t *testing.T) {
			r, err := Open(name)
			if err != nil {
				t.Fatal(err)
			}
			test(t, r)
		})
	}
}

func newSession(t testing.TB, r *Runtime, o SessionOptions) *Session {
	t.Helper()
	s, err := r.NewSession(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func newLane(t testing.TB, s *Session) *Lane {
	t.Helper()
	l, err := s.NewLane()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	return l
}

func graph(tower Tower) string { return filepath.Join(graphs, tower.String()+".onnx") }

func TestEmbeddingsEqualTheReference(t *testing.T) {
	least := map[Precision]float64{FP32: 0.999999, BF16: 0.9995, FP16: 0.9995}
	each(t, func(t *testing.T, r *Runtime) {
		for _, p := range r.Info().Precisions {
			images := newSession(t, r, SessionOptions{Graph: graph(Image), Tower: Image, Precision: p, Lanes: 1, Threads: 1})
			texts := newSession(t, r, SessionOptions{Graph: graph(Text), Tower: Text, Precision: p, Lanes: 2, Threads: 1})
			if got := images.Info(); got.Precision != p || got.Dim != dim || got.ImageSize != imageSize || got.Cached ||
				!strings.HasPrefix(got.Device, "cpu ") {
				t.Errorf("image session in %v: %+v", p, got)
			}
			if got := texts.Info(); got.Precision != p || got.Dim != dim || got.ImageSize != 0 {
				t.Errorf("text session in %v: %+v", p, got)
			}
			out := make([]float32, imageRows*dim)
			if err := newLane(t, images).RunImages(readFile(t, "image.input"), imageRows, imageSize, out); err != nil {
				t.Fatal(err)
			}
			checkRows(t, "image "+p.String(), out, readFloats(t, "image.output"), least[p])
			out = make([]float32, textRows*dim)
			if err := newLane(t, texts).RunTexts(Texts{Rows: textRows, Length: textLength, IDs: readInts(t, "text.input")}, out); err != nil {
				t.Fatal(err)
			}
			checkRows(t, "text "+p.String(), out, readFloats(t, "text.output"), least[p])
		}
	})
}

func TestShapesMayChangeFromCallToCall(t *testing.T) {
	ids, want := readInts(t, "text.input"), readFloats(t, "text.output")
	each(t, func(t *testing.T, r *Runtime) {
		l := newLane(t, newSession(t, r, SessionOptions{Graph: graph(Text), Tower: Text, Precision: FP32}))
		for _, extra := range []int{0, 5, 2, 14, 0} {
			for rows := textRows; rows >= 1; rows-- {
				// Padding after the end-of-text token changes nothing, and neither do the other rows.
				length := textLength + extra
				padded := make([]int32, rows*length)
				for row := range rows {
					copy(padded[row*length:], ids[row*textLength:(row+1)*textLength])
				}
				out := make([]float32, rows*dim)
				if err := l.RunTexts(Texts{Rows: rows, Length: length, IDs: padded}, out); err != nil {
					t.Fatal(err)
				}
				checkRows(t, "padded", out, want[:rows*dim], 0.999999)
			}
		}
	})
}

func TestLanesRunAtTheSameTime(t *testing.T) {
	ids, want := readInts(t, "text.input"), readFloats(t, "text.output")
	each(t, func(t *testing.T, r *Runtime) {
		const lanes = 3
		s := newSession(t, r, SessionOptions{Graph: graph(Text), Tower: Text, Precision: FP32, Lanes: lanes, Threads: 2})
		var wait sync.WaitGroup
		for i := range lanes {
			l := newLane(t, s)
			wait.Go(func() {
				for n := range 40 {
					row := (i + n) % textRows
					out := make([]float32, dim)
					if err := l.RunTexts(Texts{Rows: 1, Length: textLength, IDs: ids[row*textLength : (row+1)*textLength]}, out); err != nil {
						t.Error(err)
						return
					}
					checkRows(t, "lane", out, want[row*dim:(row+1)*dim], 0.999999)
				}
			})
		}
		wait.Wait()
	})
}

func TestOneLaneFromManyGoroutines(t *testing.T) {
	ids, want := readInts(t, "text.input"), readFloats(t, "text.output")
	each(t, func(t *testing.T, r *Runtime) {
		l := newLane(t, newSession(t, r, SessionOptions{Graph: graph(Text), Tower: Text, Precision: FP32, Threads: 1}))
		var wait sync.WaitGroup
		for range 4 {
			wait.Go(func() {
				out := make([]float32, textRows*dim)
				if err := l.RunTexts(Texts{Rows: textRows, Length: textLength, IDs: ids}, out); err != nil {
					t.Error(err)
				}
				checkRows(t, "shared lane", out, want, 0.999999)
			})
		}
		wait.Wait()
	})
}

func TestSecondSessionComesFromTheCache(t *testing.T) {
	r, err := Open("openvino")
	if err != nil {
		t.Fatal(err)
	}
	// The image graph has its weights in a file beside it, the text graph in itself: they are cached in two ways.
	cache := t.TempDir()
	for _, tower := range []Tower{Image, Text} {
		for _, cached := range []bool{false, true} {
			s := newSession(t, r, SessionOptions{Graph: graph(tower), CacheDir: cache, Tower: tower, Precision: FP32})
			if s.Info().Cached != cached {
				t.Errorf("%v: Cached is %v, want %v", tower, s.Info().Cached, cached)
			}
			checkTower(t, s, tower)
		}
	}
	bf16, err := r.NewSession(SessionOptions{Graph: graph(Text), CacheDir: cache, Tower: Text, Precision: BF16})
	if errors.Is(err, ErrUnavailable) {
		t.Skip("no bf16 here:", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer bf16.Close()
	if got := bf16.Info(); got.Cached || got.Precision != BF16 {
		t.Errorf("another precision came from the cache: %+v", got)
	}
}

// checkTower embeds the reference input in fp32.
func checkTower(t *testing.T, s *Session, tower Tower) {
	t.Helper()
	want := readFloats(t, tower.String()+".output")
	out := make([]float32, len(want))
	lane := newLane(t, s)
	var err error
	if tower == Image {
		err = lane.RunImages(readFile(t, "image.input"), imageRows, imageSize, out)
	} else {
		err = lane.RunTexts(Texts{Rows: textRows, Length: textLength, IDs: readInts(t, "text.input")}, out)
	}
	if err != nil {
		t.Fatal(err)
	}
	checkRows(t, tower.String(), out, want, 0.999999)
}

func TestDamagedCacheIsIgnored(t *testing.T) {
	r, err := Open("openvino")
	if err != nil {
		t.Fatal(err)
	}
	damage := map[string]func([]byte) []byte{
		"cut":     func(b []byte) []byte { return b[:len(b)/2] },
		"empty":   func(b []byte) []byte { return nil },
		"garbage": func(b []byte) []byte { return bytes.Repeat([]byte("garbage "), len(b)/8) },
	}
	for name, change := range damage {
		for _, tower := range []Tower{Image, Text} {
			t.Run(name+" "+tower.String(), func(t *testing.T) {
				cache := t.TempDir()
				options := SessionOptions{Graph: graph(tower), CacheDir: cache, Tower: tower, Precision: FP32}
				newSession(t, r, options)
				blobs, err := filepath.Glob(filepath.Join(cache, "*", "*"))
				if err != nil || len(blobs) != 1 {
					t.Fatalf("the cache holds %v, %v; want one file", blobs, err)
				}
				blob, err := os.ReadFile(blobs[0])
				if err != nil {
					t.Fatal(err)
				}
				if err := os.Remove(blobs[0]); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(blobs[0], change(blob), 0o600); err != nil {
					t.Fatal(err)
				}
				s := newSession(t, r, options)
				if s.Info().Cached {
					t.Error("a damaged cache was used")
				}
				checkTower(t, s, tower)
			})
		}
	}
}

func TestChangedWeightsAreNotTakenFromTheCache(t *testing.T) {
	r, err := Open("openvino")
	if err != nil {
		t.Fatal(err)
	}
	folder, cache := t.TempDir(), t.TempDir()
	copyTo := func(name string, change func([]byte)) {
		data := readFile(t, name)
		change(data)
		if err := os.WriteFile(filepath.Join(folder, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	copyTo("image.onnx", func([]byte) {})
	copyTo("image.bin", func([]byte) {})
	options := SessionOptions{Graph: filepath.Join(folder, "image.onnx"), CacheDir: cache, Tower: Image, Precision: FP32}
	newSession(t, r, options).Close()
	copyTo("image.bin", func(weights []byte) { clear(weights) })
	s := newSession(t, r, options)
	if s.Info().Cached {
		t.Error("the compiled model of other weights was used")
	}
	out := make([]float32, imageRows*dim)
	if err := newLane(t, s).RunImages(readFile(t, "image.input"), imageRows, imageSize, out); err != nil {
		t.Fatal(err)
	}
	for i, v := range out {
		if v != 0 {
			t.Fatalf("number %d is %v; with weights of 0 it must be 0", i, v)
		}
	}
}

func TestAutoIsTheFastestNativePrecision(t *testing.T) {
	each(t, func(t *testing.T, r *Runtime) {
		want := FP32
		if slices.Contains(r.Info().Precisions, BF16) {
			want = BF16
		}
		if got := newSession(t, r, SessionOptions{Graph: graph(Text), Tower: Text}).Info().Precision; got != want {
			t.Errorf("auto came to %v, want %v on a device that has %v", got, want, r.Info().Precisions)
		}
	})
}

func TestClosing(t *testing.T) {
	ids := readInts(t, "text.input")
	each(t, func(t *testing.T, r *Runtime) {
		s := newSession(t, r, SessionOptions{Graph: graph(Text), Tower: Text, Precision: FP32})
		l := newLane(t, s)
		s.Close()
		out := make([]float32, textRows*dim)
		if err := l.RunTexts(Texts{Rows: textRows, Length: textLength, IDs: ids}, out); err != nil {
			t.Errorf("a lane must outlive the Close of its session: %v", err)
		}
		if _, err := s.NewLane(); !errors.Is(err, ErrInvalid) {
			t.Errorf("NewLane of a closed session: %v", err)
		}
		l.Close()
		l.Close()
		s.Close()
		if err := l.RunTexts(Texts{Rows: textRows, Length: textLength, IDs: ids}, out); !errors.Is(err, ErrInvalid) {
			t.Errorf("run of a closed lane: %v", err)
		}
	})
}
