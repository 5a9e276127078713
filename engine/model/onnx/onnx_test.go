package onnx

import (
	"bytes"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// sample is x [N, 2] times a matrix in the data file, plus a scalar.
func sample() *Graph {
	g := &Graph{Name: "sample", Inputs: []Value{{Name: "x", Type: Float, Shape: []Dim{{Name: "N"}, {Size: 2}}}}}
	g.Initializers = append(g.Initializers, &Initializer{Name: "w", Type: Float, Dims: []int64{2, 3}, Write: func(w io.Writer) error {
		_, err := w.Write(floatBytes([]float32{1, 2, 3, 4, 5, 6}))
		return err
	}})
	y := g.Op("MatMul", []string{"x", "w"})
	g.Rename(g.Op("Gelu", []string{y}, Attribute{"approximate", "none"}), "y")
	g.Outputs = []Value{{Name: "y", Type: Float, Shape: []Dim{{Name: "N"}, {Name: "columns"}}}}
	return g
}

func TestWriteAndParse(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sample.onnx")
	var done, total int64
	if err := sample().Write(path, func(d, n int64) error { done, total = d, n; return nil }); err != nil {
		t.Fatal(err)
	}
	if done != 24 || total != 24 {
		t.Errorf("progress ended at %d of %d bytes", done, total)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	m, err := Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	if m.Opset != Opset || len(m.Inputs) != 1 || m.Inputs[0].Name != "x" || m.Inputs[0].Shape[1].Size != 2 || m.Outputs[0].Shape[1].Name != "columns" {
		t.Errorf("read back %+v", m)
	}
	if !slices.Equal(m.External, []string{"sample.onnx.data"}) {
		t.Errorf("external files %v", m.External)
	}
	weights, err := os.ReadFile(path + ".data")
	if err != nil || !bytes.Equal(weights, floatBytes([]float32{1, 2, 3, 4, 5, 6})) {
		t.Errorf("data file % x, %v", weights, err)
	}
}

func TestColumnsFromTheLastProduct(t *testing.T) {
	g := sample()
	g.Nodes = g.Nodes[:1]
	g.Rename("MatMul_1", "y")
	m, err := Parse(g.encode("d"))
	if err != nil {
		t.Fatal(err)
	}
	if n := m.Columns(m.Outputs[0]); n != 3 {
		t.Errorf("%d columns", n)
	}
	if n := m.Columns(Value{Name: "z"}); n != 0 {
		t.Errorf("%d columns of an unknown value", n)
	}
}

func TestWeightsAreAligned(t *testing.T) {
	g := sample()
	second := *g.Initializers[0]
	second.Name = "w2"
	g.Initializers = append(g.Initializers, &second)
	path := filepath.Join(t.TempDir(), "a.onnx")
	if err := g.Write(path, func(int64, int64) error { return nil }); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path + ".data")
	if err != nil || info.Size() != alignment+24 {
		t.Errorf("data file of %d bytes, %v", info.Size(), err)
	}
}

func TestWriteStops(t *testing.T) {
	stop := errors.New("stop")
	if err := sample().Write(filepath.Join(t.TempDir(), "a.onnx"), func(int64, int64) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("error %v", err)
	}
	g := sample()
	g.Initializers[0].Dims = []int64{2, 4}
	if err := g.Write(filepath.Join(t.TempDir(), "a.onnx"), func(int64, int64) error { return nil }); err == nil || !strings.Contains(err.Error(), "24 bytes instead of 32") {
		t.Errorf("a short weight: %v", err)
	}
}

func TestWrapKeepsTheModelAndItsOrder(t *testing.T) {
	m, err := Parse(sample().encode("d"))
	if err != nil {
		t.Fatal(err)
	}
	m.Rename("x", "inner")
	if m.Has("nothing") || !m.Has("y") || !m.Has("w") {
		t.Error("Has is wrong")
	}
	before := &Graph{Prefix: "b/", Inputs: []Value{{Name: "x", Type: Uint8, Shape: []Dim{{Name: "N"}, {Size: 2}}}}}
	before.Rename(before.Op("Cast", []string{"x"}, Attribute{"to", int(Float)}), "inner")
	after := &Graph{Prefix: "a/", Outputs: []Value{{Name: "z", Type: Float, Shape: []Dim{{Name: "N"}, {Size: 3}}}}}
	after.Rename(after.Op("Mul", []string{"y", after.Scalar(Float, 2)}), "z")
	path := filepath.Join(t.TempDir(), "wrapped.onnx")
	if err := m.Wrap(path, before, after); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	w, err := Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	var ops []string
	for _, f := range w.graph {
		if f.number == 1 {
			for _, op := range []string{"Cast", "MatMul", "Gelu", "Mul"} {
				if bytes.Contains(f.raw, append([]byte{'"', byte(len(op))}, op...)) { // field 4, op_type
					ops = append(ops, op)
				}
			}
		}
	}
	if !slices.Equal(ops, []string{"Cast", "MatMul", "Gelu", "Mul"}) {
		t.Errorf("nodes in the order %v", ops)
	}
	if w.Inputs[0].Type != Uint8 || w.Outputs[0].Name != "z" || len(w.Inputs) != 1 || len(w.Outputs) != 1 {
		t.Errorf("inputs %v, outputs %v", w.Inputs, w.Outputs)
	}
	if got := w.producer["MatMul_1"].inputs; !slices.Equal(got, []string{"inner", "w"}) {
		t.Errorf("the product reads %v", got)
	}
}

func TestParseRefuses(t *testing.T) {
	check := func(data []byte, want string) {
		t.Helper()
		if _, err := Parse(data); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("% x: %v; expected %q", data, err, want)
		}
	}
	check([]byte{0xff}, "protocol buffer")
	check(nil, "no graph")
	whole := sample().encode("../d")
	check(whole, "lies outside")
	check(whole[:len(whole)-9], "protocol buffer")
}

