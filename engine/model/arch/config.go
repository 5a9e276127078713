package arch

import (
	"encoding/json"
	"fmt"
	"slices"

	"clipd/engine/model/checkpoint"
)

// config is what open_clip_config.json or transformers' config.json say beyond the tensors. Zero means unsaid.
type config struct {
	quickGELU              *bool
	embedDim, imageSize    int
	visionHeads, headWidth int
	textHeads              int
	pooler                 string
}

// openCLIP is open_clip_config.json, or a bare model config.
type openCLIP struct {
	Model struct {
		EmbedDim  int                        `json:"embed_dim"`
		QuickGELU bool                       `json:"quick_gelu"`
		Vision    map[string]json.RawMessage `json:"vision_cfg"`
		Text      map[string]json.RawMessage `json:"text_cfg"`
		Other     json.RawMessage            `json:"multimodal_cfg"`
	} `json:"model_cfg"`
	Preprocess struct {
		Mean       []float32 `json:"mean"`
		Std        []float32 `json:"std"`
		ResizeMode string    `json:"resize_mode"`
	} `json:"preprocess_cfg"`
}

type huggingFaceConfig struct {
	ProjectionDim int              `json:"projection_dim"`
	Text          huggingFaceTower `json:"text_config"`
	Vision        huggingFaceTower `json:"vision_config"`
}

type huggingFaceTower struct {
	Act       string   `json:"hidden_act"`
	Heads     int      `json:"num_attention_heads"`
	ImageSize int      `json:"image_size"`
	NormEps   *float64 `json:"layer_norm_eps"`
}

// changes lists settings of open_clip that change the network in a way that is not built, with the values that
// do not.
var changes = map[string][]string{
	"timm_model_name": nil, "attentional_pool": {"false"}, "pool_type": {`"tok"`, `"argmax"`}, "no_ln_pre": {"false"},
	"final_ln_after_pool": {"false"}, "pos_embed_type": {`"learnable"`}, "no_causal_mask": {"false"}, "embed_cls": {"false"},
	"input_patchnorm": {"false"}, "block_type": {`"default"`}, "qk_norm": {"false"}, "scaled_cosine_attn": {"false"}, "proj_bias": {"false"},
	"norm_kwargs": {"{}"}, "act_kwargs": {"{}"}, "proj_type": {`"linear"`},
}

func parseConfig(data []byte) (config, error) {
	if len(data) == 0 {
		return config{}, nil
	}
	var probe map[string]json.RawMessage
	if err := json.Unmarshal(data, &probe); err != nil {
		return config{}, fmt.Errorf("the config is no JSON object: %w", err)
	}
	if probe["model_cfg"] != nil {
		return parseOpenCLIP(data)
	}
	return parseHuggingFace(data)
}

func parseOpenCLIP(data []byte) (config, error) {
	var o openCLIP
	var c config
	if err := json.Unmarshal(data, &o); err != nil {
		return c, fmt.Errorf("open_clip_config.json: %w", err)
	}
	if o.Model.Other != nil {
		return c, fmt.Errorf("open_clip_config.json: a multimodal decoder (CoCa) is not supported")
	}
	for part, settings := range map[string]map[string]json.RawMessage{"vision_cfg": o.Model.Vision, "text_cfg": o.Model.Text} {
		for name, harmless := range changes {
			value := string(settings[name])
			if value != "" && value != "null" && !slices.Contains(harmless, value) {
				return c, fmt.Errorf("open_clip_config.json: %s.%s = %s is not supported", part, name, value)
			}
		}
	}
	number := func(from map[string]json.RawMessage, name string, to any) error {
		if from[name] == nil {
			return nil
		}
		if err := json.Unmarshal(from[name], to); err != nil {
			return fmt.Errorf("open_clip_config.json: %s = %s: %w", name, from[name], err)
		}
		return nil
	}
	c.quickGELU, c.embedDim = &o.Model.QuickGELU, o.Model.EmbedDim
	var size json.RawMessage
	for _, err := range []error{
		number(o.Model.Vision, "image_size", &size), number(o.Model.Vision, "head_width", &c.headWidth),
		number(o.Model.Text, "heads", &c.textHeads), number(o.Model.Text, "pooler_type", &c.pooler),
	} {
		if err != nil {
			return c, err
		}
	}
	if c.pooler == "" {
		if err := number(o.Model.Text, "hf_pooler_type", &c.pooler); err != nil {
			return c, err
		}
	}
	if len(size) > 0 {
		if err := json.Unmarshal(size, &c.imageSize); err != nil {
			return c, fmt.Errorf("open_clip_config.json: image_size = %s: only square pictures are supported", size)
		}
	}
	if c.headWidth < 0 || c.textHeads < 0 || c.imageSize < 0 {
		return c, fmt.Errorf("open_clip_config.json: a size is negative")
	}
	return c, nil
}

