package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"

	"clipd/engine/model"
	"clipd/engine/runtime"
)

// The least cosine of a self-check between what a lane answers and the reference. Runtimes that compute in fp32 differ from
// each other by less than 1e-5, bf16 by 5e-4 at most on the models measured; a wrong layout, order of channels or
// precision shows as 0.9 and less.
const (
	leastCosineFP32 = 0.999
	leastCosine     = 0.99
)

// The inputs of a self-check: short, long and odd texts, and pictures of checkTextures.
var checkTexts = []string{
	"a photo of a cat",
	"two small dogs, one of them black, running along a beach in the evening while the sun goes down behind the hills",
	"7 \u00d7 8 = 56!",
}

const checkPictures = 2

// reference are the embeddings of the inputs of a self-check as another path computes them: another runtime, or this one,
// in fp32, from weights of float32. It lies beside the compiled model, whose folder is that of one checkpoint, so only the first start computes it.
type reference struct {
	Key  string       // of the inputs
	Path string       // "onnxruntime fp32"
	Rows [2][]float32 // by Tower, [inputs, dim]
}

// referenceKey changes with the inputs and with how they are computed.
const referenceKey = "2"

// referencePath is where a reference may come from.
type referencePath struct {
	runtime *runtime.Runtime
	name    string
}

// reference returns the reference of the model, or nil when no other path can compute one.
func (l *Opened) reference(ctx context.Context) (*reference, error) {
	path := filepath.Join(l.compiledDir(), "reference.json")
	ref := &reference{}
	if data, err := os.ReadFile(path); err == nil && json.Unmarshal(data, ref) == nil && ref.Key == referenceKey &&
		len(ref.Rows[ImageTower]) == checkPictures*l.Checkpoint.Dim && len(ref.Rows[TextTower]) == len(checkTexts)*l.Checkpoint.Dim {
		return ref, nil
	}
	whole, err := l.loadGraphs(ctx, model.Float32)
	if err != nil {
		return nil, err
	}
	for _, p := range l.referencePaths() {
		ref = &reference{Key: referenceKey, Path: p.name + " fp32"}
		err := l.computeReference(ctx, p.runtime, whole.Graphs, ref)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil {
			continue // a path that cannot compute the model says nothing about those that can
		}
		if data, err := json.Marshal(ref); err == nil && os.MkdirAll(filepath.Dir(path), 0o755) == nil &&
			os.WriteFile(path+".new", data, 0o644) == nil {
			_ = os.Rename(path+".new", path) // else the next start computes it again
		}
		return ref, nil
	}
	return nil, nil
}

// referencePaths lists the other runtimes of this machine that compute on the processor, and then this one, unless it would only
// be compared with itself.
func (l *Opened) referencePaths() (paths []referencePath) {
	for _, name := range []string{"onnxruntime", "openvino"} {
		if name == l.Runtime.Name {
			continue
		}
		if r, err := runtime.Open(name); err == nil {
			paths = append(paths, referencePath{r, name})
		}
	}
	if l.options.Precision != runtime.FP32 {
		paths = append(paths, referencePath{l.runtime, l.Runtime.Name})
	}
	return paths
}

// computeReference compiles the towers, with weights of float32, one after the other, so that no more than one is in memory beside nothing else.
func (l *Opened) computeReference(ctx context.Context, r *runtime.Runtime, graphs [2]string, ref *reference) error {
	for _, tower := range []Tower{ImageTower, TextTower} {
		if err := ctx.Err(); err != nil {
			return err
		}
		if l.options.Progress != nil {
			l.options.Progress("compute reference embeddings of the "+tower.String()+" tower", 0, 0)
		}
		s, err := r.NewSession(runtime.SessionOptions{
			Graph: graphs[tower], Tower: runtime.Tower(tower), Precision: runtime.FP32, Lanes: 1, Threads: l.LaneCount * l.Threads,
		})
		if err != nil {
			return err
		}
		defer s.Close()
		lane, err := s.NewLane()
		if err != nil {
			return err
		}
		rows, err := l.embedCheck(lane, tower, s.Info().Packs)
		lane.Close()
		s.Close()
		runtime.ReleaseHeap() // for the tower that comes next
		if err != nil {
			return err
		}
		if !finite(rows) {
			return errNotFinite
		}
		ref.Rows[tower] = rows
	}
	return nil
}

