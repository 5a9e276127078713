package arch

import "strings"

// huggingFace maps the fixed parts of transformers' CLIPModel names to OpenAI's.
var huggingFace = map[string]string{
	"vision_model.embeddings.class_embedding":           "visual.class_embedding",
	"vision_model.embeddings.patch_embedding.weight":    "visual.conv1.weight",
	"vision_model.embeddings.position_embedding.weight": "visual.positional_embedding",
	"vision_model.pre_layrnorm.weight":                  "visual.ln_pre.weight", // transformers' spelling
	"vision_model.pre_layrnorm.bias":                    "visual.ln_pre.bias",
	"vision_model.post_layernorm.weight":                "visual.ln_post.weight",
	"vision_model.post_layernorm.bias":                  "visual.ln_post.bias",
	"visual_projection.weight":                          "visual.proj", // transposed
	"text_model.embeddings.token_embedding.weight":      "token_embedding.weight",
	"text_model.embeddings.position_embedding.weight":   "positional_embedding",
	"text_model.final_layer_norm.weight":                "ln_final.weight",
	"text_model.final_layer_norm.bias":                  "ln_final.bias",
	"text_projection.weight":                            "text_projection", // transposed
}

// huggingFaceBlock maps the names within a block.
var huggingFaceBlock = map[string]string{
	"layer_norm1": "ln_1", "layer_norm2": "ln_2", "mlp.fc1": "mlp.c_fc", "mlp.fc2": "mlp.c_proj",
	"self_attn.out_proj": "attn.out_proj",
}

var huggingFaceQKV = map[string]int{"self_attn.q_proj": 0, "self_attn.k_proj": 1, "self_attn.v_proj": 2}

// canonical gives OpenAI's name of a tensor, which part of the stacked weight it is (query, key and value lie apart
// in some files), and whether its matrix is stored transposed.
func canonical(name string) (out string, part int, transposed bool) {
	if to, ok := huggingFace[name]; ok {
		return to, 0, to == "visual.proj" || to == "text_projection"
	}
	for from, to := range map[string]string{"vision_model.encoder.layers.": "visual.transformer.resblocks.", "text_model.encoder.layers.": "transformer.resblocks."} {
		rest, ok := strings.CutPrefix(name, from)
		if !ok {
			continue
		}
		block, rest, _ := strings.Cut(rest, ".")
		dot := strings.LastIndexByte(rest, '.')
		if dot < 0 {
			return name, 0, false
		}
		module, kind := rest[:dot], rest[dot+1:]
		if known, ok := huggingFaceBlock[module]; ok {
			return to + block + "." + known + "." + kind, 0, false
		}
		if part, ok := huggingFaceQKV[module]; ok {
			return to + block + ".attn.in_proj_" + kind, part, false
		}
		return name, 0, false
	}
	return canonicalText(name)
}

// robertaQKV stacks RoBERTa's three projections as CLIP's are.
var robertaQKV = map[string]int{"query": 0, "key": 1, "value": 2}

// canonicalText drops the prefix that newer open_clip models put before a CLIP text tower, and stacks RoBERTa's projections.
func canonicalText(name string) (out string, part int, transposed bool) {
	rest, ok := strings.CutPrefix(name, "text.")
	if !ok {
		return name, 0, false
	}
	for _, own := range []string{"token_embedding.", "positional_embedding", "ln_final.", "text_projection", "transformer.resblocks."} {
		if strings.HasPrefix(rest, own) {
			return rest, 0, false
		}
	}
	const self = ".attention.self."
	if at := strings.Index(name, self); at >= 0 {
		module, kind, _ := strings.Cut(name[at+len(self):], ".")
		if part, ok := robertaQKV[module]; ok {
			return name[:at] + self + "in_proj." + kind, part, false
		}
	}
	return name, 0, false
}
