package arch

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"clipd/engine/model/checkpoint"
)

const models = "../../../testdata/models/"

func open(t *testing.T, path string) *Weights {
	t.Helper()
	c, err := checkpoint.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	w, err := NewWeights(c)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// withConfig copies a file and puts a config beside it.
func withConfig(t *testing.T, file, config string) string {
	t.Helper()
	dir := t.TempDir()
	for from, to := range map[string]string{file: filepath.Base(file), config: filepath.Base(config)} {
		data, err := os.ReadFile(models + from)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, to), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, filepath.Base(file))
}

func TestDetectGoldenModels(t *testing.T) {
	text := func(vocab, heads int) Text {
		return Text{Kind: CLIPText, Vocab: vocab, Context: 77, Width: 64, Layers: 2, Heads: heads, MLP: 256}
	}
	check := func(path string, want Architecture) {
		t.Helper()
		got, err := Detect(open(t, path), Hint{})
		if err != nil {
			t.Error(err)
		}
		if got.String() != want.String() || got.Text != want.Text || got.Vision.MLP != want.Vision.MLP || got.QuickGELU != want.QuickGELU || got.Vision.PreNorm != want.Vision.PreNorm {
			t.Errorf("%s:\n got %+v\nwant %+v", path, got, want)
		}
	}
	quick := Architecture{EmbedDim: 32, QuickGELU: true, Text: text(400, 1),
		Vision: Vision{Kind: ViT, ImageSize: 224, Patch: 32, Width: 64, Layers: 2, Heads: 1, MLP: 256, PreNorm: true}}
	check(models+"vit_quickgelu/state_dict_reduced.pt", quick)
	check(models+"vit_quickgelu/open_clip_reduced", quick)
	check(models+"vit_quickgelu/hf_reduced", quick)
	quick.Text.Vocab = 49408
	check(models+"vit_quickgelu/openai_jit.pt", quick)
	check(models+"vit_quickgelu_2heads/openai_jit_cuda_reduced.pt", Architecture{EmbedDim: 48, QuickGELU: true, Text: text(380, 1),
		Vision: Vision{Kind: ViT, ImageSize: 64, Patch: 16, Width: 128, Layers: 2, Heads: 2, MLP: 512, PreNorm: true}})
	gelu := Architecture{EmbedDim: 40, Text: text(370, 4), Vision: Vision{Kind: ViT, ImageSize: 64, Patch: 16, Width: 48, Layers: 2, Heads: 2, MLP: 209, PreNorm: true}}
	check(models+"vit_gelu/open_clip_reduced", gelu)
	check(withConfig(t, "vit_gelu/training_checkpoint_reduced.pt", "vit_gelu/open_clip_reduced/open_clip_config.json"), gelu)
	check(models+"resnet/state_dict_reduced.pt", Architecture{EmbedDim: 32, QuickGELU: true, Text: text(360, 1),
		Vision: Vision{Kind: ResNet, ImageSize: 224, Width: 16, Stages: []int{1, 1, 1, 1}, Heads: 8}})
	check(models+"xlmr_gelu", Architecture{EmbedDim: 24,
		Text:   Text{Kind: Roberta, Vocab: 500, Context: 80, Width: 32, Layers: 2, Heads: 2, MLP: 64, PadID: 1, ProjMLP: 28, NormEps: 1e-5, PoolMean: true},
		Vision: Vision{Kind: ViT, ImageSize: 64, Patch: 16, Width: 32, Layers: 2, Heads: 2, MLP: 128, PreNorm: true}})
}

// TestFormatsGiveEqualWeights: the same network in four formats has bit for bit the same weights.
func TestFormatsGiveEqualWeights(t *testing.T) {
	want := open(t, models+"vit_quickgelu/state_dict_reduced.pt")
	for _, path := range []string{"vit_quickgelu/open_clip_reduced", "vit_quickgelu/hf_reduced", "vit_quickgelu/openai_jit.pt"} {
		got := open(t, models+path)
		for name, weight := range want.byName {
			if name == "token_embedding.weight" && strings.HasSuffix(path, "jit.pt") {
				continue // it has the whole vocabulary
			}
			other := got.byName[name]
			if other == nil || !slices.Equal(other.Shape, weight.Shape) {
				t.Errorf("%s: %s is missing or has another shape", path, name)
				continue
			}
			a, b := make([]float32, weight.Len()), make([]float32, weight.Len())
			if err := weight.Floats(a); err != nil {
				t.Fatal(err)
			}
			if err := other.Floats(b); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(a, b) {
				t.Errorf("%s: %s differs", path, name)
			}
		}
		for name := range got.byName {
			if want.byName[name] == nil && !ignored(name) && !strings.HasSuffix(name, "position_ids") {
				t.Errorf("%s: %s is not in the state_dict", path, name)
			}
		}
	}
}

