package tokenizer

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"
)

// checkIDs checks what holds for the ids of every text.
func checkIDs(t *testing.T, tok *Tokenizer, text string, contextLength int, ids []int32) {
	t.Helper()
	short := text[:min(len(text), 60)]
	if len(ids) < min(contextLength, 2) || len(ids) > contextLength {
		t.Errorf("%q gives %d ids, want 2 to %d", short, len(ids), contextLength)
		return
	}
	if contextLength >= 2 && ids[0] != tok.Start() {
		t.Errorf("first id of %q is %d, want %d", short, ids[0], tok.Start())
	}
	if contextLength >= 1 && ids[len(ids)-1] != tok.End() {
		t.Errorf("last id of %q is %d, want %d", short, ids[len(ids)-1], tok.End())
	}
	for _, id := range ids {
		if id < 0 || int(id) >= tok.VocabSize() {
			t.Errorf("%q gives id %d, want less than %d", short, id, tok.VocabSize())
		}
	}
}

func TestContextLength(t *testing.T) {
	tok := newCLIP(t)
	start, end := tok.Start(), tok.End()
	check := func(contextLength int, want ...int32) {
		t.Helper()
		for _, text := range []string{"a photo", "á photo", "A\x01 photo"} {
			full := tok.Append(nil, text, clipContext)
			want := slices.Clone(want)
			for i, id := range want {
				if id == -1 {
					want[i] = full[i]
				}
			}
			if got := tok.Append([]int32{7}, text, contextLength); !slices.Equal(got[1:], want) || got[0] != 7 {
				t.Errorf("%q in %d ids after [7] is %v, want %v", text, contextLength, got, want)
			}
		}
	}
	check(-1)
	check(0)
	check(1, end)
	check(2, start, end)
	check(3, start, -1, end)
	check(4, start, -1, -1, end)
}

func TestMarkersInText(t *testing.T) {
	tok := newCLIP(t)
	start, end := tok.Start(), tok.End()
	a := tok.Append(nil, "a", clipContext)[1]
	check := func(text string, want ...int32) {
		t.Helper()
		if got := tok.Append(nil, text, clipContext); !slices.Equal(got[1:len(got)-1], want) {
			t.Errorf("%q gives %v, want %v", text, got, want)
		}
	}
	check("<|startoftext|>", start)
	check("a<|EndOfText|>a", a, end, a)
	check("a&lt;|endoftext|&gt;a\u3000", a, end, a)
	check("\u3000<|startoftext|><|endoftext|>", start, end)
}

// TestCutVocabulary compares a vocabulary without merges and one with a few to what they must give.
func TestCutVocabulary(t *testing.T) {
	check := func(vocabSize int, text string, want ...int32) {
		t.Helper()
		tok, err := New(vocabSize)
		if err != nil {
			t.Fatal(err)
		}
		if tok.VocabSize() != vocabSize || tok.End() != int32(vocabSize)-1 || tok.Start() != int32(vocabSize)-2 {
			t.Errorf("vocabulary of %d: size %d, markers %d and %d", vocabSize, tok.VocabSize(), tok.Start(), tok.End())
		}
		if got := tok.Append(nil, text, clipContext); !slices.Equal(got[1:len(got)-1], want) {
			t.Errorf("vocabulary of %d: %q gives %v, want %v", vocabSize, text, got, want)
		}
		for _, id := range tok.Append(nil, strings.Repeat(text, 50), clipContext) {
			if int(id) >= vocabSize {
				t.Errorf("vocabulary of %d: %q gives id %d", vocabSize, text, id)
			}
		}
	}
	// Byte symbols: "!" is 0, so "t" is 83, "h" 71, "e" 68; at the end of a word 256 more. Merges in order: "i n", "t h".
	check(514, "The", 83, 71, 68+256)
	check(515, "The", 83, 71, 68+256)
	check(516, "The", 513, 68+256)
	check(516, "in", 72, 77+256)
	check(516, "inn", 512, 77+256)
	check(514, "<|endoftext|>", 513)
}

