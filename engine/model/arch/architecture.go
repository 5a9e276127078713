// Package arch finds out which CLIP network a checkpoint belongs to, from its tensors and, where there is one,
// its config, and gives the weights under one set of names whatever the file calls them.
package arch

import "fmt"

// VisionKind is the kind of an image tower.
type VisionKind string

// TextKind is the kind of a text tower.
type TextKind string

// The towers that can be built.
const (
	ViT      VisionKind = "ViT"
	ResNet   VisionKind = "ModifiedResNet"
	CLIPText TextKind   = "CLIP"
	Roberta  TextKind   = "RoBERTa" // also XLM-RoBERTa
)

// Vision describes an image tower.
type Vision struct {
	Kind      VisionKind
	ImageSize int   // height and width in pixels
	Patch     int   // ViT: side of a patch in pixels
	Width     int   // ViT: columns of the residual stream; ResNet: channels of the first stage
	Layers    int   // ViT: blocks
	Stages    []int // ResNet: blocks of each of the 4 stages
	Heads     int   // of the blocks, or of the ResNet's attention pool
	MLP       int   // ViT: hidden columns of a block's MLP
	PreNorm   bool  // ViT: a layer norm stands before the blocks
}

// Text describes a text tower.
type Text struct {
	Kind     TextKind
	Vocab    int
	Context  int // most ids of a text
	Width    int
	Layers   int
	Heads    int
	MLP      int
	PadID    int32   // fills rows at the end: 0 for CLIP, which does not look at it, 1 for RoBERTa
	ProjMLP  int     // RoBERTa: hidden columns of the projection, 0 when it is one matrix
	NormEps  float32 // RoBERTa
	PoolMean bool    // RoBERTa: mean over the live positions, else the first position
}

// Architecture is everything about the network that its weights alone do not say.
type Architecture struct {
	EmbedDim  int
	QuickGELU bool // x * sigmoid(1.702 x) instead of GELU in the ViT and the CLIP text tower
	Vision    Vision
	Text      Text
}

// NormEps is the epsilon of CLIP's layer norms and batch norms.
const NormEps = 1e-5

// Grid is the number of patches (ViT) or of last-stage positions (ResNet) along one side.
func (v Vision) Grid() int {
	if v.Kind == ResNet {
		return v.ImageSize / 32
	}
	return v.ImageSize / v.Patch
}

// String describes the network in one line.
func (a Architecture) String() string {
	if a.Vision.Kind == "" {
		return "unknown (an ONNX pair)"
	}
	act := "GELU"
	if a.QuickGELU {
		act = "QuickGELU"
	}
	v := fmt.Sprintf("ViT/%d %d px, %d layers of %d, %d heads", a.Vision.Patch, a.Vision.ImageSize, a.Vision.Layers, a.Vision.Width, a.Vision.Heads)
	if a.Vision.Kind == ResNet {
		v = fmt.Sprintf("ModifiedResNet %v %d px, width %d, %d heads", a.Vision.Stages, a.Vision.ImageSize, a.Vision.Width, a.Vision.Heads)
	}
	t := a.Text
	return fmt.Sprintf("%s; %s text %d layers of %d, %d heads, %d tokens of %d; %s; %d columns", v, t.Kind, t.Layers, t.Width, t.Heads, t.Context, t.Vocab, act, a.EmbedDim)
}

// Validate refuses sizes that no network can have, before any is used in arithmetic.
func (a Architecture) Validate() error {
	check := func(what string, value, most int) error {
		if value < 1 || value > most {
			return fmt.Errorf("%s is %d, expected 1 to %d", what, value, most)
		}
		return nil
	}
	v, t := a.Vision, a.Text
	checks := []error{
		check("embedding dimension", a.EmbedDim, 1<<16), check("image size", v.ImageSize, 1<<12), check("vision width", v.Width, 1<<16),
		check("vision heads", v.Heads, 1<<10), check("vocabulary", t.Vocab, 1<<24), check("context length", t.Context, 1<<16),
		check("text width", t.Width, 1<<16), check("text layers", t.Layers, 1<<10), check("text heads", t.Heads, 1<<10), check("text MLP width", t.MLP, 1<<20),
	}
	attention := v.Width
	if v.Kind == ViT {
		checks = append(checks, check("patch size", v.Patch, v.ImageSize), check("vision layers", v.Layers, 1<<10), check("vision MLP width", v.MLP, 1<<20))
	} else {
		attention = v.Width * 32
		for _, n := range v.Stages {
			checks = append(checks, check("blocks of a stage", n, 1<<10))
		}
	}
	for _, err := range checks {
		if err != nil {
			return err
		}
	}
	if attention%v.Heads != 0 {
		return fmt.Errorf("vision width %d cannot be divided by %d heads", attention, v.Heads)
	}
	if t.Width%t.Heads != 0 {
		return fmt.Errorf("text width %d cannot be divided by %d heads", t.Width, t.Heads)
	}
	return nil
}
