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
	b.Inputs = []onnx.Value{{Name: "ids", Type: onnx.Int32, Shape: []onnx.Dim{{Name: "N"}, {Name: "L"}}}}
	if a.Text.Kind == arch.Roberta {
		return b.finish(b.roberta())
	}
	return b.finish(b.clipText())
}

// clipText: causal, pooled at the first position of the largest id of a row, which is the end-of-text token.
func (b *builder) clipText() string {
	t := b.a.Text
	length := b.Op("Shape", in("ids"), attr("start", 1), attr("end", 2)) // [1]
	x := b.Op("Gather", in(b.tensor(b.typ, "token_embedding.weight", t.Vocab, t.Width), "ids"))
	pos := b.Op("Slice", in(b.tensor(onnx.Float, "positional_embedding", t.Context, t.Width), b.Ints(0), length, b.Ints(0)))
	x = b.Op("Add", in(b.toFloat(x), pos))

	causal := b.computed(onnx.Float, "causal", []int{t.Context, t.Context}, func(dst []float32) error {
		for query := range t.Context {
			for key := query + 1; key < t.Context; key++ {
				dst[query*t.Context+key] = hidden
			}
		}
		return nil
	})
	mask := b.Op("Slice", in(causal, b.Ints(0, 0), b.Op("Concat", in(length, length), attr("axis", 0)), b.Ints(0, 1)))

	end := b.Op("ArgMax", in("ids"), attr("axis", 1), attr("keepdims", 0)) // [N]
	poolMask := b.Op("Slice", in(b.Op("Gather", in(causal, end), attr("axis", 0)), b.Ints(0), length, b.Ints(1)))
	poolMask = b.Op("Unsqueeze", in(poolMask, b.Ints(1, 2))) // [N, 1, 1, L]
	pool := b.pooledRows(end, length, t.Width)
	for i := range t.Layers {
		k := block{prefix: fmt.Sprintf("transformer.resblocks.%d.", i), width: t.Width, heads: t.Heads, mlp: t.MLP, mask: mask}
		if i == t.Layers-1 {
			k.pool, k.poolMask = pool, poolMask
		}
		x = b.transformer(x, k)
	}
	x = b.toProducts(b.layerNorm(x, "ln_final", t.Width, arch.NormEps))
	return b.linear(x, product{weight: "text_projection", rows: b.a.EmbedDim, columns: t.Width, columnsAreRows: true})
}

// pooledRows picks row end[n] of item n: [N, L, width] -> [N, 1, width].
func (b *builder) pooledRows(end, length string, width int) func(x string) string {
	count := b.Op("Squeeze", in(b.Op("Shape", in("ids"), attr("start", 0), attr("end", 1))))
	items := b.Op("Range", in(b.Int(0), count, b.Int(1)))
	rows := b.Op("Add", in(b.Op("Mul", in(items, length)), end))
	return func(x string) string {
		flat := b.Op("Reshape", in(x, b.Ints(-1, int64(width))))
		return b.Op("Unsqueeze", in(b.Op("Gather", in(flat, rows), attr("axis", 0)), b.Ints(1)))
	}
}