func TestVocabularySizes(t *testing.T) {
	for _, size := range []int{-1, 0, 513, 49409, 1 << 20} {
		if tok, err := New(size); err == nil {
			t.Errorf("New(%d) = %v, want an error", size, tok)
		} else if !strings.Contains(err.Error(), "514 to 49408") {
			t.Errorf("New(%d): %q does not say what would be right", size, err)
		}
	}
}

// TestMergesRiseInRank checks what the encoder relies on: a merge's symbols are older than the merge.
func TestMergesRiseInRank(t *testing.T) {
	v, err := readVocabulary()
	if err != nil {
		t.Fatal(err)
	}
	if len(v.merges) != maxMerges {
		t.Fatalf("%d merges, want %d", len(v.merges), maxMerges)
	}
	for i, m := range v.merges {
		if int(m.left) >= byteSymbols+i || int(m.right) >= byteSymbols+i {
			t.Errorf("merge %d joins %d and %d", i, m.left, m.right)
		}
	}
}

// TestShortAndLongMerges compares the two ways to merge.
func TestShortAndLongMerges(t *testing.T) {
	tok := newCLIP(t)
	for _, g := range readGolden[goldenString](t, "strings.jsonl.gz") {
		for _, piece := range strings.Fields(Clean(g.Text)) {
			piece = piece[:min(len(piece), maxShortPiece)]
			for _, cut := range []bool{false, true} {
				short := tok.encoder.appendIDs(nil, piece, cut, len(piece))
				long := tok.encoder.appendLong(nil, piece, cut, len(piece))
				if !slices.Equal(short, long) {
					t.Errorf("%q (cut %v): short way %v, long way %v", piece, cut, short, long)
				}
			}
		}
	}
}

func TestInvalidUTF8(t *testing.T) {
	tok := newCLIP(t)
	check := func(text, valid string) {
		t.Helper()
		if got, want := tok.Append(nil, text, clipContext), tok.Append(nil, valid, clipContext); !slices.Equal(got, want) {
			t.Errorf("%q gives %v, want %v as %q", text, got, want, valid)
		}
		if got, want := Clean(text), Clean(valid); got != want || !utf8.ValidString(got) {
			t.Errorf("%q is clean %q, want %q", text, got, want)
		}
	}
	check("\xFF", "\uFFFD")
	check("a\xC3 cat", "a\uFFFD cat")
	check("\xED\xA0\x80", "\uFFFD\uFFFD\uFFFD")
	check("cat\x80", "cat\uFFFD")
}

// TestConcurrentUse encodes the same texts in several goroutines, with few enough places in the cache that they contend.
func TestConcurrentUse(t *testing.T) {
	tok := newCLIP(t)
	golden := readGolden[goldenString](t, "strings.jsonl.gz")
	var group sync.WaitGroup
	for worker := range 4 {
		group.Go(func() {
			var ids []int32
			for i := range golden {
				g := golden[(i*(2*worker+1)+worker)%len(golden)]
				if ids = tok.Append(ids[:0], g.Text, clipContext); !slices.Equal(ids, g.IDs) {
					t.Errorf("ids of %q are %v, want %v", g.Text, ids, g.IDs)
				}
			}
		})
	}
	group.Wait()
}

func TestNoAllocations(t *testing.T) {
	tok := newCLIP(t)
	check := func(text string) {
		t.Helper()
		ids := tok.Append(nil, text, clipContext)
		if n := testing.AllocsPerRun(50, func() { ids = tok.Append(ids[:0], text, clipContext) }); n >= 1 {
			t.Errorf("%q: %v allocations", text, n)
		}
	}
	check("A photo of a cat, sitting on the sofa. It's 3 o'clock!")
	if raceEnabled {
		return // sync.Pool drops buffers at random
	}
	check("une femme prend son petit déjeuner dans un café")
	check("一只猫坐在沙发上")
}
