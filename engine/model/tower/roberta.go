package tower

import (
	"fmt"

	"clipd/engine/model/onnx"
)

// roberta is open_clip's RoBERTa or XLM-RoBERTa text tower: post-norm blocks that see every live position, then the mean
// over these (or the first position), then one matrix or two with a GELU between.
func (b *builder) roberta() string {
	t := b.a.Text
	const prefix = "text.transformer."
	length := b.Op("Shape", in("ids"), attr("start", 1), attr("end", 2))
	live := b.Op("Not", in(b.Op("Equal", in("ids", b.Int32s(t.PadID))))) // [N, L]
	mask := b.Op("Where", in(live, b.Floats(nil, 0), b.Floats(nil, hidden)))
	mask = b.Op("Unsqueeze", in(mask, b.Ints(1, 2))) // [N, 1, 1, L]

	x := b.toFloat(b.Op("Gather", in(b.tensor(b.typ, prefix+"embeddings.word_embeddings.weight", t.Vocab, t.Width), "ids")))
	pos := b.Op("Slice", in(b.robertaPositions(prefix+"embeddings."), b.Ints(0), length, b.Ints(0)))
	x = b.layerNorm(b.Op("Add", in(x, pos)), prefix+"embeddings.LayerNorm", t.Width, t.NormEps)
	for i := range t.Layers {
		x = b.robertaBlock(x, fmt.Sprintf("%sencoder.layer.%d.", prefix, i), mask)
	}
	if t.PoolMean {
		count := b.Op("Unsqueeze", in(b.Op("Cast", in(live), attr("to", int(onnx.Float))), b.Ints(2))) // [N, L, 1]
		sum := b.Op("ReduceSum", in(b.Op("Mul", in(x, count)), b.Ints(1)), attr("keepdims", 1))
		x = b.Op("Div", in(sum, b.Op("ReduceSum", in(count, b.Ints(1)), attr("keepdims", 1))))
	} else {
		x = b.Op("Gather", in(x, b.Ints(0)), attr("axis", 1))
	}
	x = b.toProducts(x) // [N, 1, width]
	matrix := func(x, name string, columns, rows int) string {
		return b.linear(x, product{weight: name, rows: rows, columns: columns, to: rows})
	}
	if t.ProjMLP == 0 {
		return matrix(x, "text.proj.weight", t.Width, b.a.EmbedDim)
	}
	x = b.activation(matrix(x, "text.proj.0.weight", t.Width, t.ProjMLP), false)
	return matrix(x, "text.proj.2.weight", t.ProjMLP, b.a.EmbedDim)
}

// robertaPositions is the position embedding of the live positions, which are counted from pad + 1, with the one token
// type added.
func (b *builder) robertaPositions(prefix string) string {
	t := b.a.Text
	first := int(t.PadID) + 1
	pos := b.take(prefix+"position_embeddings.weight", t.Context+first, t.Width)
	types := b.weights.Shape(prefix + "token_type_embeddings.weight")
	rows := 1
	if len(types) > 0 {
		rows = types[0]
	}
	kind := b.take(prefix+"token_type_embeddings.weight", rows, t.Width)
	return b.computed(onnx.Float, prefix+"positions", []int{t.Context, t.Width}, func(dst []float32) error {
		if err := pos.Range(dst, first*t.Width); err != nil {
			return err
		}
		add := make([]float32, t.Width)
		if err := kind.Range(add, 0); err != nil {
			return err
		}
		for i := range dst {
			dst[i] += add[i%t.Width]
		}
		return nil
	})
}

// robertaBlock: norm(x + attention(x)), then norm(x + mlp(x)).
func (b *builder) robertaBlock(x, prefix, mask string) string {
	t := b.a.Text
	y := b.toProducts(x)
	qkv := b.linear(y, product{weight: prefix + "attention.self.in_proj.weight", bias: prefix + "attention.self.in_proj.bias",
		rows: 3 * t.Width, columns: t.Width, to: 3 * t.Width, scaled: t.Width, scale: queryScale(t.Width, t.Heads)})
	parts := b.OpN("Split", 3, in(qkv), attr("axis", -1), attr("num_outputs", 3))
	for i := range parts {
		parts[i] = b.heads(parts[i], t.Heads, t.Width)
	}
	y = b.merge(b.attend(parts[0], parts[1], parts[2], mask), t.Width)
	y = b.toFloat(b.dense(y, prefix+"attention.output.dense", t.Width, t.Width))
	x = b.layerNorm(b.Op("Add", in(x, y)), prefix+"attention.output.LayerNorm", t.Width, t.NormEps)
	y = b.activation(b.dense(b.toProducts(x), prefix+"intermediate.dense", t.Width, t.MLP), false)
	y = b.toFloat(b.dense(y, prefix+"output.dense", t.MLP, t.Width))
	return b.layerNorm(b.Op("Add", in(x, y)), prefix+"output.LayerNorm", t.Width, t.NormEps)
}
