package engine

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"clipd/engine/runtime"
)

// twisted is a lane that answers something else than its runtime.
type twisted struct {
	Lane
	twist func(rows []float32)
}

func (l twisted) RunTexts(t TextBatch, out []float32) error {
	err := l.Lane.RunTexts(t, out)
	l.twist(out)
	return err
}

// TestSelfCheck opens the demo model, which checks it, and then gives it lanes that answer wrongly.
func TestSelfCheck(t *testing.T) {
	cache := t.TempDir()
	open := func() *Opened {
		l, err := Open(t.Context(), LoadOptions{Name: "demo", CacheDir: cache, Precision: runtime.FP32})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(l.Close)
		return l
	}
	l := open()
	path := filepath.Join(l.compiledDir(), "reference.json")
	before, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	ref, err := l.reference(t.Context())
	if err != nil || ref == nil || ref.Path == l.Runtime.Name+" fp32" {
		t.Fatalf("reference %+v, %v; want that of another runtime", ref, err)
	}
	good := l.Lanes[0]
	check := func(want string, twist func([]float32)) {
		t.Helper()
		l.Lanes[0] = twisted{good, twist}
		defer func() { l.Lanes[0] = good }()
		err := l.selfCheck(ref)
		if want == "" && err != nil || want != "" && (KindOf(err) != Unavailable || !strings.Contains(err.Error(), want)) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	check("", func([]float32) {})
	check("not finite", func(rows []float32) { rows[3] = inf() })
	check("with cosine -1.0", func(rows []float32) {
		for i := range rows {
			rows[i] = -rows[i]
		}
	})
	check("with cosine NaN", func(rows []float32) { clear(rows) })
	check("with cosine 0.9", func(rows []float32) {
		for i := range rows {
			if i%8 == 0 {
				rows[i] = 0
			}
		}
	})
	open()
	if after, err := os.Stat(path); err != nil || !after.ModTime().Equal(before.ModTime()) {
		t.Error("a second start computed the reference again")
	}
	if err := os.WriteFile(path, []byte(`{"Key":"1","Rows":[[1],[2]]}`), 0o644); err != nil {
		t.Fatal(err)
	}
	open() // a damaged one is computed anew
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, err := l.reference(ended); err == nil {
		t.Error("a start that was ended computed a reference")
	}
}

func inf() float32 { var zero float32; return 1 / zero }
