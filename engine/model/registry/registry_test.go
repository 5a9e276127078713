package registry

import (
	"strings"
	"testing"
)

func TestFindKnowsEverySpelling(t *testing.T) {
	check := func(name, want string) {
		t.Helper()
		c, err := Find(name)
		if err != nil || c.Name != want {
			t.Errorf("Find(%q) = %v, %v; expected %s", name, c, err, want)
		}
	}
	check("ViT-B-32::openai", "ViT-B-32::openai")
	check("ViT-B/32", "ViT-B-32::openai")
	check("vit-b-32", "ViT-B-32::openai")
	check("ViT-B/16", "ViT-B-16::openai")
	check("ViT-L/14", "ViT-L-14::openai")
	check("ViT-L/14@336px", "ViT-L-14-336::openai")
	check("RN50", "RN50::openai")
	check("RN50x64", "RN50x64::openai")
	check("ViT-B-32::laion2b-s34b-b79k", "ViT-B-32::laion2b_s34b_b79k")
	check("ViT-H-14::laion2b-s32b-b79k", "ViT-H-14::laion2b_s32b_b79k")
	check("M-CLIP/LABSE-Vit-L-14", "M-CLIP/LABSE-Vit-L-14")
	check("CN-CLIP/RN50", "CN-CLIP/RN50")
}

// TestEveryNameOfClipServer: the names that its documentation lists are either loadable or refused with a reason.
func TestEveryNameOfClipServer(t *testing.T) {
	for _, name := range strings.Fields(`RN50::openai RN50::yfcc15m RN50::cc12m RN101::openai RN101::yfcc15m RN50x4::openai RN50x16::openai
		RN50x64::openai ViT-B-32::openai ViT-B-32::laion2b_e16 ViT-B-32::laion400m_e31 ViT-B-32::laion400m_e32 ViT-B-32::laion2b-s34b-b79k
		ViT-B-16::openai ViT-B-16::laion400m_e31 ViT-B-16::laion400m_e32 ViT-B-16-plus-240::laion400m_e31 ViT-B-16-plus-240::laion400m_e32
		ViT-L-14::openai ViT-L-14::laion400m_e31 ViT-L-14::laion400m_e32 ViT-L-14::laion2b-s32b-b82k ViT-L-14-336::openai
		ViT-H-14::laion2b-s32b-b79k ViT-g-14::laion2b-s12b-b42k RN50 RN101 RN50x4 RN50x16 RN50x64 ViT-B/32 ViT-B/16 ViT-L/14 ViT-L/14@336px`) {
		c, err := Find(name)
		if err != nil {
			t.Error(err)
			continue
		}
		if c.Unsupported != "" || c.File == "" || len(c.MD5) != 32 {
			t.Errorf("%s: %+v", name, c)
		}
	}
	for _, name := range strings.Fields(`M-CLIP/XLM-Roberta-Large-Vit-B-32 M-CLIP/XLM-Roberta-Large-Vit-L-14 M-CLIP/XLM-Roberta-Large-Vit-B-16Plus
		M-CLIP/LABSE-Vit-L-14 CN-CLIP/ViT-B-16 CN-CLIP/ViT-H-14 roberta-ViT-B-32::laion2b-s12b-b32k xlm-roberta-base-ViT-B-32::laion5b-s13b-b90k`) {
		if c, err := Find(name); err != nil || c.Unsupported == "" {
			t.Errorf("%s: %+v, %v; expected a reason why it is not supported", name, c, err)
		}
	}
}

func TestUnknownNamesAreAnsweredWithTheNearest(t *testing.T) {
	check := func(name, near string) {
		t.Helper()
		_, err := Find(name)
		if err == nil || !strings.Contains(err.Error(), near) || !strings.Contains(err.Error(), name) {
			t.Errorf("Find(%q): %v; expected %s", name, err, near)
		}
	}
	check("ViT-B-32::opnai", "ViT-B-32::openai")
	check("ViT-L14", "ViT-L-14::openai")
	check("RN51", "RN50::openai")
	check(strings.Repeat("x", 10000), "::")
	check("", "::")
}

func TestFacts(t *testing.T) {
	b32, _ := Find("ViT-B/32")
	if !b32.QuickGELU || b32.Mean != nil || b32.ResizeMode != "" {
		t.Errorf("OpenAI's ViT-B/32: %+v", b32)
	}
	s := b32.Sources()
	if s[0].MD5 != "3ba34e387b24dfe590eeb1ae6a8a122b" || s[0].File != "ViT-B-32.pt" || !strings.HasSuffix(s[0].URL, "/models/torch/ViT-B-32.pt") {
		t.Errorf("first source %+v", s[0])
	}
	if s[1].SHA256 != "40d365715913c9da98579312b702a82c18be219cc2a73407c4526f58eba950af" {
		t.Errorf("second source %+v", s[1])
	}
	l14, _ := Find("ViT-L-14::laion2b_s32b_b82k")
	if l14.QuickGELU || *l14.Mean != [3]float32{0.5, 0.5, 0.5} || *l14.Std != [3]float32{0.5, 0.5, 0.5} {
		t.Errorf("LAION's ViT-L-14: %+v", l14)
	}
	h14, _ := Find("ViT-H-14::laion2b_s32b_b79k")
	if h14.HeadWidth() != 80 {
		t.Errorf("ViT-H-14 has heads of %d columns", h14.HeadWidth())
	}
	if _, a, err := FindArchitecture("vit-l/14"); err != nil || a.Vision.Width != 1024 {
		t.Errorf("architecture ViT-L/14: %+v, %v", a, err)
	}
	if _, _, err := FindArchitecture("ViT-X"); err == nil || !strings.Contains(err.Error(), "ViT-B-32") {
		t.Errorf("architecture ViT-X: %v", err)
	}
	if n := len(Names()); n < 90 {
		t.Errorf("only %d names", n)
	}
	for _, name := range Names() {
		c, err := Find(name)
		if err != nil || len(c.Sources()) == 0 {
			t.Errorf("%s cannot be fetched: %v", name, err)
		}
	}
}

func TestDistance(t *testing.T) {
	check := func(a, b string, want int) {
		t.Helper()
		if got := distance(a, b); got != want {
			t.Errorf("distance(%q, %q) = %d, expected %d", a, b, got, want)
		}
	}
	check("", "abc", 3)
	check("kitten", "sitting", 3)
	check("flaw", "lawn", 2)
	check("same", "same", 0)
}