func FuzzParse(f *testing.F) {
	f.Add(sample().encode("d"))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := Parse(data)
		if err != nil {
			return
		}
		for _, v := range m.Outputs {
			m.Columns(v)
		}
		m.Rename("x", "y")
	})
}

func TestAppendFloatsRoundsToNearestEven(t *testing.T) {
	check := func(typ Type, v float32, want uint16) {
		t.Helper()
		b := AppendFloats(nil, typ, []float32{v})
		if got := uint16(b[0]) | uint16(b[1])<<8; got != want {
			t.Errorf("type %d: %v = %#04x, expected %#04x", typ, v, got, want)
		}
	}
	check(Float16, 1, 0x3c00)
	check(Float16, -2, 0xc000)
	check(Float16, 65504, 0x7bff)
	check(Float16, 65519, 0x7bff)
	check(Float16, 65520, 0x7c00)
	check(Float16, 1+1.0/2048, 0x3c00) // half way: to even
	check(Float16, 1+3.0/2048, 0x3c02)
	check(Float16, 1.0/(1<<24), 0x0001)
	check(Float16, 1.0/(1<<25), 0x0000)
	check(Float16, 1.5/(1<<24), 0x0002)
	check(Float16, 1.0/(1<<14)-1.0/(1<<26), 0x0400) // rounds up into the normal numbers
	check(Float16, float32(math.Inf(-1)), 0xfc00)
	check(Float16, float32(math.NaN()), 0x7e00)
	check(Float16, float32(math.Copysign(0, -1)), 0x8000)
	check(BFloat16, 1, 0x3f80)
	check(BFloat16, 1+1.0/256, 0x3f80)
	check(BFloat16, 1+3.0/256, 0x3f82)
	check(BFloat16, math.MaxFloat32, 0x7f80)
	check(BFloat16, float32(math.NaN()), 0x7fc0)
}
