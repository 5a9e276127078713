package tokenizer

import (
	"slices"
	"strings"
	"testing"
)

type hostileText struct {
	name, text string
}

// hostileTexts are long texts that cost much if something is not bounded.
func hostileTexts() []hostileText {
	const mega = 1 << 20
	fill := func(unit string, size int) string { return strings.Repeat(unit, size/len(unit)) }
	return []hostileText{
		{"words", fill("a photo of a cat ", 10*mega)},
		{"lines", fill("é\n", 10*mega)},
		{"blank_lines", fill("\u3000\n", 4*mega)},
		{"word", fill("qwertyuiopasdfgh", mega)},
		{"one_letter", fill("a", mega)},
		{"capitals", fill("XyZ", mega)},
		{"symbols", fill("!?#", mega)},
		{"letters_above_ASCII", fill("ж", mega)},
		{"spaces", fill(" ", 10*mega)},
		{"digits_after_accent", "é" + fill("1", mega)},
		{"nested_references", "&" + fill("amp;", mega)},
		{"nested_lines", fill("&"+fill("amp;", 4096)+"#1;\n", mega)},
		{"open_references", fill("&", mega)},
		{"reference_names", fill("&CounterClockwiseContourIntegra", mega)},
		{"long_number", "&#" + fill("9", mega) + ";"},
		{"mojibake", fill("Ã©", mega)},
		{"deep_mojibake", fill("ÃƒÂƒÃ‚Â©", mega)},
		{"mixed_mojibake", fill("Ã©日本 рÐ°", mega)},
		{"marks", "a" + fill("\u0323\u0301\u0316", mega)},
		{"sigmas", fill("Σ'", mega)},
		{"lost_line_feeds", fill("Ã©À\n", mega)},
		{"escapes", fill("\x1B[0", mega)},
		{"not_UTF-8", fill("\xFF\xC3", mega)},
	}
}

// TestHostile checks that long texts end, in as many ids as asked for, with the work that they are allowed.
func TestHostile(t *testing.T) {
	tok := newCLIP(t)
	for _, h := range hostileTexts() {
		checkIDs(t, tok, h.text, clipContext, tok.Append(nil, h.text, clipContext))
	}
}

// TestLongPieceSteps counts the merges queued for a long piece: they grow with its length, not with its square.
func TestLongPieceSteps(t *testing.T) {
	tok := newCLIP(t)
	for _, unit := range []string{"a", "ab", "qwertyuiopasdfgh", "thethe", "!"} {
		piece := strings.Repeat(unit, 1<<17/len(unit))
		queued := tok.encoder.mergeLong(piece, false).queued
		if queued > 3*len(piece) {
			t.Errorf("%d merges queued for %d bytes of %q, want at most three for each", queued, len(piece), unit)
		}
	}
}

// TestPrefixDecides checks that the ids of a very long piece, of which only a start is merged, are those of the whole.
func TestPrefixDecides(t *testing.T) {
	tok := newCLIP(t)
	check := func(unit string) {
		t.Helper()
		piece := strings.Repeat(unit, (4*farthestMerge)/len(unit))
		whole := tok.encoder.appendIDs(nil, piece, false, len(piece))
		got := tok.appendPiece(nil, piece, clipContext)
		want := appendInt32(nil, whole, clipContext)
		if !slices.Equal(got, want) {
			t.Errorf("start of %q... gives %v, want %v", unit, got, want)
		}
	}
	check("a")
	check("ab")
	check("aab")
	check("qwertyuiopasdfgh")
	check("antidisestablishmentarianism")
	check("!")
	check("?!")
	check("日本語")
	check("ж")
}

// TestCutReach measures how far from a cut the ids differ from those of the whole piece, against what is allowed for.
func TestCutReach(t *testing.T) {
	tok := newCLIP(t)
	texts := readGolden[goldenString](t, "strings.jsonl.gz")
	farthest := 0
	for _, unit := range []string{"a", "ab", "thein", "ation", "hahaha", "w", "lololo"} {
		texts = append(texts, goldenString{Text: strings.Repeat(unit, 400)})
	}
	for _, g := range texts {
		piece := strings.ReplaceAll(Clean(g.Text), " ", "")
		if piece == "" {
			continue
		}
		whole := tok.encoder.appendIDs(nil, piece, false, len(piece))
		for cut := 1; cut < len(piece); cut += 1 + len(piece)/50 {
			part := tok.encoder.appendIDs(nil, piece[:cut], true, cut)
			same := 0
			for same < len(part) && same < len(whole) && part[same] == whole[same] {
				same++
			}
			farthest = max(farthest, len(part)-same)
		}
	}
	t.Logf("a cut changes at most %d ids before it", farthest)
	if farthest*tok.longest*16 > farthestMerge {
		t.Errorf("a cut changed %d ids before it: farthestMerge of %d bytes is too near", farthest, farthestMerge)
	}
}
