package tower

import (
	"fmt"
	"math"

	"clipd/engine/model/arch"
	"clipd/engine/model/onnx"
)

// resnet is CLIP's ModifiedResNet: a stem of three convolutions, average pooling in place of strides, and an attention
// pool at the end. Batch norms are folded into the convolutions.
func (b *builder) resnet(mean, std [3]float32) string {
	v := b.a.Vision
	// The first convolution pads with zeros after normalisation, so that the mean cannot be folded into it.
	var shift, scale [3]float32
	for c := range 3 {
		shift[c] = 255 * mean[c]
		scale[c] = 1 / (255 * std[c])
	}
	x := b.Op("Cast", in("pixels"), attr("to", int(onnx.Float)))
	x = b.Op("Sub", in(x, b.Floats([]int64{3}, shift[:]...)))
	x = b.Op("Mul", in(x, b.Floats([]int64{3}, scale[:]...)))
	x = b.toProducts(b.Op("Transpose", in(x), attr("perm", []int64{0, 3, 1, 2})))

	half := v.Width / 2
	x = b.relu(b.convolution(x, "visual.conv1", "visual.bn1", 3, half, 3, 2))
	x = b.relu(b.convolution(x, "visual.conv2", "visual.bn2", half, half, 3, 1))
	x = b.relu(b.convolution(x, "visual.conv3", "visual.bn3", half, v.Width, 3, 1))
	x = b.averagePool(x, 2)

	channels := v.Width
	for stage, blocks := range v.Stages {
		planes := v.Width << stage
		for i := range blocks {
			stride := 1
			if stage > 0 && i == 0 {
				stride = 2
			}
			x = b.bottleneck(x, fmt.Sprintf("visual.layer%d.%d.", stage+1, i), channels, planes, stride)
			channels = 4 * planes
		}
	}
	return b.attentionPool(x, channels)
}

func (b *builder) relu(x string) string { return b.Op("Relu", in(x)) }

func (b *builder) averagePool(x string, side int64) string {
	if side == 1 {
		return x
	}
	return b.Op("AveragePool", in(x), attr("kernel_shape", []int64{side, side}), attr("strides", []int64{side, side}))
}

// bottleneck: 1x1, 3x3 and 1x1 convolutions beside a shortcut; it has 4 times planes channels at the end.
func (b *builder) bottleneck(x, prefix string, channels, planes, stride int) string {
	y := b.relu(b.convolution(x, prefix+"conv1", prefix+"bn1", channels, planes, 1, 1))
	y = b.relu(b.convolution(y, prefix+"conv2", prefix+"bn2", planes, planes, 3, 1))
	y = b.averagePool(y, int64(stride))
	y = b.convolution(y, prefix+"conv3", prefix+"bn3", planes, 4*planes, 1, 1)
	if stride > 1 || channels != 4*planes {
		x = b.convolution(b.averagePool(x, int64(stride)), prefix+"downsample.0", prefix+"downsample.1", channels, 4*planes, 1, 1)
	}
	return b.relu(b.Op("Add", in(x, y)))
}

// convolution with the batch norm that follows it: weight * gamma / sqrt(var + eps), beta - mean * gamma / sqrt(var + eps).
func (b *builder) convolution(x, conv, norm string, from, to, side, stride int) string {
	kernel := b.take(conv+".weight", to, from, side, side)
	gamma, beta := b.take(norm+".weight", to), b.take(norm+".bias", to)
	mean, variance := b.take(norm+".running_mean", to), b.take(norm+".running_var", to)
	// factors gives gamma / sqrt(var + eps) for each output channel.
	factors := func() ([]float32, error) {
		g, v := make([]float32, to), make([]float32, to)
		if err := gamma.Range(g, 0); err != nil {
			return nil, err
		}
		if err := variance.Range(v, 0); err != nil {
			return nil, err
		}
		for i := range g {
			g[i] = float32(float64(g[i]) / math.Sqrt(float64(v[i])+arch.NormEps))
		}
		return g, nil
	}
	weight := b.computed(b.typ, conv, []int{to, from, side, side}, func(dst []float32) error {
		f, err := factors()
		if err != nil {
			return err
		}
		if err := kernel.Range(dst, 0); err != nil {
			return err
		}
		each := from * side * side
		for i := range dst {
			dst[i] *= f[i/each]
		}
		return nil
	})
	bias := b.computed(b.typ, norm, []int{to}, func(dst []float32) error {
		f, err := factors()
		if err != nil {
			return err
		}
		m := make([]float32, to)
		if err := mean.Range(m, 0); err != nil {
			return err
		}
		if err := beta.Range(dst, 0); err != nil {
			return err
		}
		for i := range dst {
			dst[i] -= m[i] * f[i]
		}
		return nil
	})
	s, k, p := int64(stride), int64(side), int64(side/2)
	return b.Op("Conv", in(x, weight, bias), attr("kernel_shape", []int64{k, k}), attr("strides", []int64{s, s}), attr("pads", []int64{p, p, p, p}))
}

// attentionPool: the mean of all positions asks all positions and itself; x is [N, width, grid, grid].
func (b *builder) attentionPool(x string, width int) string {
	v := b.a.Vision
	t := v.Grid()*v.Grid() + 1
	const prefix = "visual.attnpool."
	x = b.toFloat(b.Op("Reshape", in(x, b.Ints(0, int64(width), -1))))
	mean := b.Op("ReduceMean", in(x, b.Ints(2)), attr("keepdims", 1))
	x = b.Op("Transpose", in(b.Op("Concat", in(mean, x), attr("axis", 2))), attr("perm", []int64{0, 2, 1}))
	x = b.toProducts(b.Op("Add", in(x, b.tensor(onnx.Float, prefix+"positional_embedding", t, width))))

	scaled := product{weight: prefix + "q_proj.weight", bias: prefix + "q_proj.bias", rows: width, columns: width, to: width, scaled: width, scale: queryScale(width, v.Heads)}
	query := b.Op("Gather", in(x, b.Ints(0)), attr("axis", 1))
	q := b.heads(b.linear(query, scaled), v.Heads, width)
	k := b.heads(b.dense(x, prefix+"k_proj", width, width), v.Heads, width)
	values := b.heads(b.dense(x, prefix+"v_proj", width, width), v.Heads, width)
	return b.dense(b.merge(b.attend(q, k, values, ""), width), prefix+"c_proj", width, b.a.EmbedDim)
}
