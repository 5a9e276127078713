package arch

import (
	"fmt"
	"math"
	"strings"

	"clipd/engine/model/checkpoint"
)

// Hint is what is known about a checkpoint from its name. Zero values mean that nothing is known.
type Hint struct {
	QuickGELU *bool
	HeadWidth int // of the ViT
}

// headWidths are the columns of one head in the published ViTs where it is not 64, by width of the residual
// stream (open_clip's ViT-H, ViT-g, ViT-bigG and ViT-e).
var headWidths = map[int]int{1280: 80, 1408: 88, 1664: 104, 1792: 112}

// Detect works out the architecture. A config decides what tensors cannot say; the shapes decide the rest.
func Detect(w *Weights, hint Hint) (Architecture, error) {
	cfg, err := parseConfig(w.Checkpoint.Config)
	if err != nil {
		return Architecture{}, fmt.Errorf("%s: %w", w.Checkpoint.Path, err)
	}
	var a Architecture
	if a.Vision, err = detectVision(w, cfg, hint); err == nil {
		a.Text, err = detectText(w, cfg)
	}
	if err != nil {
		return a, fmt.Errorf("%s: %w", w.Checkpoint.Path, err)
	}
	a.QuickGELU = quickGELU(w, cfg, hint)
	proj := w.Shape("visual.proj")
	if a.Vision.Kind == ResNet {
		proj = w.Shape("visual.attnpool.c_proj.bias")
	}
	if len(proj) == 0 {
		return a, fmt.Errorf("%s: the projection of the image tower is missing", w.Checkpoint.Path)
	}
	a.EmbedDim = proj[len(proj)-1]
	if cfg.embedDim != 0 && cfg.embedDim != a.EmbedDim {
		return a, fmt.Errorf("%s: the config says %d embedding columns, the weights have %d", w.Checkpoint.Path, cfg.embedDim, a.EmbedDim)
	}
	if err := a.Validate(); err != nil {
		return a, fmt.Errorf("%s: %w", w.Checkpoint.Path, err)
	}
	return a, nil
}

// quickGELU: a config says it; OpenAI's archives and state dicts are of networks with quick GELU; else the name decides;
// everything else is GELU, as in open_clip.
func quickGELU(w *Weights, cfg config, hint Hint) bool {
	switch {
	case cfg.quickGELU != nil:
		return *cfg.quickGELU
	case w.Checkpoint.Format == checkpoint.FormatTorchScript:
		return true
	case hint.QuickGELU != nil:
		return *hint.QuickGELU
	}
	return w.openAIStateDict()
}

// openAIStateDict recognises a state_dict that was saved from OpenAI's network: it carries the archive's scalars, or has the types that
// OpenAI's convert_weights leaves behind, float16 in products and float32 in norms.
func (w *Weights) openAIStateDict() bool {
	if w.Checkpoint.Format != checkpoint.FormatStateDict {
		return false
	}
	if w.Has("input_resolution") && w.Has("context_length") && w.Has("vocab_size") {
		return true
	}
	product, norm := w.Checkpoint.Tensor("transformer.resblocks.0.mlp.c_fc.weight"), w.Checkpoint.Tensor("ln_final.weight")
	return product != nil && norm != nil && product.DType == checkpoint.Float16 && norm.DType == checkpoint.Float32
}

// blocks counts the consecutive blocks prefix0., prefix1., ... that have the tensor suffix.
func (w *Weights) blocks(prefix, suffix string) int {
	n := 0
	for w.Has(fmt.Sprintf("%s%d.%s", prefix, n, suffix)) {
		n++
	}
	return n
}

func detectVision(w *Weights, cfg config, hint Hint) (Vision, error) {
	if w.Has("visual.layer1.0.conv1.weight") {
		return detectResNet(w)
	}
	conv, pos := w.Shape("visual.conv1.weight"), w.Shape("visual.positional_embedding")
	if len(conv) != 4 || len(pos) != 2 {
		return Vision{}, unknownVision(w)
	}
	v := Vision{Kind: ViT, Width: conv[0], Patch: conv[3], PreNorm: w.Has("visual.ln_pre.weight")}
	grid := int(math.Round(math.Sqrt(float64(pos[0] - 1))))
	if pos[0] < 2 || grid*grid != pos[0]-1 || conv[1] != 3 || conv[2] != conv[3] {
		return v, fmt.Errorf("image tower: %d positions and patches of %v are no square ViT over RGB", pos[0], conv)
	}
	v.ImageSize = grid * v.Patch
	if cfg.imageSize != 0 {
		// Sizes that the patch does not divide lose a margin; the config tells.
		if cfg.imageSize/v.Patch != grid {
			return v, fmt.Errorf("the config says %d pixels, %d positions of %d pixels make %d", cfg.imageSize, grid, v.Patch, v.ImageSize)
		}
		v.ImageSize = cfg.imageSize
	}
	const blocks = "visual.transformer.resblocks."
	v.Layers = w.blocks(blocks, "ln_1.weight")
	if fc := w.Shape(blocks + "0.mlp.c_fc.weight"); len(fc) == 2 {
		v.MLP = fc[0]
	}
	switch {
	case cfg.visionHeads != 0:
		v.Heads = cfg.visionHeads
	case cfg.headWidth != 0:
		v.Heads = v.Width / cfg.headWidth
	case hint.HeadWidth != 0:
		v.Heads = v.Width / hint.HeadWidth
	case headWidths[v.Width] != 0 && w.Checkpoint.Format != checkpoint.FormatTorchScript:
		v.Heads = v.Width / headWidths[v.Width]
	default:
		v.Heads = max(v.Width/64, 1)
	}
	return v, nil
}

