// Package tower writes the two towers of a CLIP as ONNX graphs that every runtime compiles.
//
// Image tower: input "pixels" uint8 [N, S, S, 3] (RGB), output "embedding" float32 [N, D]. Text tower: inputs "ids",
// "positions" and "segments" int32 [R, W] and "ends" int32 [N], several texts in a line; or, for RoBERTa, one input "ids" int32
// [N, L], rows padded at the end. Output "embedding" float32 [N, D]. Both outputs are the raw projections, not normalised.
//
// With weights of float16 or bfloat16 the matrix products run in that type; the residual stream, layer norms and softmax
// stay float32.
package tower

import (
	"io"
	"math"

	"clipd/engine/model/arch"
	"clipd/engine/model/checkpoint"
	"clipd/engine/model/onnx"
)

// builder adds nodes to a graph. The first error is kept; after it the graph is of no use.
type builder struct {
	onnx.Graph
	weights *arch.Weights
	a       arch.Architecture
	typ     onnx.Type // of the matrix products
	err     error
}

// attr is short for an attribute.
func attr(name string, value any) onnx.Attribute { return onnx.Attribute{Name: name, Value: value} }

func in(names ...string) []string { return names }

// take gets a weight of a certain shape from the checkpoint.
func (b *builder) take(name string, shape ...int) *arch.Weight {
	w, err := b.weights.Take(name, shape...)
	if err != nil && b.err == nil {
		b.err = err
	}
	return w
}

// chunk is the number of elements that are converted at a time.
const chunk = 1 << 18

// tensor adds a weight as it is.
func (b *builder) tensor(typ onnx.Type, name string, shape ...int) string {
	w := b.take(name, shape...)
	return b.initializer(typ, name, shape, func(out io.Writer) error {
		if stored := w.Stored(storedType(typ)); stored != nil {
			_, err := out.Write(stored)
			return err
		}
		if !w.Contiguous() {
			return writeAll(out, typ, w.Len(), w.Floats)
		}
		var raw []byte
		values := make([]float32, min(w.Len(), chunk))
		for from := 0; from < w.Len(); from += len(values) {
			values = values[:min(len(values), w.Len()-from)]
			if err := w.Range(values, from); err != nil {
				return err
			}
			raw = onnx.AppendFloats(raw[:0], typ, values)
			if _, err := out.Write(raw); err != nil {
				return err
			}
		}
		return nil
	})
}

func storedType(t onnx.Type) checkpoint.DType {
	switch t {
	case onnx.Float16:
		return checkpoint.Float16
	case onnx.BFloat16:
		return checkpoint.BFloat16
	}
	return checkpoint.Float32
}

// computed adds a constant whose elements fill works out when it is written.
func (b *builder) computed(typ onnx.Type, name string, shape []int, fill func(dst []float32) error) string {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return b.initializer(typ, name, shape, func(out io.Writer) error { return writeAll(out, typ, n, fill) })
}

func writeAll(out io.Writer, typ onnx.Type, n int, fill func(dst []float32) error) error {
	values := make([]float32, n)
	if err := fill(values); err != nil {
		return err
	}
	var raw []byte
	for len(values) > 0 {
		k := min(len(values), chunk)
		raw = onnx.AppendFloats(raw[:0], typ, values[:k])
		if _, err := out.Write(raw); err != nil {
			return err
		}
		values = values[k:]
	}
	return nil
}

func (b *builder) initializer(typ onnx.Type, name string, shape []int, write func(io.Writer) error) string {
	dims := make([]int64, len(shape))
	for i, d := range shape {
		dims[i] = int64(d)
	}
	name = b.Unique(name)
	b.Initializers = append(b.Initializers, &onnx.Initializer{Name: name, Type: typ, Dims: dims, Write: write})
	return name
}

// toProducts casts a float32 value to the type of the matrix products.
func (b *builder) toProducts(x string) string { return b.cast(x, b.typ) }

// toFloat casts a value of the matrix products back.
func (b *builder) toFloat(x string) string {
	if b.typ == onnx.Float {
		return x
	}
	return b.Op("Cast", in(x), attr("to", int(onnx.Float)))
}