func parseHuggingFace(data []byte) (config, error) {
	var h huggingFaceConfig
	if err := json.Unmarshal(data, &h); err != nil {
		return config{}, fmt.Errorf("config.json: %w", err)
	}
	c := config{embedDim: h.ProjectionDim, imageSize: h.Vision.ImageSize, visionHeads: h.Vision.Heads, textHeads: h.Text.Heads}
	// transformers leaves settings out that have their default value: quick_gelu, 1e-5.
	for part, t := range map[string]*huggingFaceTower{"text_config": &h.Text, "vision_config": &h.Vision} {
		if t.Act == "" {
			t.Act = "quick_gelu"
		}
		if t.Act != "quick_gelu" && t.Act != "gelu" {
			return c, fmt.Errorf("config.json: %s.hidden_act = %q is not supported, only quick_gelu and gelu", part, t.Act)
		}
		if t.NormEps != nil && *t.NormEps != NormEps {
			return c, fmt.Errorf("config.json: %s.layer_norm_eps = %v is not supported, only %v", part, *t.NormEps, NormEps)
		}
		if t.Heads < 0 || t.ImageSize < 0 {
			return c, fmt.Errorf("config.json: %s has a negative size", part)
		}
	}
	if h.Text.Act != h.Vision.Act {
		return c, fmt.Errorf("config.json: the towers have different activations, %q and %q", h.Text.Act, h.Vision.Act)
	}
	quick := h.Text.Act == "quick_gelu"
	c.quickGELU = &quick
	return c, nil
}

type textConfig struct {
	Heads   int     `json:"num_attention_heads"`
	PadID   *int32  `json:"pad_token_id"`
	NormEps float32 `json:"layer_norm_eps"`
	Act     string  `json:"hidden_act"`
}

func parseTextConfig(data []byte) (textConfig, error) {
	var t textConfig
	if len(data) == 0 {
		return t, nil
	}
	if err := json.Unmarshal(data, &t); err != nil {
		return t, fmt.Errorf("text_config.json: %w", err)
	}
	if t.Act != "" && t.Act != "gelu" {
		return t, fmt.Errorf("text_config.json: hidden_act = %q is not supported, only gelu", t.Act)
	}
	if t.Heads < 0 || t.PadID != nil && (*t.PadID < 0 || *t.PadID > 1<<16) {
		return t, fmt.Errorf("text_config.json: a number is out of range")
	}
	return t, nil
}

// Preprocessing is how pictures are made ready.
type Preprocessing struct {
	Mean, Std  [3]float32 // of pixels from 0 to 1
	ResizeMode string     // "" or "shortest": the shorter side to the size, then a crop; "squash": both sides
}

// ParsePreprocessing reads what a checkpoint's configs say about it, nil when they say nothing.
func ParsePreprocessing(c *checkpoint.Checkpoint) (*Preprocessing, error) {
	var o openCLIP
	mean, std := []float32(nil), []float32(nil)
	if len(c.Config) > 0 {
		if err := json.Unmarshal(c.Config, &o); err != nil {
			return nil, fmt.Errorf("%s: config: %w", c.Path, err)
		}
		mean, std = o.Preprocess.Mean, o.Preprocess.Std
	}
	if len(c.Preprocessor) > 0 {
		var h struct {
			Mean []float32 `json:"image_mean"`
			Std  []float32 `json:"image_std"`
		}
		if err := json.Unmarshal(c.Preprocessor, &h); err != nil {
			return nil, fmt.Errorf("%s: preprocessor_config.json: %w", c.Path, err)
		}
		mean, std = h.Mean, h.Std
	}
	if mean == nil && std == nil {
		return nil, nil
	}
	p := &Preprocessing{ResizeMode: o.Preprocess.ResizeMode}
	if copy(p.Mean[:], mean) != 3 || copy(p.Std[:], std) != 3 || len(mean) != 3 || len(std) != 3 {
		return nil, fmt.Errorf("%s: mean %v and std %v of the config are not three numbers each", c.Path, mean, std)
	}
	for i := range p.Std {
		if !(p.Std[i] > 1e-3) || p.Std[i] > 1e3 || !(p.Mean[i] >= -1e3 && p.Mean[i] <= 1e3) {
			return nil, fmt.Errorf("%s: mean %v and std %v of the config are out of range", c.Path, mean, std)
		}
	}
	return p, nil
}