func TestQuickGELURules(t *testing.T) {
	yes, no := true, false
	check := func(path string, hint Hint, want bool) {
		t.Helper()
		a, err := Detect(open(t, path), hint)
		if err != nil || a.QuickGELU != want {
			t.Errorf("%s with %+v: quick GELU %v, %v", path, hint, a.QuickGELU, err)
		}
	}
	bare := withConfig(t, "vit_quickgelu/open_clip_reduced/open_clip_model.safetensors", "xlmr_gelu/text_config.json")
	check(bare, Hint{}, false)               // open_clip's default
	check(bare, Hint{QuickGELU: &yes}, true) // the name says so
	check(models+"vit_quickgelu/openai_jit.pt", Hint{QuickGELU: &no}, true)
	check(models+"vit_quickgelu/open_clip_reduced", Hint{QuickGELU: &no}, true) // the config counts
	check(models+"vit_gelu/open_clip_reduced", Hint{QuickGELU: &yes}, false)
}

func TestConfigsThatChangeTheNetworkAreRefused(t *testing.T) {
	check := func(config, want string) {
		t.Helper()
		_, err := parseConfig([]byte(config))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v; expected %q", config, err, want)
		}
	}
	check(`{"model_cfg":{"vision_cfg":{"timm_model_name":"convnext_base"}}}`, "timm_model_name")
	check(`{"model_cfg":{"vision_cfg":{"pool_type":"avg"}}}`, "pool_type")
	check(`{"model_cfg":{"text_cfg":{"no_causal_mask":true}}}`, "no_causal_mask")
	check(`{"model_cfg":{"multimodal_cfg":{}}}`, "CoCa")
	check(`{"model_cfg":{"vision_cfg":{"image_size":[224,196]}}}`, "square")
	check(`{"model_cfg":{"vision_cfg":{"head_width":-1}}}`, "negative")
	check(`{"model_cfg":{"vision_cfg":{"head_width":"x"}}}`, "head_width")
	check(`{"vision_config":{"hidden_act":"relu"}}`, "relu")
	check(`{"vision_config":{"hidden_act":"gelu"}}`, "different activations")
	check(`{"vision_config":{"layer_norm_eps":1e-6}}`, "layer_norm_eps")
	check(`[1]`, "no JSON object")
	if _, err := parseConfig([]byte(`{"model_cfg":{"vision_cfg":{"pool_type":"tok","no_ln_pre":false,"attentional_pool":null}}}`)); err != nil {
		t.Errorf("harmless settings are refused: %v", err)
	}
}

func TestTakeNamesWhatIsWrong(t *testing.T) {
	w := open(t, models+"vit_gelu/open_clip_reduced")
	if _, err := w.Take("visual.proj", 48, 41); err == nil || !strings.Contains(err.Error(), "[48 40]") || !strings.Contains(err.Error(), "offset") {
		t.Errorf("wrong shape: %v", err)
	}
	if _, err := w.Take("visual.nothing", 1); err == nil || !strings.Contains(err.Error(), "visual.nothing") {
		t.Errorf("missing tensor: %v", err)
	}
	if n := len(w.Unused()); n != 61 { // all but logit_scale
		t.Errorf("%d tensors are unused before any was taken", n)
	}
	if _, err := w.Take("visual.proj", 48, 40); err != nil || len(w.Unused()) != 60 {
		t.Errorf("after taking one %d are unused, %v", len(w.Unused()), err)
	}
}

func TestValidateRefusesImpossibleSizes(t *testing.T) {
	a, err := Detect(open(t, models+"vit_gelu/open_clip_reduced"), Hint{})
	if err != nil {
		t.Fatal(err)
	}
	check := func(change func(*Architecture)) {
		t.Helper()
		b := a
		change(&b)
		if b.Validate() == nil {
			t.Errorf("%+v was accepted", b)
		}
	}
	check(func(a *Architecture) { a.Vision.Heads = 0 })
	check(func(a *Architecture) { a.Vision.Heads = 5 })
	check(func(a *Architecture) { a.Text.Heads = 3 })
	check(func(a *Architecture) { a.Text.Layers = 0 })
	check(func(a *Architecture) { a.Vision.Patch = 65 })
	check(func(a *Architecture) { a.EmbedDim = 1 << 20 })
}

func TestTranspose(t *testing.T) {
	const rows, columns = 37, 70
	src, dst := make([]float32, rows*columns), make([]float32, rows*columns)
	for i := range src {
		src[i] = float32(i)
	}
	Transpose(dst, src, rows, columns)
	for r := range rows {
		for c := range columns {
			if dst[c*rows+r] != src[r*columns+c] {
				t.Fatalf("element %d,%d is %v", r, c, dst[c*rows+r])
			}
		}
	}
}
