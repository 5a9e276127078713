package model

import (
	"context"
	"fmt"
	"math"
	"path/filepath"
	"strings"

	"clipd/engine/model/arch"
	"clipd/engine/model/checkpoint"
	"clipd/engine/model/onnx"
	"clipd/engine/model/registry"
	"clipd/engine/model/tower"
)

// defaultLogitScale is what trained CLIPs have (their loss clips it there); exp(4.60517).
const defaultLogitScale = 100

// build writes both graphs into a folder.
func (s *source) build(ctx context.Context, d DType, folder string, progress func(string, int64, int64)) (*Model, error) {
	if s.pair {
		return s.buildPair(ctx, folder)
	}
	c, err := s.open()
	if err != nil {
		return nil, err
	}
	defer c.Close()
	var m *Model
	err = checkpoint.Guard(c.Path, func() (err error) {
		m, err = s.buildTowers(ctx, c, d, folder, progress)
		return err
	})
	return m, err
}

func (s *source) buildTowers(ctx context.Context, c *checkpoint.Checkpoint, d DType, folder string, progress func(string, int64, int64)) (*Model, error) {
	w, a, err := detect(c, s.facts)
	if err != nil {
		return nil, err
	}
	m := &Model{
		Architecture: a, Dim: a.EmbedDim, ImageSize: a.Vision.ImageSize, ContextLength: a.Text.Context, VocabSize: a.Text.Vocab,
		PadID: a.Text.PadID, ResizeMode: "shortest",
	}
	if m.LogitScale, err = logitScale(c); err != nil {
		return nil, err
	}
	if err := s.preprocessing(c, m); err != nil {
		return nil, err
	}
	graphs := [2]*onnx.Graph{}
	if graphs[Image], err = tower.Image(w, a, m.Mean, m.Std, d.onnx()); err != nil {
		return nil, err
	}
	if graphs[Text], err = tower.Text(w, a, d.onnx()); err != nil {
		return nil, err
	}
	if unused := w.Unused(); len(unused) > 0 {
		return nil, fmt.Errorf("%s has %d tensors that a plain CLIP has not, such as %s: this network is not supported", c.Path, len(unused), strings.Join(unused[:min(3, len(unused))], ", "))
	}
	for t, g := range graphs {
		stage := Tower(t).String() + " tower"
		err := g.Write(filepath.Join(folder, Tower(t).String()+".onnx"), func(done, total int64) error {
			c.Release() // the pages that were read need not stay
			progress(stage, done, total)
			return ctx.Err()
		})
		if err != nil {
			return nil, fmt.Errorf("cannot write the %s of %s: %w", stage, c.Path, err)
		}
	}
	return m, nil
}

// detect names the weights and finds the architecture.
func detect(c *checkpoint.Checkpoint, facts *registry.Checkpoint) (*arch.Weights, arch.Architecture, error) {
	w, err := arch.NewWeights(c)
	if err != nil {
		return nil, arch.Architecture{}, fmt.Errorf("%s: %w", c.Path, err)
	}
	hint := arch.Hint{QuickGELU: nameHint(c.Path)}
	if facts != nil && facts.Unsupported == "" {
		a, err := arch.Detect(w, arch.Hint{})
		if err != nil {
			return nil, a, err
		}
		// A name may stand beside a path that leads to other weights; what it says counts only where it fits.
		if fits(facts, a) {
			hint = arch.Hint{QuickGELU: &facts.QuickGELU, HeadWidth: facts.HeadWidth()}
		}
	}
	a, err := arch.Detect(w, hint)
	return w, a, err
}

// nameHint reads the activation out of the name of the file or folder, as in vit_b_32-quickgelu-laion400m_e32.pt.
func nameHint(path string) *bool {
	if strings.Contains(strings.ToLower(filepath.Base(path)), "quickgelu") {
		quick := true
		return &quick
	}
	return nil
}

// fits says whether a checkpoint can be what is published under a name.
func fits(facts *registry.Checkpoint, a arch.Architecture) bool {
	_, known, err := registry.FindArchitecture(facts.Architecture)
	if err != nil {
		return false
	}
	patch := 0
	if known.Vision.Patch != nil {
		patch = *known.Vision.Patch
	}
	return known.EmbedDim == a.EmbedDim && known.Vision.Width == a.Vision.Width && patch == a.Vision.Patch &&
		known.Vision.ImageSize == a.Vision.ImageSize && known.Text.Width == a.Text.Width && known.Text.Layers == a.Text.Layers
}

// preprocessing: the config's constants, else those of the name, else OpenAI's.
func (s *source) preprocessing(c *checkpoint.Checkpoint, m *Model) error {
	m.Mean, m.Std = registry.OpenAIMean, registry.OpenAIStd
	p, err := arch.ParsePreprocessing(c)
	if err != nil {
		return err
	}
	if p != nil {
		m.Mean, m.Std = p.Mean, p.Std
		if p.ResizeMode != "" {
			m.ResizeMode = p.ResizeMode
		}
		return nil
	}
	if s.facts != nil && fits(s.facts, m.Architecture) {
		if s.facts.Mean != nil && s.facts.Std != nil {
			m.Mean, m.Std = *s.facts.Mean, *s.facts.Std
		}
		if s.facts.ResizeMode != "" {
			m.ResizeMode = s.facts.ResizeMode
		}
	}
	return nil
}

func logitScale(c *checkpoint.Checkpoint) (float32, error) {
	t := c.Tensor("logit_scale")
	if t == nil {
		return defaultLogitScale, nil
	}
	if t.Len() != 1 {
		return 0, fmt.Errorf("tensor %q (%s) has shape %v, expected one number", t.Name, t.Origin, t.Shape)
	}
	var v [1]float32
	if err := t.Floats(v[:], 0); err != nil {
		return 0, err
	}
	scale := math.Exp(float64(v[0]))
	if math.IsNaN(scale) || scale > 1e6 {
		return 0, fmt.Errorf("tensor %q (%s) is %v, expected a logarithm such as 4.6052", t.Name, t.Origin, v[0])
	}
	return float32(scale), nil
}
