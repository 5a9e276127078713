package pair

import (
	"fmt"
	"strings"

	"clipd/engine/model/onnx"
)

// Text fits textual.onnx: ids (int32 or int64, [N, L]) and, where it is asked for, an attention mask of the same shape. context is
// the most ids of a text when the model does not fix L; a model that does gets its texts padded with zeros inside the graph.
func Text(data []byte, context int) (*Fit, error) {
	f, err := open(data)
	if err != nil {
		return nil, err
	}
	ids, mask, err := textInputs(f.Model.Inputs)
	if err != nil {
		return nil, err
	}
	f.Size = context
	fixed := ids.Shape[1].Size
	if fixed > 0 {
		f.Size = int(fixed)
	}
	if mask != nil {
		f.claim("ids", ids, mask)
	} else {
		f.claim("ids", ids)
	}
	g := f.Before
	g.Inputs = []onnx.Value{{Name: "ids", Type: onnx.Int32, Shape: []onnx.Dim{{Name: "N"}, {Name: "L"}}}}
	x := cast(g, "ids", onnx.Int32, onnx.Int64)
	length := g.Op("Gather", []string{g.Op("Shape", []string{x}), g.Int(1)}) // scalar
	if fixed > 0 {
		missing := g.Op("Reshape", []string{g.Op("Sub", []string{g.Int(fixed), length}), g.Ints(1)})
		pads := g.Op("Concat", []string{g.Ints(0, 0, 0), missing}, onnx.Attribute{Name: "axis", Value: 0})
		x = g.Op("Pad", []string{x, pads})
		length = g.Int(fixed)
	}
	if mask != nil {
		// 1 up to and including the end-of-text token, the first position of the largest id.
		end := g.Op("ArgMax", []string{x}, onnx.Attribute{Name: "axis", Value: 1}, onnx.Attribute{Name: "keepdims", Value: 1})
		positions := g.Op("Range", []string{g.Int(0), length, g.Int(1)})
		live := g.Op("Not", []string{g.Op("Greater", []string{positions, end})})
		f.feed(cast(g, live, onnx.Bool, mask.Type), mask.Name)
	}
	f.feed(cast(g, x, onnx.Int64, ids.Type), ids.Name)
	return f, f.output()
}

// textInputs tells the ids from the mask.
func textInputs(inputs []onnx.Value) (ids, mask *onnx.Value, err error) {
	for _, v := range inputs {
		to := &ids
		if strings.Contains(strings.ToLower(v.Name), "mask") {
			to = &mask
		}
		if *to != nil {
			return nil, nil, fmt.Errorf("its inputs are %s; a text tower has ids and perhaps an attention mask", names(inputs))
		}
		*to = &v
	}
	if ids == nil {
		return nil, nil, fmt.Errorf("its inputs (%s) have no ids", names(inputs))
	}
	if ids.Type != onnx.Int32 && ids.Type != onnx.Int64 {
		return nil, nil, fmt.Errorf("its input %q has element type %d, expected int32 or int64 ids", ids.Name, ids.Type)
	}
	if len(ids.Shape) != 2 {
		return nil, nil, fmt.Errorf("its input %q has %d axes, expected [N, L]", ids.Name, len(ids.Shape))
	}
	if batch := ids.Shape[0].Size; batch > 0 {
		return nil, nil, fmt.Errorf("its input %q takes exactly %d texts: export it with a dynamic first axis", ids.Name, batch)
	}
	if mask != nil {
		switch mask.Type {
		case onnx.Int32, onnx.Int64, onnx.Bool, onnx.Float, onnx.Float16:
		default:
			return nil, nil, fmt.Errorf("its input %q has element type %d, expected a mask of integers, bool or floats", mask.Name, mask.Type)
		}
	}
	return ids, mask, nil
}
