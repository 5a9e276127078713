// Package registry knows the published CLIP checkpoints by the names that CLIP-as-service and open_clip give them: where they
// are, what proves that they arrived whole, and what their files do not say.
package registry

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"path"
	"sort"
	"strings"
	"sync"
)

//go:generate go run trim.go $REGISTRY

//go:embed registry.json
var registryJSON []byte

// Checkpoint is a published checkpoint.
type Checkpoint struct {
	Name         string // such as "ViT-B-32::openai"
	Architecture string `json:"architecture"`
	QuickGELU    bool   `json:"quick_gelu"`
	URL          string `json:"url"`
	Hub          string `json:"hub"`  // repository at Hugging Face
	File         string `json:"file"` // in the store of CLIP-as-service
	MD5          string `json:"md5"`  // of File
	// Mean and Std normalise pixels of 0 to 1; nil where they are OpenAI's.
	Mean        *[3]float32 `json:"mean"`
	Std         *[3]float32 `json:"std"`
	ResizeMode  string      `json:"resize_mode"` // "" is shortest: shorter side to size, then crop
	Unsupported string      `json:"unsupported"` // why it cannot be loaded, "" when it can
}

// Architecture is a network as open_clip describes it.
type Architecture struct {
	EmbedDim  int    `json:"embed_dim"`
	QuickGELU bool   `json:"quick_gelu,omitempty"`
	Vision    Vision `json:"vision_cfg"`
	Text      Text   `json:"text_cfg"`
}

// Vision is an image tower. Layers is one number (ViT) or four (ResNet).
type Vision struct {
	ImageSize int             `json:"image_size"`
	Layers    json.RawMessage `json:"layers"`
	Width     int             `json:"width"`
	Patch     *int            `json:"patch_size"`
	HeadWidth int             `json:"head_width,omitempty"`
	MLPRatio  float64         `json:"mlp_ratio,omitempty"`
	LSInit    *float64        `json:"ls_init_value,omitempty"` // layer scale: each branch is multiplied by a learned vector
}

// Text is a CLIP text tower.
type Text struct {
	Context int `json:"context_length"`
	Vocab   int `json:"vocab_size"`
	Width   int `json:"width"`
	Heads   int `json:"heads"`
	Layers  int `json:"layers"`
}

// OpenAIMean and OpenAIStd normalise the pixels of most CLIP models.
var (
	OpenAIMean = [3]float32{0.48145466, 0.4578275, 0.40821073}
	OpenAIStd  = [3]float32{0.26862954, 0.26130258, 0.27577711}
)

type registry struct {
	TorchBase     string                  `json:"torch_base"`
	Checkpoints   map[string]*Checkpoint  `json:"checkpoints"`
	Architectures map[string]Architecture `json:"architectures"`
	byKey         map[string]*Checkpoint
}

var load = sync.OnceValue(func() *registry {
	var r registry
	if err := json.Unmarshal(registryJSON, &r); err != nil {
		panic("BUG: registry.json: " + err.Error())
	}
	r.byKey = make(map[string]*Checkpoint, len(r.Checkpoints))
	for name, c := range r.Checkpoints {
		c.Name = name
		r.byKey[key(name)] = c
	}
	return &r
})

// key makes equal what is written in several ways: case, ViT-B/32 for ViT-B-32, laion2b-s34b-b79k for laion2b_s34b_b79k,
// @336px for -336.
func key(name string) string {
	name = strings.TrimSuffix(strings.ToLower(name), "px")
	return strings.NewReplacer("/", "-", "_", "-", "@", "-").Replace(name)
}

// Find looks a name up. One without a tag (ViT-B/32, RN50) means OpenAI's weights. An unknown one is an error that names the
// nearest.
func Find(name string) (*Checkpoint, error) {
	r := load()
	wanted := key(name)
	if c := r.byKey[wanted]; c != nil {
		return c, nil
	}
	if architecture, tag, tagged := strings.Cut(name, "::"); tagged {
		wanted = key(architecture) + "::" + key(tag)
	} else {
		wanted = key(name) + "::openai"
	}
	if c := r.byKey[wanted]; c != nil {
		return c, nil
	}
	return nil, fmt.Errorf("no model is named %q; the nearest names are %s; a file or folder can be given as model_path", name, strings.Join(nearest(wanted, r), ", "))
}

// Names lists the checkpoints that can be loaded.
func Names() []string {
	var names []string
	for name, c := range load().Checkpoints {
		if c.Unsupported == "" {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	return names
}

// FindArchitecture looks an architecture up by name, also written as ViT-B/32.
func FindArchitecture(name string) (string, Architecture, error) {
	var all []string
	for known, a := range load().Architectures {
		if key(known) == key(name) {
			return known, a, nil
		}
		all = append(all, known)
	}
	sort.Strings(all)
	return "", Architecture{}, fmt.Errorf("no architecture is named %q; known are %s", name, strings.Join(all, ", "))
}

// HeadWidth is the number of columns of a head of the image tower, 0 when the checkpoint's architecture does not say.
func (c *Checkpoint) HeadWidth() int { return load().Architectures[c.Architecture].Vision.HeadWidth }

// Source is an address from which a checkpoint can be had.
type Source struct {
	URL    string
	File   string // name to keep it under
	MD5    string // hexadecimal, "" if not known
	SHA256 string
}

// Sources lists the addresses of a checkpoint, best first: those whose check sum is known before the others.
func (c *Checkpoint) Sources() []Source {
	var out []Source
	if c.File != "" {
		out = append(out, Source{URL: load().TorchBase + c.File, File: c.File, MD5: c.MD5})
	}
	if c.URL != "" {
		s := Source{URL: c.URL, File: path.Base(c.URL)}
		// OpenAI's addresses hold the SHA-256 as the folder.
		if folder := path.Base(path.Dir(c.URL)); len(folder) == 64 {
			s.SHA256 = folder
		}
		out = append(out, s)
	}
	if c.Hub != "" {
		for _, file := range []string{"open_clip_model.safetensors", "open_clip_pytorch_model.bin"} {
			kept := strings.ReplaceAll(key(c.Name), "::", "-") + path.Ext(file)
			out = append(out, Source{URL: "https://huggingface.co/" + c.Hub + "/resolve/main/" + file, File: kept})
		}
	}
	return out
}
