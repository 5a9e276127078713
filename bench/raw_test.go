package bench

import (
	"errors"
	"math"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"clipd/engine"
	"clipd/engine/model"
	"clipd/engine/tokenizer"
)

// scriptedLane takes a millisecond for each row and checks what it is given.
type scriptedLane struct {
	t      *testing.T
	rows   atomic.Int64
	tokens atomic.Int64
	err    error
}

func (l *scriptedLane) RunTexts(b engine.TextBatch, out []float32) error {
	rows, length := b.Rows, b.Length
	if len(b.IDs) != rows*length || len(out) != rows*4 {
		l.t.Errorf("%d ids and %d values for %d rows of %d", len(b.IDs), len(out), rows, length)
	}
	for r := range rows {
		if b.IDs[r*length] != 49406 {
			l.t.Errorf("row %d does not begin with the start token", r)
		}
	}
	return l.done(rows, length)
}

func (l *scriptedLane) RunImages(pixels []byte, rows, size int, out []float32) error {
	if len(pixels) != rows*size*size*3 || len(out) != rows*4 {
		l.t.Errorf("%d bytes and %d values for %d rows of %d×%d", len(pixels), len(out), rows, size, size)
	}
	return l.done(rows, size)
}

func (l *scriptedLane) done(rows, length int) error {
	l.rows.Add(int64(rows))
	l.tokens.Add(int64(rows * length))
	time.Sleep(time.Duration(rows) * time.Millisecond)
	return l.err
}

func (l *scriptedLane) Close() {}

func opened(t *testing.T, lanes ...*scriptedLane) *engine.Opened {
	tok, err := tokenizer.New(49408)
	if err != nil {
		t.Fatal(err)
	}
	m := &engine.Opened{Checkpoint: &model.Model{Dim: 4, ImageSize: 32, ContextLength: 77, VocabSize: 49408}, Tokenizer: tok, LaneCount: len(lanes), Threads: 1}
	for _, l := range lanes {
		l.t = t
		m.Lanes = append(m.Lanes, l)
	}
	return m
}

func rawOf(kind string) Raw {
	return Raw{Material: Material{Kind: kind, Texts: "caption", Pictures: []PictureSource{{Width: 50, Height: 40, Format: "jpeg"}}},
		Batch: 8, Warmup: time.Second, Duration: 4 * time.Second}
}

func TestRaw(t *testing.T) {
	for _, kind := range []string{"text", "image", "picture"} {
		synctest.Test(t, func(t *testing.T) {
			r, err := rawOf(kind).Run(t.Context(), opened(t, &scriptedLane{}, &scriptedLane{}))
			if err != nil {
				t.Fatal(err)
			}
			if math.Abs(r.ItemsPerSec-2000) > 10 || math.Abs(r.Latency.P50-8) > 0.1 || r.Lanes != 2 {
				t.Errorf("%s: %+v; two lanes make 1000 items a second each", kind, r)
			}
		})
	}
}

func TestRawOrders(t *testing.T) {
	tokens := func(change func(*Raw)) (tokens float64) {
		synctest.Test(t, func(t *testing.T) {
			x := rawOf("text")
			change(&x)
			lane := &scriptedLane{}
			r, err := x.Run(t.Context(), opened(t, lane))
			if err != nil {
				t.Fatal(err)
			}
			if r.Lanes != 1 || r.Tokens < 8 {
				t.Errorf("%+v", r)
			}
			tokens = r.Tokens
		})
		return tokens
	}
	inOrder, sorted, same := tokens(func(*Raw) {}), tokens(func(r *Raw) { r.Sorted = true }), tokens(func(r *Raw) { r.Same = true })
	if sorted >= inOrder-1 {
		t.Errorf("%v tokens in a row as they come, %v sorted; sorting saves padding", inOrder, sorted)
	}
	if same < 11 || same > 15 || same != math.Trunc(same) {
		t.Errorf("%v tokens in the batch that is run again and again", same)
	}
}

func TestRawAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first, second, wide := &scriptedLane{}, &scriptedLane{}, &scriptedLane{t: t}
		m := opened(t, first, second)
		x := rawOf("text")
		x.Batch, x.Alone = 1, true
		r, err := x.Run(t.Context(), m)
		if err != nil || second.rows.Load() != 0 || math.Abs(r.ItemsPerSec-1000) > 2 || r.Threads != 1 {
			t.Errorf("%v, %+v, %d rows on the other lane", err, r, second.rows.Load())
		}
		x.Wide = true
		if _, err := x.Run(t.Context(), m); !errors.Is(err, ErrNoLane) {
			t.Errorf("%v; there is no wide lane", err)
		}
		m.Wide = []engine.Lane{wide}
		before := first.rows.Load()
		if r, err := x.Run(t.Context(), m); err != nil || r.Threads != 2 || first.rows.Load() != before || wide.rows.Load() == 0 {
			t.Errorf("%v, %+v", err, r)
		}
	})
}

func TestRawErrors(t *testing.T) {
	broken := errors.New("broken")
	synctest.Test(t, func(t *testing.T) {
		if _, err := rawOf("text").Run(t.Context(), opened(t, &scriptedLane{}, &scriptedLane{err: broken})); !errors.Is(err, broken) {
			t.Errorf("%v", err)
		}
		x := rawOf("text")
		x.Batch, x.Duration = 32, time.Millisecond
		if _, err := x.Run(t.Context(), opened(t, &scriptedLane{})); !errors.Is(err, ErrTooShort) {
			t.Error("a time in which no batch ended gave a result")
		}
		x.Batch = 0
		if _, err := x.Run(t.Context(), opened(t, &scriptedLane{})); err == nil {
			t.Error("a batch of nothing was taken")
		}
		if _, err := rawOf("sound").Run(t.Context(), opened(t, &scriptedLane{})); err == nil {
			t.Error("a kind that does not exist was taken")
		}
	})
}
