package engine

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// witness keeps what it hears.
type witness struct {
	mu       sync.Mutex
	prepared map[Tower]int
	waited   map[Tower]int
	batches  []Batch
	rebuilt  []error
}

func newWitness() *witness { return &witness{prepared: map[Tower]int{}, waited: map[Tower]int{}} }

func (w *witness) Prepared(t Tower, inputs int, took time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.prepared[t] += inputs
}

func (w *witness) Ran(b Batch) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.batches = append(w.batches, b)
}

func (w *witness) Waited(t Tower, waited time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if waited < 0 {
		panic("BUG: an input waited less than no time")
	}
	w.waited[t]++
}

func (w *witness) Rebuilt(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.rebuilt = append(w.rebuilt, err)
}

// TestObserver counts each input once, and tokens, padding and batches as they were.
func TestObserver(t *testing.T) {
	w := newWitness()
	gate := make(chan struct{})
	l := &fakeLane{gate: gate, begun: make(chan int, 10)}
	m := newTestModel(t, Options{MaxBatch: 8, Observer: w}, l)
	done := make(chan error, 1)
	go func() {
		e, err := m.Encode(context.Background(), []Input{{Tower: TextTower, Text: "a"}, {Tower: TextTower, Text: "bc"}, {Tower: TextTower, Text: "def"}})
		if err == nil {
			err = e.Err()
		}
		done <- err
	}()
	rows := <-l.begun
	if a := m.Activity(); a.Queued != 3 || a.Running[TextTower] != rows || a.Waiting[TextTower] != 3-rows || a.Lanes != 1 || a.LanesOut != 0 {
		t.Errorf("%+v with a batch of %d", a, rows)
	}
	close(gate)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if a := m.Activity(); a != (Activity{Lanes: 1}) {
		t.Errorf("afterwards: %+v", a)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.prepared[TextTower] != 3 || w.waited[TextTower] != 3 || len(w.prepared) != 1 {
		t.Errorf("prepared %v, waited %v; want 3 texts", w.prepared, w.waited)
	}
	total := Batch{}
	for i, b := range w.batches {
		if b.Tower != TextTower || b.Err != nil || b.Again || b.Padding < 0 || (b.Tokens+b.Padding)%l.lengths[i] != 0 {
			t.Errorf("batch %d: %+v in lines of %d", i, b, l.lengths[i])
		}
		total.Rows, total.Tokens = total.Rows+b.Rows, total.Tokens+b.Tokens
	}
	tokens := 0
	for _, text := range []string{"a", "bc", "def"} {
		tokens += len(runes{}.Append(nil, text, testSpec.ContextLength))
	}
	if total.Rows != 3 || total.Tokens != tokens {
		t.Errorf("%d rows with %d tokens, want 3 with %d", total.Rows, total.Tokens, tokens)
	}
}

// TestObserverOfFailures tells a batch that failed from those in which its inputs were tried again.
func TestObserverOfFailures(t *testing.T) {
	w := newWitness()
	l := &fakeLane{script: func(batch int) error {
		if batch == 0 {
			return errors.New("once")
		}
		return nil
	}}
	m := newTestModel(t, Options{Observer: w, MaxDelay: time.Minute, PreferredBatch: 2}, l)
	e, err := m.Encode(context.Background(), []Input{{Tower: TextTower, Text: "a"}, {Tower: TextTower, Text: "b"}})
	if err != nil || e.Err() != nil {
		t.Fatal(err, e.Err())
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.batches) != 3 || w.waited[TextTower] != 2 {
		t.Fatalf("%d inputs waited for the first time, %+v", w.waited[TextTower], w.batches)
	}
	if b := w.batches[0]; b.Rows != 2 || b.Err == nil || b.Again {
		t.Errorf("the first batch: %+v", b)
	}
	for _, b := range w.batches[1:] {
		if b.Rows != 1 || b.Err != nil || !b.Again {
			t.Errorf("a half of it: %+v", b)
		}
	}
}

// TestObserverOfRebuilds hears of a lane that is made anew.
func TestObserverOfRebuilds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWitness()
		broken := &fakeLane{script: func(int) error { return errors.New("broken") }}
		m, err := New(testSpec, runes{}, []Slot{{Lane: broken, Rebuild: func() (Lane, error) { return &fakeLane{}, nil }}}, Options{Observer: w})
		if err != nil {
			t.Fatal(err)
		}
		for range failsMost {
			m.Encode(t.Context(), []Input{{Tower: TextTower, Text: "a"}})
		}
		time.Sleep(time.Minute)
		if e, err := m.Encode(t.Context(), []Input{{Tower: TextTower, Text: "a"}}); err != nil || e.Err() != nil {
			t.Error(err)
		}
		m.Close()
		w.mu.Lock()
		defer w.mu.Unlock()
		if len(w.rebuilt) != 1 || w.rebuilt[0] != nil {
			t.Errorf("rebuilt: %v", w.rebuilt)
		}
	})
}

// TestEvictions counts what the cache drops.
func TestEvictions(t *testing.T) {
	m := newTestModel(t, Options{CacheBytes: 4 << 10}, &fakeLane{})
	for i := range 200 {
		if _, err := m.Encode(context.Background(), []Input{{Tower: TextTower, Text: string(rune('a' + i))}}); err != nil {
			t.Fatal(err)
		}
	}
	for range 100 { // the cache does its work beside its callers
		if m.Stats().Evicted > 0 {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("%+v", m.Stats())
}
