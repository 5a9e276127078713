package pair

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"clipd/engine/model/onnx"
)

func dims(names ...any) []onnx.Dim {
	var out []onnx.Dim
	for _, n := range names {
		switch v := n.(type) {
		case int:
			out = append(out, onnx.Dim{Size: int64(v)})
		case string:
			out = append(out, onnx.Dim{Name: v})
		}
	}
	return out
}

// export makes a model of one Identity a output, as a user's export might be.
func export(t *testing.T, output onnx.Value, inputs ...onnx.Value) []byte {
	t.Helper()
	g := &onnx.Graph{Name: "user", Inputs: inputs, Outputs: []onnx.Value{output}}
	for _, v := range inputs {
		g.Rename(g.Op("Identity", []string{v.Name}), "made_from_"+v.Name)
	}
	g.Rename(g.Op("ReduceMax", []string{"made_from_" + inputs[0].Name}), output.Name)
	path := filepath.Join(t.TempDir(), "user.onnx")
	if err := g.Write(path, func(int64, int64) error { return nil }); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// wrapped writes a fit and reads it back.
func wrapped(t *testing.T, f *Fit) *onnx.Model {
	t.Helper()
	path := filepath.Join(t.TempDir(), "wrapped.onnx")
	if err := f.Model.Wrap(path, f.Before, f.After); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	m, err := onnx.Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

var (
	mean = [3]float32{0.5, 0.5, 0.5}
	std  = [3]float32{0.25, 0.25, 0.25}
	row  = onnx.Value{Name: "output", Type: onnx.Float, Shape: dims("N", 8)}
)

func TestImageInputs(t *testing.T) {
	check := func(input, output onnx.Value, size int) {
		t.Helper()
		f, err := Image(export(t, output, input), 224, mean, std)
		if err != nil {
			t.Error(err)
			return
		}
		m := wrapped(t, f)
		if f.Size != size || f.Dim != 8 || len(m.Inputs) != 1 || len(m.Outputs) != 1 {
			t.Errorf("size %d, dim %d, inputs %v, outputs %v", f.Size, f.Dim, m.Inputs, m.Outputs)
		}
		in, out := m.Inputs[0], m.Outputs[0]
		if in.Name != "pixels" || in.Type != onnx.Uint8 || in.Shape[1].Size != int64(size) || in.Shape[3].Size != 3 || in.Shape[0].Name != "N" {
			t.Errorf("input %+v", in)
		}
		if out.Name != "embedding" || out.Type != onnx.Float || out.Shape[1].Size != 8 {
			t.Errorf("output %+v", out)
		}
	}
	check(onnx.Value{Name: "pixel_values", Type: onnx.Float, Shape: dims("batch", 3, 288, 288)}, row, 288)
	check(onnx.Value{Name: "pixel_values", Type: onnx.Float, Shape: dims("batch", 3, "h", "w")}, row, 224)
	check(onnx.Value{Name: "pixels", Type: onnx.Float16, Shape: dims("batch", 3, 64, 64)}, onnx.Value{Name: "embedding", Type: onnx.Float16, Shape: dims("N", 8)}, 64)
	check(onnx.Value{Name: "pixels", Type: onnx.Uint8, Shape: dims("N", 96, 96, 3)}, row, 96)
}

func TestTextInputs(t *testing.T) {
	ids := func(name string, typ onnx.Type, length any) onnx.Value {
		return onnx.Value{Name: name, Type: typ, Shape: dims("batch", length)}
	}
	check := func(size int, inputs ...onnx.Value) {
		t.Helper()
		f, err := Text(export(t, row, inputs...), 77)
		if err != nil {
			t.Error(err)
			return
		}
		m := wrapped(t, f)
		if f.Size != size || len(m.Inputs) != 1 || m.Inputs[0].Name != "ids" || m.Inputs[0].Type != onnx.Int32 || m.Inputs[0].Shape[1].Name != "L" {
			t.Errorf("size %d, inputs %+v", f.Size, m.Inputs)
		}
	}
	check(77, ids("input_ids", onnx.Int64, "sequence"), ids("attention_mask", onnx.Int64, "sequence"))
	check(64, ids("input_ids", onnx.Int32, 64), ids("attention_mask", onnx.Int32, 64))
	check(77, ids("ids", onnx.Int32, "L"))
	check(77, ids("ids", onnx.Int64, 77))
	check(77, ids("attention_mask", onnx.Bool, "L"), ids("input", onnx.Int64, "L"))
}

func TestWhatDoesNotFitIsRefused(t *testing.T) {
	check := func(err error, want string) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v; expected %q", err, want)
		}
	}
	picture := onnx.Value{Name: "x", Type: onnx.Float, Shape: dims("N", 3, 64, 64)}
	image := func(output, input onnx.Value) error {
		_, err := Image(export(t, output, input), 224, mean, std)
		return err
	}
	check(image(row, onnx.Value{Name: "x", Type: onnx.Float, Shape: dims(1, 3, 64, 64)}), "exactly 1 pictures")
	check(image(row, onnx.Value{Name: "x", Type: onnx.Float, Shape: dims("N", 3, 64)}), "3 axes")
	check(image(row, onnx.Value{Name: "x", Type: onnx.Float, Shape: dims("N", 4, 64, 64)}), "4 channels")
	check(image(row, onnx.Value{Name: "x", Type: onnx.Int64, Shape: dims("N", 3, 64, 64)}), "element type 7")
	check(image(onnx.Value{Name: "y", Type: onnx.Float, Shape: dims("N", "columns")}, picture), "how many columns")
	check(image(onnx.Value{Name: "y", Type: onnx.Float, Shape: dims("N", 5, 8)}, picture), "3 axes")
	check(image(onnx.Value{Name: "y", Type: onnx.Int64, Shape: dims("N", 8)}, picture), "element type 7")
	_, err := Image(export(t, row, picture, onnx.Value{Name: "z", Type: onnx.Float}), 224, mean, std)
	check(err, "2 inputs (x, z)")
	_, err = Image([]byte("nonsense"), 224, mean, std)
	check(err, "no ONNX model")

	text := func(inputs ...onnx.Value) error {
		_, err := Text(export(t, row, inputs...), 77)
		return err
	}
	ids := onnx.Value{Name: "ids", Type: onnx.Int64, Shape: dims("N", "L")}
	check(text(onnx.Value{Name: "mask", Type: onnx.Int64, Shape: dims("N", "L")}), "no ids")
	check(text(onnx.Value{Name: "ids", Type: onnx.Float, Shape: dims("N", "L")}), "int32 or int64")
	check(text(onnx.Value{Name: "ids", Type: onnx.Int64, Shape: dims(1, "L")}), "exactly 1 texts")
	check(text(onnx.Value{Name: "ids", Type: onnx.Int64, Shape: dims("L")}), "1 axes")
	check(text(ids, onnx.Value{Name: "position_ids", Type: onnx.Int64, Shape: dims("N", "L")}), "position_ids")
	check(text(ids, onnx.Value{Name: "mask", Type: onnx.Double, Shape: dims("N", "L")}), "a mask of integers")
}
