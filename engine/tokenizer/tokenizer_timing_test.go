package tokenizer

import (
	"strings"
	"sync/atomic"
	"testing"
)

// goldenTexts returns the golden texts of lines [first, end).
func goldenTexts(b *testing.B, first, end int) []string {
	b.Helper()
	var texts []string
	for _, g := range readGolden[goldenString](b, "strings.jsonl.gz")[first:end] {
		texts = append(texts, g.Text)
	}
	return texts
}

// benchmarkTexts measures one text an operation.
func benchmarkTexts(b *testing.B, texts []string) {
	tok := newCLIP(b)
	size := 0
	for _, text := range texts {
		size += len(text)
	}
	b.SetBytes(int64(size / len(texts)))
	b.ReportAllocs()
	var ids []int32
	for i := 0; b.Loop(); i++ {
		ids = tok.Append(ids[:0], texts[i%len(texts)], clipContext)
	}
}

// Line numbers of the categories in the golden file.

func BenchmarkCaptions(b *testing.B)  { benchmarkTexts(b, goldenTexts(b, 756, 1176)) }
func BenchmarkLanguages(b *testing.B) { benchmarkTexts(b, goldenTexts(b, 1996, 2296)) }
func BenchmarkMojibake(b *testing.B)  { benchmarkTexts(b, goldenTexts(b, 2586, 2846)) }
func BenchmarkAll(b *testing.B)       { benchmarkTexts(b, goldenTexts(b, 0, 3666)) }

// BenchmarkAccented is a caption that must be cleaned and comes out the same.
func BenchmarkAccented(b *testing.B) {
	benchmarkTexts(b, []string{"une femme prend son petit déjeuner dans un café près de la fenêtre"})
}

// BenchmarkUncached merges words that are never met twice.
func BenchmarkUncached(b *testing.B) {
	var texts []string
	for i := range 1 << 16 {
		texts = append(texts, strings.Map(func(r rune) rune { return 'a' + r%26 }, string([]rune{
			rune(i), rune(i >> 4), rune(i >> 8), rune(i >> 12), rune(i * 7), rune(i * 31 >> 5), rune(i * 131 >> 9)})))
	}
	benchmarkTexts(b, texts)
}

func BenchmarkParallel(b *testing.B) {
	tok := newCLIP(b)
	texts := goldenTexts(b, 756, 1176)
	var next atomic.Int64
	b.RunParallel(func(pb *testing.PB) {
		var ids []int32
		for i := int(next.Add(101)); pb.Next(); i++ {
			ids = tok.Append(ids[:0], texts[i%len(texts)], clipContext)
		}
	})
}

func BenchmarkNew(b *testing.B) {
	for b.Loop() {
		newCLIP(b)
	}
}

func BenchmarkReadVocabulary(b *testing.B) {
	for b.Loop() {
		if _, err := parseEmbedded(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkHostile are texts of about 1 MiB that cost the most for their size.
func BenchmarkHostile(b *testing.B) {
	for _, h := range hostileTexts(1 << 20) {
		b.Run(h.name, func(b *testing.B) { benchmarkTexts(b, []string{h.text}) })
	}
}
