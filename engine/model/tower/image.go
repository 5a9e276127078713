package tower

import (
	"fmt"

	"clipd/engine/model/arch"
	"clipd/engine/model/onnx"
)

// Image builds the image tower. mean and std are those of the normalised pixels, (pixel/255 - mean) / std.
func Image(w *arch.Weights, a arch.Architecture, mean, std [3]float32, typ onnx.Type) (*onnx.Graph, error) {
	b := &builder{Graph: onnx.Graph{Name: "image"}, weights: w, a: a, typ: typ}
	size := int64(a.Vision.ImageSize)
	b.Inputs = []onnx.Value{{Name: "pixels", Type: onnx.Uint8, Shape: []onnx.Dim{{Name: "N"}, {Size: size}, {Size: size}, {Size: 3}}}}
	var out string
	if a.Vision.Kind == arch.ResNet {
		out = b.resnet(mean, std)
	} else {
		out = b.vit(mean, std)
	}
	return b.finish(out)
}

// finish names the output: out is [N, 1, D] in the type of the products.
func (b *builder) finish(out string) (*onnx.Graph, error) {
	out = b.Op("Reshape", in(b.toFloat(out), b.Ints(-1, int64(b.a.EmbedDim))))
	b.Rename(out, "embedding")
	b.Outputs = []onnx.Value{{Name: "embedding", Type: onnx.Float, Shape: []onnx.Dim{{Name: "N"}, {Size: int64(b.a.EmbedDim)}}}}
	return &b.Graph, b.err
}

// halfRange divides pixels by 2^8 where weights divided by 255 would leave the range of the type; it is exact.
const halfRange = 256

// vit: the patch convolution as a product over the bytes of each patch, which the picture's own layout [y, x, RGB] makes
// cheap; scale, mean and std are in its weights and, with class and position embedding, in one added table.
func (b *builder) vit(mean, std [3]float32) string {
	v := b.a.Vision
	grid, patch := int64(v.Grid()), int64(v.Patch)
	x := "pixels"
	if used := grid * patch; used != int64(v.ImageSize) {
		x = b.Op("Slice", in(x, b.Ints(0, 0), b.Ints(used, used), b.Ints(1, 2)))
	}
	x = b.Op("Reshape", in(x, b.Ints(0, grid, patch, grid, patch*3)))
	x = b.Op("Transpose", in(x), attr("perm", []int64{0, 1, 3, 2, 4}))
	x = b.Op("Reshape", in(x, b.Ints(0, grid*grid, patch*patch*3)))
	x = b.Op("Cast", in(x), attr("to", int(b.typ)))
	scale := 1.0
	if b.typ == onnx.Float16 {
		scale = halfRange
		x = b.Op("Mul", in(x, b.Scalar(b.typ, 1.0/halfRange)))
	}
	conv := b.take("visual.conv1.weight", v.Width, 3, v.Patch, v.Patch)
	matrix := b.computed(b.typ, "visual.conv1.weight", []int{v.Patch * v.Patch * 3, v.Width}, func(dst []float32) error {
		return patchMatrix(dst, conv, std, scale/255)
	})
	x = b.toFloat(b.Op("MatMul", in(x, matrix)))
	x = b.Op("Pad", in(x, b.Ints(0, 1, 0, 0, 0, 0))) // a row for the class token
	x = b.Op("Add", in(x, b.positions(conv, mean, std)))
	if v.PreNorm {
		x = b.layerNorm(x, "visual.ln_pre", v.Width, arch.NormEps)
	}
	first := b.Ints(0)
	pool := func(x string) string { return b.Op("Gather", in(x, first), attr("axis", 1)) }
	for i := range v.Layers {
		k := block{prefix: fmt.Sprintf("visual.transformer.resblocks.%d.", i), width: v.Width, heads: v.Heads, mlp: v.MLP}
		if i == v.Layers-1 {
			k.pool = pool
		}
		x = b.transformer(x, k)
	}
	x = b.toProducts(b.layerNorm(x, "visual.ln_post", v.Width, arch.NormEps))
	return b.linear(x, product{weight: "visual.proj", rows: b.a.EmbedDim, columns: v.Width, columnsAreRows: true})
}

// patchMatrix turns the convolution [width, 3, patch, patch] into [patch (y), patch (x), 3, width] and multiplies
// the channels by scale / std.
func patchMatrix(dst []float32, conv *arch.Weight, std [3]float32, scale float64) error {
	src := make([]float32, conv.Len())
	if err := conv.Range(src, 0); err != nil {
		return err
	}
	width, area := conv.Shape[0], conv.Shape[2]*conv.Shape[3]
	for o := range width {
		for c := range 3 {
			factor := scale / float64(std[c])
			for p := range area {
				dst[(p*3+c)*width+o] = float32(float64(src[(o*3+c)*area+p]) * factor)
			}
		}
	}
	return nil
}

// positions is the position embedding [1, T, width], with the class embedding added to its first row and what the mean
// takes off every patch to the others.
func (b *builder) positions(conv *arch.Weight, mean, std [3]float32) string {
	v := b.a.Vision
	t := v.Grid()*v.Grid() + 1
	class := b.take("visual.class_embedding", v.Width)
	pos := b.take("visual.positional_embedding", t, v.Width)
	return b.computed(onnx.Float, "visual.positional_embedding", []int{1, t, v.Width}, func(dst []float32) error {
		src := make([]float32, conv.Len())
		first := make([]float32, v.Width)
		for _, err := range []error{conv.Range(src, 0), class.Range(first, 0), pos.Range(dst, 0)} {
			if err != nil {
				return err
			}
		}
		area := v.Patch * v.Patch
		for o := range v.Width {
			bias := 0.0
			for c := range 3 {
				sum := 0.0
				for _, value := range src[(o*3+c)*area : (o*3+c+1)*area] {
					sum += float64(value)
				}
				bias -= sum * float64(mean[c]) / float64(std[c])
			}
			dst[o] += first[o]
			for row := 1; row < t; row++ {
				dst[row*v.Width+o] = float32(float64(dst[row*v.Width+o]) + bias)
			}
		}
		return nil
	})
}