// unknownVision says which other network it looks like.
func unknownVision(w *Weights) error {
	for name := range w.byName {
		if strings.HasPrefix(name, "visual.trunk.") {
			return fmt.Errorf("the image tower is a timm network (%s), which is not supported: only ViT and ModifiedResNet of OpenAI and open_clip are", name)
		}
	}
	return fmt.Errorf("no CLIP image tower found: neither visual.conv1.weight with visual.positional_embedding (ViT) nor visual.layer1.0.conv1.weight (ResNet), nor vision_model.* of transformers")
}

func detectResNet(w *Weights) (Vision, error) {
	v := Vision{Kind: ResNet}
	if s := w.Shape("visual.layer1.0.conv1.weight"); len(s) == 4 {
		v.Width = s[0]
	}
	for stage := 1; stage <= 4; stage++ {
		v.Stages = append(v.Stages, w.blocks(fmt.Sprintf("visual.layer%d.", stage), "conv1.weight"))
	}
	pos := w.Shape("visual.attnpool.positional_embedding")
	if len(pos) != 2 || pos[0] < 2 {
		return v, fmt.Errorf("image tower: visual.attnpool.positional_embedding is missing")
	}
	grid := int(math.Round(math.Sqrt(float64(pos[0] - 1))))
	if grid*grid != pos[0]-1 || pos[1] != v.Width*32 {
		return v, fmt.Errorf("image tower: an attention pool of shape %v does not fit a ResNet of width %d", pos, v.Width)
	}
	v.ImageSize = grid * 32
	v.Heads = max(v.Width*32/64, 1)
	return v, nil
}

func detectText(w *Weights, cfg config) (Text, error) {
	if w.Has(robertaEmbedding) {
		return detectRoberta(w, cfg)
	}
	vocab, pos := w.Shape("token_embedding.weight"), w.Shape("positional_embedding")
	if len(vocab) != 2 || len(pos) != 2 {
		return Text{}, fmt.Errorf("no text tower found: token_embedding.weight and positional_embedding (or text_model.* of transformers) are missing")
	}
	t := Text{Kind: CLIPText, Vocab: vocab[0], Width: vocab[1], Context: pos[0]}
	const blocks = "transformer.resblocks."
	t.Layers = w.blocks(blocks, "ln_1.weight")
	if fc := w.Shape(blocks + "0.mlp.c_fc.weight"); len(fc) == 2 {
		t.MLP = fc[0]
	}
	t.Heads = cfg.textHeads
	if t.Heads == 0 {
		t.Heads = max(t.Width/64, 1)
	}
	return t, nil
}

const robertaEmbedding = "text.transformer.embeddings.word_embeddings.weight"

func detectRoberta(w *Weights, cfg config) (Text, error) {
	text, err := parseTextConfig(w.Checkpoint.TextConfig)
	if err != nil {
		return Text{}, err
	}
	vocab, pos := w.Shape(robertaEmbedding), w.Shape("text.transformer.embeddings.position_embeddings.weight")
	if len(vocab) != 2 || len(pos) != 2 {
		return Text{}, fmt.Errorf("the embeddings of the RoBERTa text tower are incomplete")
	}
	t := Text{Kind: Roberta, Vocab: vocab[0], Width: vocab[1], Heads: max(vocab[1]/64, 1), PadID: 1, NormEps: NormEps, PoolMean: true}
	if text.Heads != 0 {
		t.Heads = text.Heads
	}
	if text.PadID != nil {
		t.PadID = *text.PadID
	}
	if text.NormEps != 0 {
		t.NormEps = text.NormEps
	}
	switch cfg.pooler {
	case "", "mean_pooler":
	case "cls_pooler":
		t.PoolMean = false
	default:
		return t, fmt.Errorf("text pooling %q is not supported, only mean_pooler and cls_pooler", cfg.pooler)
	}
	t.Context = pos[0] - 1 - int(t.PadID) // positions are counted from pad + 1
	const blocks = "text.transformer.encoder.layer."
	t.Layers = w.blocks(blocks, "intermediate.dense.weight")
	if fc := w.Shape(blocks + "0.intermediate.dense.weight"); len(fc) == 2 {
		t.MLP = fc[0]
	}
	if p := w.Shape("text.proj.0.weight"); len(p) == 2 {
		t.ProjMLP = p[0]
	}
	return t, nil
}