func (b *builder) cast(x string, to onnx.Type) string {
	if to == onnx.Float {
		return x
	}
	return b.Op("Cast", in(x), attr("to", int(to)))
}

// product is one or several stacked linear layers: rows [from, to) of a weight stored [rows, columns].
type product struct {
	weight, bias   string // names; bias may be ""
	rows, columns  int    // of the whole weight
	from, to       int    // rows that are used
	scaled         int    // so many of the first rows (of the whole) are multiplied by scale
	scale          float32
	columnsAreRows bool // the weight is stored [columns, rows], as CLIP's projections are
}

// linear multiplies x [..., columns], of the type of the products, by the transposed weight and adds the bias.
func (b *builder) linear(x string, p product) string {
	n := p.to - p.from
	var matrix string
	if p.columnsAreRows {
		matrix = b.tensor(b.typ, p.weight, p.columns, p.rows)
	} else {
		w := b.take(p.weight, p.rows, p.columns)
		matrix = b.computed(b.typ, p.weight, []int{p.columns, n}, func(dst []float32) error {
			stored := make([]float32, n*p.columns)
			if err := w.Range(stored, p.from*p.columns); err != nil {
				return err
			}
			scaleRows(stored, p, p.columns)
			arch.Transpose(dst, stored, n, p.columns)
			return nil
		})
	}
	y := b.Op("MatMul", in(x, matrix))
	if p.bias == "" {
		return y
	}
	bias := b.take(p.bias, p.rows)
	return b.Op("Add", in(y, b.computed(b.typ, p.bias, []int{n}, func(dst []float32) error {
		if err := bias.Range(dst, p.from); err != nil {
			return err
		}
		scaleRows(dst, p, 1)
		return nil
	})))
}

// scaleRows multiplies those rows of [p.from, p.to) that are among the first p.scaled.
func scaleRows(values []float32, p product, columns int) {
	if n := min(p.scaled-p.from, p.to-p.from); n > 0 {
		for i := range values[:n*columns] {
			values[i] *= p.scale
		}
	}
}

// dense is a whole linear layer [columns -> rows].
func (b *builder) dense(x, prefix string, columns, rows int) string {
	return b.linear(x, product{weight: prefix + ".weight", bias: prefix + ".bias", rows: rows, columns: columns, to: rows})
}

func (b *builder) layerNorm(x, prefix string, width int, eps float32) string {
	return b.Op("LayerNormalization", in(x, b.tensor(onnx.Float, prefix+".weight", width), b.tensor(onnx.Float, prefix+".bias", width)),
		attr("axis", -1), attr("epsilon", eps))
}

// gelu or, where the network was trained with it, x * sigmoid(1.702 x).
func (b *builder) activation(x string, quick bool) string {
	if !quick {
		return b.Op("Gelu", in(x))
	}
	return b.Op("Mul", in(x, b.Op("Sigmoid", in(b.Op("Mul", in(x, b.Scalar(b.typ, 1.702)))))))
}

// attend is softmax(q k^T + mask) v over [N, heads, T, columns]; the queries are scaled already. mask may be "".
func (b *builder) attend(q, k, v, mask string) string {
	scores := b.toFloat(b.Op("MatMul", in(q, b.Op("Transpose", in(k), attr("perm", []int64{0, 1, 3, 2})))))
	if mask != "" {
		scores = b.Op("Add", in(scores, mask))
	}
	return b.Op("MatMul", in(b.toProducts(b.Op("Softmax", in(scores), attr("axis", -1))), v))
}

// heads splits x [N, T, width] into [N, heads, T, width/heads].
func (b *builder) heads(x string, heads, width int) string {
	x = b.Op("Reshape", in(x, b.Ints(0, 0, int64(heads), int64(width/heads))))
	return b.Op("Transpose", in(x), attr("perm", []int64{0, 2, 1, 3}))
}

// merge is the inverse of heads.
func (b *builder) merge(x string, width int) string {
	x = b.Op("Transpose", in(x), attr("perm", []int64{0, 2, 1, 3}))
	return b.Op("Reshape", in(x, b.Ints(0, 0, int64(width))))
}

// queryScale is 1/sqrt(columns of a head), folded into the query's weights.
func queryScale(width, heads int) float32 { return float32(1 / math.Sqrt(float64(width/heads))) }
