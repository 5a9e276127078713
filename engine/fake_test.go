package engine

import (
	"errors"
	"math"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// testDim is the width of the fakes' embeddings: [sum of the row, marker, rows of the batch, length of the row].
const testDim = 4

// poison is a token that a fakeLane cannot stand; nan one that makes it answer NaN.
const (
	poison = 666
	nan    = 777
)

// fakeLane is a scripted runtime. It answers rows that can be recomputed from their input, so that a mix-up shows.
type fakeLane struct {
	mu      sync.Mutex
	batches []int                 // rows of each batch, in order
	lengths []int                 // text: length of the rows of each batch
	gate    chan struct{}         // when set, each batch waits for one receive
	begun   chan int              // when set, gets the rows of each batch as it begins
	took    time.Duration         // of each batch
	each    time.Duration         // of each row, beside that
	script  func(batch int) error // when set, says what becomes of each batch; it may panic, sleep or hang
	hang    chan struct{}         // what a batch with a sick token waits for
	closed  bool
}

// sick is a token that makes a fakeLane hang for ever, as a fake lane may: until the end of the test.
const sick = 888

func (f *fakeLane) begin(rows, length int) error {
	f.mu.Lock()
	n := len(f.batches)
	f.batches = append(f.batches, rows)
	f.lengths = append(f.lengths, length)
	f.mu.Unlock()
	if f.begun != nil {
		f.begun <- rows
	}
	if f.gate != nil {
		<-f.gate
	}
	time.Sleep(f.took + time.Duration(rows)*f.each)
	if f.script != nil {
		return f.script(n)
	}
	return nil
}

// count returns how many batches the lane was given.
func (f *fakeLane) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.batches)
}

// rowsOf reads the texts of a batch back, as a runtime sees them: those of a packed one without padding. It panics when the
// batch is not what TextBatch says.
func rowsOf(t TextBatch) (rows [][]int32) {
	if t.Packing == nil {
		for r := range t.Rows {
			rows = append(rows, t.IDs[r*t.Length:(r+1)*t.Length])
		}
		return rows
	}
	p := t.Packing
	if len(t.IDs)%t.Length != 0 || len(p.Positions) != len(t.IDs) || len(p.Segments) != len(t.IDs) || len(p.Ends) != t.Rows {
		panic("a packed batch of wrong sizes")
	}
	for _, end := range p.Ends {
		begin := end - p.Positions[end]
		for i := begin; i <= end; i++ {
			if p.Positions[i] != i-begin || p.Segments[i] != p.Segments[end] || p.Segments[i] < 0 || int(i)/t.Length != int(end)/t.Length {
				panic("a text does not lie in one piece")
			}
		}
		if before := begin - 1; before >= 0 && int(before)/t.Length == int(end)/t.Length && p.Segments[before] == p.Segments[end] {
			panic("a text sees another one")
		}
		rows = append(rows, t.IDs[begin:end+1])
	}
	return rows
}

func (f *fakeLane) RunTexts(t TextBatch, out []float32) error {
	rows := rowsOf(t)
	distinct := len(rows) // some at the end may repeat the last one
	if t.Packing != nil {
		for distinct > 1 && t.Packing.Ends[distinct-1] == t.Packing.Ends[distinct-2] {
			distinct--
		}
	}
	if err := f.begin(distinct, t.Length); err != nil {
		return err
	}
	if f.hang != nil && slices.Contains(t.IDs, sick) {
		<-f.hang
	}
	for r, row := range rows {
		sum := 0
		for _, id := range row {
			if id == poison {
				return errors.New("poisonous row")
			}
			sum += int(id)
		}
		copy(out[r*testDim:], []float32{float32(sum), 1, float32(distinct), float32(len(row))})
		for _, id := range row {
			if id == nan {
				out[r*testDim] = float32(math.NaN())
			}
		}
	}
	return nil
}

func (f *fakeLane) RunImages(pixels []byte, rows, size int, out []float32) error {
	if err := f.begin(rows, size); err != nil {
		return err
	}
	n := size * size * 3
	for r := range rows {
		sum := 0
		for _, p := range pixels[r*n : (r+1)*n] {
			sum += int(p)
		}
		copy(out[r*testDim:], []float32{float32(sum), 2, float32(rows), float32(size)})
	}
	return nil
}

func (f *fakeLane) Close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
}

// endToken is the end marker of runes, larger than any character.
const endToken = 1 << 21

// runes is a tokenizer whose tokens are the characters of the text between the markers 1 and endToken.
type runes struct{}

func (runes) Append(dst []int32, text string, contextLength int) []int32 {
	first := len(dst)
	dst = append(dst, 1)
	for _, r := range text {
		dst = append(dst, r)
	}
	if len(dst)-first > contextLength-1 {
		dst = dst[:first+contextLength-1]
	}
	return append(dst, endToken)
}

func textSum(s string) float32 {
	sum := 0
	for _, id := range (runes{}).Append(nil, s, 77) {
		sum += int(id)
	}
	return float32(sum)
}

func text(s string) Input { return Input{Tower: TextTower, Text: s} }

// square is a size×size gray picture of one value; fakeLane answers 3·size²·value.
func square(size int, value byte) Input {
	data := make([]byte, size*size)
	for i := range data {
		data[i] = value
	}
	return Input{Tower: ImageTower, Pixels: &Pixels{Height: size, Width: size, Channels: 1, Data: data}}
}

var testSpec = Spec{Name: "fake", Dim: testDim, ImageSize: 8, ContextLength: 77, LogitScale: 100}

// bothForms runs a test on a model that pads texts and on one that packs them.
func bothForms(t *testing.T, test func(*testing.T, Spec)) {
	for name, packs := range map[string]bool{"padded": false, "packed": true} {
		spec := testSpec
		spec.Packs = packs
		t.Run(name, func(t *testing.T) { synctest.Test(t, func(t *testing.T) { test(t, spec) }) })
	}
}
