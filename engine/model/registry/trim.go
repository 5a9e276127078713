//go:build ignore

// trim writes registry.json, the facts that clipd needs, from the whole list of published checkpoints:
//
//	go run trim.go <registry.json with the models of clip_server and open_clip>
package main

import (
	"encoding/json"
	"log"
	"os"
	"strings"
)

type torchFile struct {
	File string `json:"file"`
	MD5  string `json:"md5"`
}

type tag struct {
	URL        string     `json:"url"`
	Hub        string     `json:"hf_hub"`
	Mean       [3]float32 `json:"mean"`
	Std        [3]float32 `json:"std"`
	QuickGELU  bool       `json:"quick_gelu"`
	ResizeMode string     `json:"resize_mode"`
}

type architecture struct {
	EmbedDim   int             `json:"embed_dim"`
	QuickGELU  bool            `json:"quick_gelu,omitempty"`
	Vision     map[string]any  `json:"vision_cfg"`
	Text       map[string]any  `json:"text_cfg"`
	Multimodal json.RawMessage `json:"multimodal_cfg,omitempty"`
}

type whole struct {
	ClipServer struct {
		TorchBase string `json:"torch_base"`
		Models    map[string]struct {
			Torch *torchFile `json:"torch"`
		} `json:"models"`
		Chinese []string `json:"chinese"`
	} `json:"clip_server"`
	OpenCLIP struct {
		Pretrained    map[string]map[string]tag `json:"pretrained"`
		Architectures map[string]architecture   `json:"architectures"`
	} `json:"open_clip"`
}

// checkpoint is one entry of the result.
type checkpoint struct {
	Architecture string      `json:"architecture,omitempty"`
	QuickGELU    bool        `json:"quick_gelu,omitempty"`
	URL          string      `json:"url,omitempty"`
	Hub          string      `json:"hub,omitempty"`
	File         string      `json:"file,omitempty"` // in the store of CLIP-as-service
	MD5          string      `json:"md5,omitempty"`
	Mean         *[3]float32 `json:"mean,omitempty"`
	Std          *[3]float32 `json:"std,omitempty"`
	ResizeMode   string      `json:"resize_mode,omitempty"`
	Unsupported  string      `json:"unsupported,omitempty"`
}

var (
	openAIMean = [3]float32{0.48145466, 0.4578275, 0.40821073}
	openAIStd  = [3]float32{0.26862954, 0.26130258, 0.27577711}
)

// unsupported says why a network cannot be built or fed, "" when it can.
func (a architecture) unsupported() string {
	set := func(cfg map[string]any, key string) bool {
		v := cfg[key]
		return v != nil && v != false && v != ""
	}
	switch {
	case a.EmbedDim == 0:
		return "its architecture is not known"
	case set(a.Vision, "timm_model_name"):
		return "its image tower is a timm network"
	case a.Multimodal != nil || set(a.Vision, "attentional_pool"):
		return "it is a CoCa with a multimodal decoder"
	case set(a.Text, "hf_model_name") || set(a.Text, "hf_tokenizer_name"):
		return "its texts need a tokenizer other than CLIP's"
	case a.Vision["pool_type"] != nil || set(a.Vision, "no_ln_pre") || set(a.Text, "no_causal_mask") || a.Text["pool_type"] != nil:
		return "it pools or masks in another way"
	case a.Text["context_length"] == nil || a.Vision["image_size"] == nil:
		return "its architecture is not a plain CLIP"
	}
	return ""
}

func main() {
	log.SetFlags(0)
	if len(os.Args) != 2 {
		log.Fatal("usage: go run trim.go REGISTRY.json")
	}
	raw, err := os.ReadFile(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	var in whole
	if err := json.Unmarshal(raw, &in); err != nil {
		log.Fatal(err)
	}
	out := struct {
		About         string                  `json:"about"`
		TorchBase     string                  `json:"torch_base"`
		Checkpoints   map[string]*checkpoint  `json:"checkpoints"`
		Architectures map[string]architecture `json:"architectures"`
	}{
		About:     "Published CLIP checkpoints: made by trim.go, do not edit.",
		TorchBase: in.ClipServer.TorchBase, Checkpoints: map[string]*checkpoint{}, Architectures: map[string]architecture{},
	}
	for name, a := range in.OpenCLIP.Architectures {
		if a.unsupported() == "" {
			delete(a.Vision, "patch_dropout")
			out.Architectures[name] = a
		}
	}
	for name, tags := range in.OpenCLIP.Pretrained {
		a := in.OpenCLIP.Architectures[name]
		for tagName, t := range tags {
			c := &checkpoint{Architecture: name, QuickGELU: t.QuickGELU || a.QuickGELU, URL: t.URL, Hub: strings.Trim(t.Hub, "/"), Unsupported: a.unsupported()}
			if t.Mean != openAIMean || t.Std != openAIStd {
				c.Mean, c.Std = &t.Mean, &t.Std
			}
			if t.ResizeMode != "shortest" {
				c.ResizeMode = t.ResizeMode
			}
			out.Checkpoints[name+"::"+tagName] = c
		}
	}
	addClipServer(in, out.Checkpoints)
	encoded, err := json.MarshalIndent(out, "", " ")
	if err != nil {
		log.Fatal(err)
	}
	if err := os.WriteFile("registry.json", append(encoded, '\n'), 0o644); err != nil {
		log.Fatal(err)
	}
}

// addClipServer adds the files of CLIP-as-service to the entries that they belong to. Its names have dashes where open_clip's
// tags have underscores.
func addClipServer(in whole, out map[string]*checkpoint) {
	for name, m := range in.ClipServer.Models {
		arch, tagName, tagged := strings.Cut(name, "::")
		if m.Torch == nil || !tagged {
			if strings.HasPrefix(name, "M-CLIP/") {
				out[name] = &checkpoint{Unsupported: "M-CLIP's text towers need other tokenizers and are not built here; a folder with its textual.onnx and visual.onnx can be given as model_path"}
			}
			continue
		}
		c := out[name]
		if c == nil {
			c = out[arch+"::"+strings.ReplaceAll(tagName, "-", "_")]
		}
		if c == nil {
			log.Fatalf("%s is not among open_clip's checkpoints", name)
		}
		c.File, c.MD5 = m.Torch.File, m.Torch.MD5
	}
	for _, name := range in.ClipServer.Chinese {
		out[name] = &checkpoint{Unsupported: "Chinese CLIP has a BERT text tower and tokenizer"}
	}
}
