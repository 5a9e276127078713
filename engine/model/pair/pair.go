// Package pair fits a user's own ONNX models to the inputs and outputs that clipd's towers have: it puts the missing
// nodes before and behind them.
package pair

import (
	"fmt"
	"strings"

	"clipd/engine/model/onnx"
)

// minOpset is the first in which the nodes that are added mean what they mean today.
const minOpset = 11

// Fit is a model with what goes around it.
type Fit struct {
	Model         *onnx.Model
	Before, After *onnx.Graph
	Dim           int // columns of the output
	Size          int // image: height and width; text: most ids
}

// prefix keeps the added names apart from the model's own.
const prefix = "clipd/"

func open(data []byte) (*Fit, error) {
	m, err := onnx.Parse(data)
	if err != nil {
		return nil, err
	}
	if m.Opset < minOpset {
		return nil, fmt.Errorf("it uses opset %d, at least %d is needed: export it again", m.Opset, minOpset)
	}
	return &Fit{Model: m, Before: &onnx.Graph{Prefix: prefix + "in/"}, After: &onnx.Graph{Prefix: prefix + "out/"}}, nil
}

// claim frees the name of a new input or output when the model uses it for something else.
func (f *Fit) claim(name string, values ...*onnx.Value) {
	if !f.Model.Has(name) {
		return
	}
	f.Model.Rename(name, prefix+name)
	for _, v := range values {
		if v.Name == name {
			v.Name = prefix + name
		}
	}
}

// feed makes a model's input from a value: the last step of what stands before it.
func (f *Fit) feed(value, input string) {
	f.Before.Rename(f.Before.Op("Identity", []string{value}), input)
}

func cast(g *onnx.Graph, x string, from, to onnx.Type) string {
	if from == to {
		return x
	}
	return g.Op("Cast", []string{x}, onnx.Attribute{Name: "to", Value: int(to)})
}

// Image fits visual.onnx: one input, float pixels [N, 3, S, S] already normalised, or uint8 pixels [N, S, S, 3]. size is used
// when the model does not fix S.
func Image(data []byte, size int, mean, std [3]float32) (*Fit, error) {
	f, err := open(data)
	if err != nil {
		return nil, err
	}
	if len(f.Model.Inputs) != 1 {
		return nil, fmt.Errorf("it has %d inputs (%s), an image tower has one", len(f.Model.Inputs), names(f.Model.Inputs))
	}
	input := f.Model.Inputs[0]
	if len(input.Shape) != 4 {
		return nil, fmt.Errorf("its input %q has %d axes, expected [N, 3, S, S]", input.Name, len(input.Shape))
	}
	if batch := input.Shape[0].Size; batch > 0 {
		return nil, fmt.Errorf("its input %q takes exactly %d pictures: export it with a dynamic first axis", input.Name, batch)
	}
	raw := input.Type == onnx.Uint8
	height := input.Shape[2].Size
	if raw {
		height = input.Shape[1].Size
	}
	if height > 0 {
		size = int(height)
	}
	f.Size = size
	f.claim("pixels", &input)
	g, s := f.Before, int64(size)
	g.Inputs = []onnx.Value{{Name: "pixels", Type: onnx.Uint8, Shape: []onnx.Dim{{Name: "N"}, {Size: s}, {Size: s}, {Size: 3}}}}
	switch input.Type {
	case onnx.Uint8:
		f.feed("pixels", input.Name)
	case onnx.Float, onnx.Float16, onnx.Double:
		if c := input.Shape[1]; c.Size != 0 && c.Size != 3 {
			return nil, fmt.Errorf("its input %q has %d channels, expected 3", input.Name, c.Size)
		}
		var shift, scale [3]float32
		for c := range 3 {
			shift[c], scale[c] = 255*mean[c], 1/(255*std[c])
		}
		x := cast(g, "pixels", onnx.Uint8, onnx.Float)
		x = g.Op("Mul", []string{g.Op("Sub", []string{x, g.Floats([]int64{3}, shift[:]...)}), g.Floats([]int64{3}, scale[:]...)})
		x = g.Op("Transpose", []string{x}, onnx.Attribute{Name: "perm", Value: []int64{0, 3, 1, 2}})
		f.feed(cast(g, x, onnx.Float, input.Type), input.Name)
	default:
		return nil, fmt.Errorf("its input %q has element type %d, expected float pixels or uint8", input.Name, input.Type)
	}
	return f, f.output()
}

// output names the embedding and makes it float32.
func (f *Fit) output() error {
	if len(f.Model.Outputs) == 0 {
		return fmt.Errorf("it has no output")
	}
	out := f.Model.Outputs[0]
	for _, wanted := range []string{"embedding", "image_embeds", "text_embeds"} {
		for _, v := range f.Model.Outputs {
			if v.Name == wanted {
				out = v
			}
		}
	}
	if len(out.Shape) != 0 && len(out.Shape) != 2 {
		return fmt.Errorf("its output %q has %d axes, expected [N, columns]", out.Name, len(out.Shape))
	}
	if out.Type != onnx.Float && out.Type != onnx.Float16 && out.Type != onnx.Double {
		return fmt.Errorf("its output %q has element type %d, expected floating-point numbers", out.Name, out.Type)
	}
	if f.Dim = f.Model.Columns(out); f.Dim <= 0 {
		return fmt.Errorf("its output %q does not say how many columns it has: export it with a fixed last axis", out.Name)
	}
	f.claim("embedding", &out)
	g := f.After
	g.Rename(g.Op("Identity", []string{cast(g, out.Name, out.Type, onnx.Float)}), "embedding")
	g.Outputs = []onnx.Value{{Name: "embedding", Type: onnx.Float, Shape: []onnx.Dim{{Name: "N"}, {Size: int64(f.Dim)}}}}
	return nil
}

func names(values []onnx.Value) string {
	var all []string
	for _, v := range values {
		all = append(all, v.Name)
	}
	return strings.Join(all, ", ")
}
