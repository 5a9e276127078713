package tokenizer

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"clipd/engine/tokenizer/ftfy"
)

const (
	clipVocabulary = 49408
	clipContext    = 77
)

// goldenString is a text with the ids that the reference gives.
type goldenString struct {
	Text string
	IDs  []int32
}

// goldenStage is a text of the same line after ftfy and after all cleaning; both are missing for long texts.
type goldenStage struct {
	FTFY  *string
	Clean *string
}

// readGolden reads a file of testdata, one JSON value a line, gzipped.
func readGolden[T any](t testing.TB, name string) []T {
	t.Helper()
	file, err := os.Open(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	unzipped, err := gzip.NewReader(bufio.NewReader(file))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	var all []T
	decoder := json.NewDecoder(unzipped)
	for decoder.More() {
		var one T
		if err := decoder.Decode(&one); err != nil {
			t.Fatalf("%s, value %d: %v", name, len(all), err)
		}
		all = append(all, one)
	}
	return all
}

func newCLIP(t testing.TB) *Tokenizer {
	t.Helper()
	tok, err := New(clipVocabulary)
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

func TestGoldenIDs(t *testing.T) {
	golden := readGolden[goldenString](t, "strings.jsonl.gz")
	if len(golden) != 3666 {
		t.Fatalf("%d golden texts, want 3666", len(golden))
	}
	tok := newCLIP(t)
	for round := range 2 { // the second one with a warm cache
		for line, g := range golden {
			if got := tok.Append(nil, g.Text, clipContext); !slices.Equal(got, g.IDs) {
				t.Errorf("round %d, line %d: ids of %q are\n%v, want\n%v", round, line+1, g.Text, got, g.IDs)
			}
		}
	}
}

// TestGoldenCleaned sends every text the long way, also those that need no cleaning.
func TestGoldenCleaned(t *testing.T) {
	tok := newCLIP(t)
	for line, g := range readGolden[goldenString](t, "strings.jsonl.gz") {
		got := []int32{tok.Start()}
		got = tok.appendCleaned(got, g.Text, clipContext-1)
		got = append(got, tok.End())
		if !slices.Equal(got, g.IDs) {
			t.Errorf("line %d: ids of %q are\n%v, want\n%v", line+1, g.Text, got, g.IDs)
		}
	}
}

func TestGoldenStages(t *testing.T) {
	texts := readGolden[goldenString](t, "strings.jsonl.gz")
	stages := readGolden[goldenStage](t, "stages.jsonl.gz")
	if len(texts) != len(stages) {
		t.Fatalf("%d texts and %d stages", len(texts), len(stages))
	}
	checked := 0
	for line, stage := range stages {
		if stage.FTFY == nil || stage.Clean == nil {
			continue
		}
		checked++
		if got := ftfy.Fix(texts[line].Text); got != *stage.FTFY {
			t.Errorf("line %d: %q repaired is\n%q, want\n%q", line+1, texts[line].Text, got, *stage.FTFY)
		}
		if got := Clean(texts[line].Text); got != *stage.Clean {
			t.Errorf("line %d: %q clean is\n%q, want\n%q", line+1, texts[line].Text, got, *stage.Clean)
		}
	}
	if checked < 3600 {
		t.Errorf("only %d texts have stages", checked)
	}
}

// TestGoldenNewUnicode encodes characters newer than Unicode 14.0, whose ids depend on the tables of the reference. Other ids
// are told of, and no failure.
func TestGoldenNewUnicode(t *testing.T) {
	tok := newCLIP(t)
	for line, g := range readGolden[goldenString](t, "unicode_new.jsonl.gz") {
		got := tok.Append(nil, g.Text, clipContext)
		checkIDs(t, tok, g.Text, clipContext, got)
		if !slices.Equal(got, g.IDs) {
			t.Logf("line %d: ids of %q are\n%v, the reference's\n%v", line+1, g.Text, got, g.IDs)
		}
	}
}
