package tower

import (
	"clipd/engine/model/arch"
	"clipd/engine/model/onnx"
)

// block describes the pre-norm transformer block of CLIP's ViT and text tower.
type block struct {
	prefix            string // of the weights' names, with its dot
	width, heads, mlp int
	mask              string // added to the scores, "" for none
	// pool, when set, picks one row of each item, [N, T, width] -> [N, 1, width]. It is set in the last block,
	// where only the pooled row is wanted: keys and values need all rows, the query, the output projection and the MLP
	// one.
	pool func(x string) string
	// keep is the same for where the rows of several items lie mixed, so that the query needs all rows, too.
	keep func(x string) string
}

// transformer adds one block: x + attention(norm(x)), then x + mlp(norm(x)). x is float32 [N, T, width].
func (b *builder) transformer(x string, k block) string {
	y := b.toProducts(b.layerNorm(x, k.prefix+"ln_1", k.width, arch.NormEps))
	attention := b.selfAttention
	if k.pool != nil {
		attention = b.pooledAttention
	}
	out := attention(y, k)
	if k.pool != nil {
		x = k.pool(x)
	}
	if k.keep != nil {
		x, out = k.keep(x), k.keep(out)
	}
	x = b.Op("Add", in(x, b.layerScale(b.toFloat(b.dense(out, k.prefix+"attn.out_proj", k.width, k.width)), k.prefix+"ls_1.gamma", k.width)))
	y = b.toProducts(b.layerNorm(x, k.prefix+"ln_2", k.width, arch.NormEps))
	y = b.activation(b.dense(y, k.prefix+"mlp.c_fc", k.width, k.mlp), b.a.QuickGELU)
	return b.Op("Add", in(x, b.layerScale(b.toFloat(b.dense(y, k.prefix+"mlp.c_proj", k.mlp, k.width)), k.prefix+"ls_2.gamma", k.width)))
}

// layerScale multiplies a branch by a learned vector in the networks that have one.
func (b *builder) layerScale(x, gamma string, width int) string {
	if !b.weights.Has(gamma) {
		return x
	}
	return b.Op("Mul", in(x, b.tensor(onnx.Float, gamma, width)))
}

// inProj is rows [from, to) of the stacked query, key and value, the query scaled.
func (k block) inProj(from, to int) product {
	return product{weight: k.prefix + "attn.in_proj_weight", bias: k.prefix + "attn.in_proj_bias", rows: 3 * k.width, columns: k.width,
		from: from, to: to, scaled: k.width, scale: queryScale(k.width, k.heads)}
}

func (b *builder) selfAttention(y string, k block) string {
	parts := b.OpN("Split", 3, in(b.linear(y, k.inProj(0, 3*k.width))), attr("axis", -1), attr("num_outputs", 3))
	for i := range parts {
		parts[i] = b.heads(parts[i], k.heads, k.width)
	}
	return b.merge(b.attend(parts[0], parts[1], parts[2], k.mask), k.width)
}

func (b *builder) pooledAttention(y string, k block) string {
	q := b.heads(b.linear(k.pool(y), k.inProj(0, k.width)), k.heads, k.width)
	parts := b.OpN("Split", 2, in(b.linear(y, k.inProj(k.width, 3*k.width))), attr("axis", -1), attr("num_outputs", 2))
	for i := range parts {
		parts[i] = b.heads(parts[i], k.heads, k.width)
	}
	return b.merge(b.attend(q, parts[0], parts[1], ""), k.width)
}