// batchRunner is what a Lane and a lane of one tower have in common.
type batchRunner interface {
	RunImages(pixels []byte, rows, size int, out []float32) error
	RunTexts(t TextBatch, out []float32) error
}

// embedCheck embeds the inputs of the self-check in one batch.
func (l *Opened) embedCheck(lane batchRunner, tower Tower, packs bool) ([]float32, error) {
	c := l.Checkpoint
	if tower == ImageTower {
		out := make([]float32, checkPictures*c.Dim)
		return out, lane.RunImages(checkTextures(c.ImageSize), checkPictures, c.ImageSize, out)
	}
	var rows [][]int32
	for _, t := range checkTexts {
		rows = append(rows, l.Tokenizer.Append(nil, t, c.ContextLength))
	}
	batch := LayOut(rows, packs, c.PadID)
	out := make([]float32, batch.Rows*c.Dim)
	return out[:len(rows)*c.Dim], lane.RunTexts(batch, out)
}

// checkTextures draws the pictures of a self-check, [checkPictures, size, size, 3]: waves whose frequency, direction and
// colour differ, so that rows, columns and channels cannot be mistaken for each other.
func checkTextures(size int) []byte {
	pixels := make([]byte, 0, checkPictures*size*size*3)
	for n := range checkPictures {
		for y := range size {
			for x := range size {
				for c := range 3 {
					u, v := float64(x)/float64(size), float64(y)/float64(size)
					wave := math.Sin(6*float64(n+1)*u*float64(c+1)+9*v*v) * math.Cos(float64(c)+14*v*float64(n+1))
					pixels = append(pixels, byte(127+90*wave+30*u))
				}
			}
		}
	}
	return pixels
}

// selfCheck compares what the lanes answer with the reference: one narrow lane of each replica, and the wide ones. A lane that
// differs is refused, with its cosine.
func (l *Opened) selfCheck(ref *reference) error {
	for i, lane := range l.Wide {
		if err := l.checkLane(fmt.Sprintf("the wide lane of replica %d", i), lane, TextTower, ref); err != nil {
			return err
		}
	}
	for i := 0; i < len(l.Lanes); i += l.LaneCount {
		for _, tower := range []Tower{TextTower, ImageTower} {
			if err := l.checkLane(fmt.Sprintf("replica %d", i/l.LaneCount), l.Lanes[i], tower, ref); err != nil {
				return err
			}
		}
	}
	return nil
}

func (l *Opened) checkLane(who string, lane Lane, tower Tower, ref *reference) error {
	rows, err := l.embedCheck(lane, tower, l.Session[TextTower].Packs)
	if err != nil {
		return fmt.Errorf("self-check of %s, %s tower: %w", who, tower, err)
	}
	if !finite(rows) {
		return l.wrong(who, tower, "answers values that are not finite")
	}
	if ref == nil {
		return nil
	}
	precision := l.Session[tower].Precision
	least := leastCosine
	if precision == runtime.FP32 {
		least = leastCosineFP32
	}
	dim := l.Checkpoint.Dim
	for i := 0; i < len(rows); i += dim {
		if cosine := cosineOf(rows[i:i+dim], ref.Rows[tower][i:i+dim]); !(cosine >= least) {
			return l.wrong(who, tower, fmt.Sprintf("answers input %d with cosine %.6f to %s; at least %v is needed", i/dim, cosine, ref.Path, least))
		}
	}
	return nil
}

// wrong is the refusal of a lane.
func (l *Opened) wrong(who string, tower Tower, what string) error {
	return Errorf(Unavailable, "the self-check refused runtime %s in %v: the %s tower of %s %s; try another runtime or dtype",
		l.Runtime.Name, l.Session[tower].Precision, tower, who, what)
}

// cosineOf returns the cosine of two vectors; NaN when one is zero.
func cosineOf(a, b []float32) float64 {
	var ab, aa, bb float64
	for i := range a {
		x, y := float64(a[i]), float64(b[i])
		ab, aa, bb = ab+x*y, aa+x*x, bb+y*y
	}
	return ab / math.Sqrt(aa*bb)
}
