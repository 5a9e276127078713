package arch

import (
	"fmt"
	"slices"
	"sort"
	"strings"

	"clipd/engine/model/checkpoint"
)

// Weights gives a checkpoint's tensors under OpenAI's names and in OpenAI's layout, and keeps account of which were
// used, so that a network with a part that is not built is noticed.
type Weights struct {
	Checkpoint *checkpoint.Checkpoint
	byName     map[string]*Weight
	used       map[string]bool
}

// Weight is one array of the network: a tensor, several stacked along the first axis, or a transposed matrix.
type Weight struct {
	Name  string
	Shape []int
	parts []*checkpoint.Tensor
	// transposed: the file's matrix is the transpose of this one.
	transposed bool
}

// NewWeights names the tensors of a checkpoint.
func NewWeights(c *checkpoint.Checkpoint) (*Weights, error) {
	w := &Weights{Checkpoint: c, byName: map[string]*Weight{}, used: map[string]bool{}}
	for _, t := range c.Tensors {
		name, part, transposed := canonical(t.Name)
		old := w.byName[name]
		if old == nil {
			old = &Weight{Name: name, transposed: transposed}
			w.byName[name] = old
		}
		for len(old.parts) <= part {
			old.parts = append(old.parts, nil)
		}
		if old.parts[part] != nil {
			return nil, fmt.Errorf("tensors %q and %q are the same weight", old.parts[part].Name, t.Name)
		}
		old.parts[part] = t
	}
	for _, weight := range w.byName {
		if err := weight.join(); err != nil {
			return nil, err
		}
	}
	return w, nil
}

// join works out the shape of the whole.
func (w *Weight) join() error {
	if i := slices.Index(w.parts, nil); i >= 0 {
		return fmt.Errorf("%s: part %d of 3 (query, key, value) is missing", w.Name, i+1)
	}
	first := w.parts[0]
	w.Shape = slices.Clone(first.Shape)
	if len(w.parts) > 1 {
		for _, p := range w.parts[1:] {
			if len(p.Shape) == 0 || !slices.Equal(p.Shape, first.Shape) {
				return fmt.Errorf("tensor %q (%s) has shape %v, its neighbour %q has %v", p.Name, p.Origin, p.Shape, first.Name, first.Shape)
			}
		}
		w.Shape[0] *= len(w.parts)
	}
	if w.transposed {
		if len(w.Shape) != 2 {
			return fmt.Errorf("tensor %q (%s) has shape %v, expected a matrix", first.Name, first.Origin, first.Shape)
		}
		w.Shape[0], w.Shape[1] = w.Shape[1], w.Shape[0]
	}
	return nil
}

// Has says whether a weight exists.
func (w *Weights) Has(name string) bool { return w.byName[name] != nil }

// Shape is a weight's shape, nil when it does not exist.
func (w *Weights) Shape(name string) []int {
	if weight := w.byName[name]; weight != nil {
		return weight.Shape
	}
	return nil
}

// Take gives a weight that must have this shape, and marks it as used.
func (w *Weights) Take(name string, shape ...int) (*Weight, error) {
	weight := w.byName[name]
	if weight == nil {
		return nil, fmt.Errorf("%s: tensor %q is missing (expected shape %v)", w.Checkpoint.Path, name, shape)
	}
	t := weight.parts[0]
	if !slices.Equal(weight.Shape, shape) {
		return nil, fmt.Errorf("tensor %q (%s) has shape %v, the network needs %v", name, t.Origin, weight.Shape, shape)
	}
	for _, p := range weight.parts {
		if !p.DType.Floating() {
			return nil, fmt.Errorf("tensor %q (%s) has type %s, weights are floating-point numbers", p.Name, p.Origin, p.DType)
		}
	}
	w.used[name] = true
	return weight, nil
}

// ignored are tensors that hold no weights: indices, counters and what the tensors' shapes say already.
func ignored(name string) bool {
	switch name {
	case "input_resolution", "context_length", "vocab_size", "attn_mask", "logit_scale", "logit_bias":
		return true
	}
	return strings.HasSuffix(name, ".num_batches_tracked") || strings.HasSuffix(name, ".position_ids") ||
		strings.HasPrefix(name, "text.transformer.pooler.") // RoBERTa's own pooler, which CLIP does not run
}

// Unused lists weights that were never taken: parts of a network other than the one that was built.
func (w *Weights) Unused() []string {
	var names []string
	for name, weight := range w.byName {
		if !w.used[name] && !ignored(weight.parts[0].Name) && !ignored(name) {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	return names
}

// Len is the number of elements.
func (w *Weight) Len() int {
	n := 1
	for _, d := range w.Shape {
		n *= d
	}
	return n
}

// Stored returns the bytes of a weight that the file holds exactly so in type d, else nil.
func (w *Weight) Stored(d checkpoint.DType) []byte {
	if len(w.parts) == 1 && !w.transposed && w.parts[0].DType == d {
		return w.parts[0].Bytes()
	}
	return nil
}

// Floats reads all elements in C order into dst, which has Len elements.
func (w *Weight) Floats(dst []float32) error {
	if !w.transposed {
		return w.Range(dst[:w.Len()], 0)
	}
	stored := make([]float32, w.Len())
	if err := w.parts[0].Floats(stored, 0); err != nil {
		return err
	}
	Transpose(dst, stored, w.Shape[1], w.Shape[0])
	return nil
}

// Range reads the elements [from, from+len(dst)), in C order. It cannot be used on a transposed weight.
func (w *Weight) Range(dst []float32, from int) error {
	if w.transposed {
		panic("BUG: range of a transposed weight")
	}
	for _, p := range w.parts {
		n := p.Len()
		if from < n && len(dst) > 0 {
			k := min(n-from, len(dst))
			if err := p.Floats(dst[:k], from); err != nil {
				return err
			}
			dst, from = dst[k:], from+k
		}
		from -= n
		if len(dst) == 0 {
			return nil
		}
	}
	return nil
}

// Contiguous says whether Range may be used.
func (w *Weight) Contiguous() bool { return !w.transposed }

// Transpose writes the transpose of src [rows, columns] to dst [columns, rows].
func Transpose(dst, src []float32, rows, columns int) {
	const block = 32 // 32 x 32 floats of both sides fit into the first-level cache
	for r0 := 0; r0 < rows; r0 += block {
		r1 := min(r0+block, rows)
		for c0 := 0; c0 < columns; c0 += block {
			c1 := min(c0+block, columns)
			for r := r0; r < r1; r++ {
				line := src[r*columns : (r+1)*columns]
				for c := c0; c < c1; c++ {
					dst[c*rows+r] = line[c]
				}
			}
		}
	}
}
