package tokenizer

import (
	"slices"
	"strings"
	"testing"
)

type hostileText struct {
	name, text string
}

// hostileTexts are texts of about size bytes that cost much if something is not bounded.
func hostileTexts(size int) []hostileText {
	fill := func(unit string, size int) string { return strings.Repeat(unit, size/len(unit)) }
	return []hostileText{
		{"words", fill("a photo of a cat ", size)},
		{"lines", fill("é\n", size)},
		{"blank_lines", fill("\u3000\n", size)},
		{"word", fill("qwertyuiopasdfgh", size)},
		{"one_letter", fill("a", size)},
		{"capitals", fill("XyZ", size)},
		{"symbols", fill("!?#", size)},
		{"letters_above_ASCII", fill("ж", size)},
		{"spaces", fill(" ", size)},
		{"digits_after_accent", "é" + fill("1", size)},
		{"nested_references", "&" + fill("amp;", size)},
		{"nested_lines", fill("&"+fill("amp;", 4096)+"#1;\n", size)},
		{"open_references", fill("&", size)},
		{"reference_names", fill("&CounterClockwiseContourIntegra", size)},
		{"long_number", "&#" + fill("9", size) + ";"},
		{"mojibake", fill("Ã©", size)},
		{"deep_mojibake", fill("ÃƒÂƒÃ‚Â©", size)},
		{"mixed_mojibake", fill("Ã©日本 рÐ°", size)},
		{"marks", "a" + fill("\u0323\u0301\u0316", size)},
		{"sigmas", fill("Σ'", size)},
		{"lost_line_feeds", fill("Ã©À\n", size)},
		{"escapes", fill("\x1B[0", size)},
		{"not_UTF-8", fill("\xFF\xC3", size)},
	}
}

// TestHostile checks that long texts end, in no more ids than asked for.
func TestHostile(t *testing.T) {
	tok := newCLIP(t)
	for _, h := range hostileTexts(farthestMerge + farthestMerge/4) {
		checkIDs(t, tok, h.text, clipContext, tok.Append(nil, h.text, clipContext))
	}
}

// TestStopsEarly checks that no more of a text is read than its ids need.
func TestStopsEarly(t *testing.T) {
	tok := newCLIP(t)
	if _, ok := tok.appendPlain(nil, "a cat on a mat \x00", 5); !ok {
		t.Error("a plain text is read on after its last id")
	}
	if _, ok := tok.appendPlain(nil, "a cat on a mat\x00", 5); ok {
		t.Error("what stands right behind a piece is not looked at")
	}
	const total = 10_000
	lines := newLines(strings.Repeat("café au lait\n", total))
	tok.appendLines(nil, &lines, clipContext)
	left := 0
	for _, ok := lines.next(); ok; _, ok = lines.next() {
		left++
	}
	if most := clipContext / 3; total-left > most || left == 0 {
		t.Errorf("%d of %d lines are read for %d ids, want at most %d", total-left, total, clipContext, most)
	}
}

// TestLongPieceSteps counts the merges queued for a long piece: they grow with its length, not with its square.
func TestLongPieceSteps(t *testing.T) {
	tok := newCLIP(t)
	for _, unit := range []string{"a", "ab", "qwertyuiopasdfgh", "thethe", "!"} {
		piece := strings.Repeat(unit, 1<<15/len(unit))
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
		piece := strings.Repeat(unit, (farthestMerge+8192)/len(unit))
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
	check("?!")
	check("ж")
}

// TestCutReach measures how far from a cut the ids differ from those of the whole piece, against what is allowed for.
func TestCutReach(t *testing.T) {
	tok := newCLIP(t)
	texts := readGolden[goldenString](t, "strings.jsonl.gz")
	farthest := 0
	for _, unit := range []string{"a", "ab", "thein", "ation", "hahaha", "w", "lololo"} {
		texts = append(texts, goldenString{Text: strings.Repeat(unit, 100)})
	}
	for _, g := range texts {
		piece := strings.ReplaceAll(Clean(g.Text), " ", "")
		if piece == "" {
			continue
		}
		whole := tok.encoder.appendIDs(nil, piece, false, len(piece))
		for cut := 1; cut < len(piece); cut += 1 + len(piece)/16 {
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
