package engine_test

import (
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"testing"

	"clipd/engine"
	"clipd/engine/runtime"
)

const demoPictures = "../testdata/demo"

func readJSON(t *testing.T, name string, into any) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(demoPictures, name))
	if err == nil {
		err = json.Unmarshal(data, into)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func picture(t *testing.T, file string) engine.Input {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(demoPictures, file))
	if err != nil {
		t.Fatal(err)
	}
	return engine.Input{Tower: engine.ImageTower, Image: data}
}

func caption(text string) engine.Input { return engine.Input{Tower: engine.TextTower, Text: text} }

func encode(t *testing.T, l *engine.Loaded, inputs []engine.Input) *engine.Embeddings {
	t.Helper()
	emb, err := l.Encode(t.Context(), inputs)
	if err == nil {
		err = emb.Err()
	}
	if err != nil {
		t.Fatal(err)
	}
	return emb
}

// TestDemoModel walks the whole way, from the bytes of pictures and texts to embeddings, on every runtime and precision:
// against what the training framework computed, one by one against together, and by what the model is for.
func TestDemoModel(t *testing.T) {
	for _, f := range runtime.Discover() {
		for _, p := range []runtime.Precision{runtime.FP32, runtime.BF16} {
			t.Run(f.Name+" "+p.String(), func(t *testing.T) {
				if f.Err != nil && (f.Name == "openvino" || f.Name == "onnxruntime") {
					t.Fatal(f.Err) // these two are built everywhere
				}
				if f.Err != nil {
					t.Skip(f.Err)
				}
				l, err := engine.Load(t.Context(), engine.LoadOptions{Name: "demo", Runtime: f.Name, Precision: p, CacheDir: t.TempDir()})
				if errors.Is(err, runtime.ErrUnavailable) {
					t.Skip(err)
				}
				if err != nil {
					t.Fatal(err)
				}
				defer l.Close()
				least := 0.99999
				if p != runtime.FP32 {
					least = 0.9995
				}
				matchesTraining(t, l, least)
				aloneIsTogether(t, l, least)
				findsPictures(t, l)
			})
		}
	}
}

func matchesTraining(t *testing.T, l *engine.Loaded, least float64) {
	var expected struct {
		Pictures []struct {
			File      string
			Embedding []float32
		}
		Texts []struct {
			Text      string
			Embedding []float32
		}
	}
	readJSON(t, "expected.json", &expected)
	if len(expected.Pictures) < 5 || len(expected.Texts) < 5 {
		t.Fatal("too few expected embeddings")
	}
	var inputs []engine.Input
	var want [][]float32
	for _, p := range expected.Pictures {
		inputs, want = append(inputs, picture(t, p.File)), append(want, p.Embedding)
	}
	for _, p := range expected.Texts {
		inputs, want = append(inputs, caption(p.Text)), append(want, p.Embedding)
	}
	emb := encode(t, l, inputs)
	for i, w := range want {
		if c := cosine(emb.Row(i), w); !(c >= least) {
			t.Errorf("input %d: cosine %.7f to the training framework, want %v", i, c, least)
		}
	}
}

func aloneIsTogether(t *testing.T, l *engine.Loaded, least float64) {
	inputs := []engine.Input{caption("a red circle"), picture(t, "000.png"), caption("x"), picture(t, "001.jpg"),
		caption("a large blue square to the left of three small green triangles on a striped background")}
	together := encode(t, l, inputs)
	for i, in := range inputs {
		alone := encode(t, l, []engine.Input{in})
		if c := cosine(together.Row(i), alone.Row(0)); !(c >= least) {
			t.Errorf("input %d: cosine %.7f between alone and together", i, c)
		}
	}
}

// findsPictures looks for each caption's picture among all.
func findsPictures(t *testing.T, l *engine.Loaded) {
	var captions []struct{ File, Caption string }
	readJSON(t, "captions.json", &captions)
	var inputs []engine.Input
	for _, c := range captions {
		inputs = append(inputs, picture(t, c.File))
	}
	for _, c := range captions {
		inputs = append(inputs, caption(c.Caption))
	}
	emb := encode(t, l, inputs)
	n, right := len(captions), 0
	for q := range n {
		best := 0
		for i := range n {
			if cosine(emb.Row(n+q), emb.Row(i)) > cosine(emb.Row(n+q), emb.Row(best)) {
				best = i
			}
		}
		if best == q {
			right++
		}
	}
	if n < 40 || right*10 < n*9 {
		t.Errorf("%d of %d captions find their picture first; 90 %% are needed", right, n)
	}
}

func cosine(a, b []float32) float64 {
	var dot, aa, bb float64
	for i := range a {
		x, y := float64(a[i]), float64(b[i])
		dot, aa, bb = dot+x*y, aa+x*x, bb+y*y
	}
	return dot / math.Sqrt(aa*bb)
}
