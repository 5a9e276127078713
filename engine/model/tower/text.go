package tower

import (
	"fmt"

	"clipd/engine/model/arch"
	"clipd/engine/model/onnx"
)

// hidden is added to the score of a key that must not be seen. It is the lowest float16, so that it is finite in
// every type and far below any score.
const hidden = -65504

// Text builds the text tower.
func Text(w *arch.Weights, a arch.Architecture, typ onnx.Type) (*onnx.Graph, error) {
	b := &builder{Graph: onnx.Graph{Name: "text"}, weights: w, a: a, typ: typ}
	if a.Text.Kind == arch.Roberta {
		b.Inputs = []onnx.Value{{Name: "ids", Type: onnx.Int32, Shape: []onnx.Dim{{Name: "N"}, {Name: "L"}}}}
		return b.finish(b.roberta())
	}
	return b.finish(b.clipText())
}

// clipText: causal, pooled at the end-of-text token. Several texts may lie in one line of the input, so that little of it is
// padding: segments tells them apart, positions counts the tokens of each from 0, and ends are the flat indices of their
// last tokens.
func (b *builder) clipText() string {
	t := b.a.Text
	line := []onnx.Dim{{Name: "R"}, {Name: "W"}}
	b.Inputs = []onnx.Value{
		{Name: "ids", Type: onnx.Int32, Shape: line}, {Name: "positions", Type: onnx.Int32, Shape: line},
		{Name: "segments", Type: onnx.Int32, Shape: line}, {Name: "ends", Type: onnx.Int32, Shape: []onnx.Dim{{Name: "N"}}},
	}
	// The table keeps float32: a row of it is the whole of what a token says, and in bfloat16 texts come out with a cosine of 0.9994.
	x := b.Op("Gather", in(b.tensor(onnx.Float, "token_embedding.weight", t.Vocab, t.Width), "ids"))
	x = b.Op("Add", in(x, b.Op("Gather", in(b.tensor(onnx.Float, "positional_embedding", t.Context, t.Width), "positions"))))
	mask := b.textMask()
	for i := range t.Layers {
		k := block{prefix: fmt.Sprintf("transformer.resblocks.%d.", i), width: t.Width, heads: t.Heads, mlp: t.MLP, mask: mask}
		if i == t.Layers-1 {
			k.keep = func(x string) string { // [R, W, width] -> [N, width]
				return b.Op("Gather", in(b.Op("Reshape", in(x, b.Ints(-1, int64(t.Width)))), "ends"), attr("axis", 0))
			}
		}
		x = b.transformer(x, k)
	}
	x = b.toProducts(b.layerNorm(x, "ln_final", t.Width, arch.NormEps))
	return b.linear(x, product{weight: "text_projection", rows: b.a.EmbedDim, columns: t.Width, columnsAreRows: true})
}

// textMask is [R, 1, W, W]: a token sees those of its own text up to itself.
func (b *builder) textMask() string {
	query := b.Op("Unsqueeze", in("segments", b.Ints(1, 3))) // [R, 1, W, 1]
	key := b.Op("Unsqueeze", in("segments", b.Ints(1, 2)))   // [R, 1, 1, W]
	same := b.Op("Equal", in(query, key))
	query = b.Op("Unsqueeze", in("positions", b.Ints(1, 3)))
	key = b.Op("Unsqueeze", in("positions", b.Ints(1, 2)))
	seen := b.Op("And", in(same, b.Op("LessOrEqual", in(key, query))))
	return b.Op("Where", in(seen, b.Floats(nil, 0), b.Floats(nil, hidden)))
}
