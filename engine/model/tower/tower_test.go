package tower

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"clipd/engine/model/arch"
	"clipd/engine/model/checkpoint"
	"clipd/engine/model/onnx"
)

const models = "../../../testdata/models/"

var (
	mean = [3]float32{0.48145466, 0.4578275, 0.40821073}
	std  = [3]float32{0.26862954, 0.26130258, 0.27577711}
)

func open(t *testing.T, path string) (*arch.Weights, arch.Architecture) {
	t.Helper()
	c, err := checkpoint.Open(models + path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	w, err := arch.NewWeights(c)
	if err != nil {
		t.Fatal(err)
	}
	a, err := arch.Detect(w, arch.Hint{})
	if err != nil {
		t.Fatal(err)
	}
	return w, a
}

// written writes both towers and returns the four files.
func written(t *testing.T, path string, typ onnx.Type) [4][]byte {
	t.Helper()
	w, a := open(t, path)
	image, err := Image(w, a, mean, std, typ)
	if err != nil {
		t.Fatal(err)
	}
	text, err := Text(w, a, typ)
	if err != nil {
		t.Fatal(err)
	}
	if unused := w.Unused(); len(unused) > 0 {
		t.Errorf("%s: unused %v", path, unused)
	}
	dir := t.TempDir()
	var out [4][]byte
	for i, g := range []*onnx.Graph{image, text} {
		file := filepath.Join(dir, g.Name+".onnx")
		if err := g.Write(file, func(int64, int64) error { return nil }); err != nil {
			t.Fatal(err)
		}
		for k, name := range []string{file, file + ".data"} {
			if out[2*i+k], err = os.ReadFile(name); err != nil {
				t.Fatal(err)
			}
		}
	}
	return out
}

func TestFormatsGiveIdenticalFiles(t *testing.T) {
	want := written(t, "vit_quickgelu/state_dict_reduced.pt", onnx.Float)
	for _, path := range []string{"vit_quickgelu/open_clip_reduced", "vit_quickgelu/hf_reduced"} {
		for i, got := range written(t, path, onnx.Float) {
			if !bytes.Equal(got, want[i]) {
				t.Errorf("%s: file %d of 4 differs from that of the state_dict", path, i)
			}
		}
	}
	// The archive with the whole vocabulary has the same image tower.
	whole := written(t, "vit_quickgelu/openai_jit.pt", onnx.Float)
	for i, got := range whole[:2] {
		if !bytes.Equal(got, want[i]) {
			t.Errorf("openai_jit.pt: file %d of the image tower differs", i)
		}
	}
}

// inputsOf writes int32 inputs as names with their dimensions.
func inputsOf(inputs []onnx.Value) string {
	var all []string
	for _, v := range inputs {
		var dims []string
		for _, d := range v.Shape {
			dims = append(dims, d.Name)
		}
		if v.Type != onnx.Int32 {
			v.Name += " of another type"
		}
		all = append(all, v.Name+"["+strings.Join(dims, " ")+"]")
	}
	return strings.Join(all, " ")
}

func TestInputsAndOutputs(t *testing.T) {
	for _, typ := range []onnx.Type{onnx.Float, onnx.Float16, onnx.BFloat16} {
		for path, dim := range map[string]int64{"vit_quickgelu/hf_reduced": 32, "resnet/state_dict_reduced.pt": 32, "xlmr_gelu": 24} {
			files := written(t, path, typ)
			image, err := onnx.Parse(files[0])
			if err != nil {
				t.Fatal(err)
			}
			text, err := onnx.Parse(files[2])
			if err != nil {
				t.Fatal(err)
			}
			p := image.Inputs[0]
			if len(image.Inputs) != 1 || p.Name != "pixels" || p.Type != onnx.Uint8 || p.Shape[0].Name != "N" || p.Shape[1] != p.Shape[2] || p.Shape[3].Size != 3 {
				t.Errorf("%s: image input %+v", path, p)
			}
			// RoBERTa takes a text in each line, CLIP's own text tower several.
			want := "ids[N L]"
			if path != "xlmr_gelu" {
				want = "ids[R W] positions[R W] segments[R W] ends[N]"
			}
			if got := inputsOf(text.Inputs); got != want {
				t.Errorf("%s: text inputs %s, want %s", path, got, want)
			}
			for _, m := range []*onnx.Model{image, text} {
				if o := m.Outputs[0]; len(m.Outputs) != 1 || o.Name != "embedding" || o.Type != onnx.Float || o.Shape[1].Size != dim {
					t.Errorf("%s: output %+v", path, o)
				}
			}
			if len(files[0]) > 64<<10 || len(files[2]) > 64<<10 {
				t.Errorf("%s: graphs of %d and %d bytes are not small", path, len(files[0]), len(files[2]))
			}
		}
	}
}

func TestHalfTypesTakeLessSpace(t *testing.T) {
	whole, half := written(t, "vit_gelu/open_clip_reduced", onnx.Float), written(t, "vit_gelu/open_clip_reduced", onnx.BFloat16)
	if 10*len(half[1]) > 8*len(whole[1]) || 10*len(half[3]) > 8*len(whole[3]) {
		t.Errorf("weights of %d and %d bytes in bfloat16, %d and %d in float32", len(half[1]), len(half[3]), len(whole[1]), len(whole[3]))
	}
}

// TestPatchMatrix checks the folded convolution against the definition, (pixel/255 - mean) / std.
func TestPatchMatrix(t *testing.T) {
	w, a := open(t, "vit_gelu/open_clip_reduced")
	v := a.Vision
	conv, err := w.Take("visual.conv1.weight", v.Width, 3, v.Patch, v.Patch)
	if err != nil {
		t.Fatal(err)
	}
	kernel := make([]float32, conv.Len())
	if err := conv.Floats(kernel); err != nil {
		t.Fatal(err)
	}
	matrix := make([]float32, conv.Len())
	if err := patchMatrix(matrix, conv, std, 1.0/255); err != nil {
		t.Fatal(err)
	}
	b := &builder{weights: w, a: a, typ: onnx.Float}
	b.positions(conv, mean, std)
	var table bytes.Buffer
	if err := b.Initializers[0].Write(&table); err != nil {
		t.Fatal(err)
	}
	pos := make([]float32, 17*v.Width)
	posWeight, err := w.Take("visual.positional_embedding", 17, v.Width)
	if err != nil {
		t.Fatal(err)
	}
	if err := posWeight.Floats(pos); err != nil {
		t.Fatal(err)
	}
	pixel := func(y, x, c int) float64 { return float64((y*37 + x*11 + c*101) % 256) }
	for o := range v.Width {
		want, got := float64(pos[v.Width+o]), 0.0
		for y := range v.Patch {
			for x := range v.Patch {
				for c := range 3 {
					k := float64(kernel[((o*3+c)*v.Patch+y)*v.Patch+x])
					want += k * (pixel(y, x, c)/255 - float64(mean[c])) / float64(std[c])
					got += float64(matrix[((y*v.Patch+x)*3+c)*v.Width+o]) * pixel(y, x, c)
				}
			}
		}
		raw := table.Bytes()[4*(v.Width+o):]
		got += float64(math.Float32frombits(uint32(raw[0]) | uint32(raw[1])<<8 | uint32(raw[2])<<16 | uint32(raw[3])<<24))
		if math.Abs(got-want) > 1e-5*math.Max(1, math.Abs(want)) {
			t.Errorf("column %d: %v, expected %v", o, got, want)
		}
	}
}

func TestMissingWeightIsNamed(t *testing.T) {
	w, a := open(t, "vit_gelu/open_clip_reduced")
	a.Vision.Layers = 3
	if _, err := Image(w, a, mean, std, onnx.Float); err == nil || !strings.Contains(err.Error(), "visual.transformer.resblocks.2.ln_1.weight") {
		t.Errorf("a missing block: %v", err)
	}
	a.Text.Width = 32
	if _, err := Text(w, a, onnx.Float); err == nil || !strings.Contains(err.Error(), "[370 64]") {
		t.Errorf("a wrong width: %v", err)
	}
}
