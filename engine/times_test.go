package engine

import (
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestMaxBatchOfARequest shows that no input of a request rides in a larger batch than it asked for, beside its own
// inputs or those of others, and that the others lose nothing.
func TestMaxBatchOfARequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &fakeLane{gate: make(chan struct{})}
		m := newTestModel(t, Options{MaxBatch: 32}, l)
		var wg sync.WaitGroup
		send := func(n, most int) {
			wg.Go(func() {
				inputs := make([]Input, n)
				for i := range inputs {
					inputs[i] = text(fmt.Sprint("request ", n, " text ", i))
				}
				emb, err := m.Embed(t.Context(), Request{Inputs: inputs, MaxBatch: most})
				if err != nil || emb.Err() != nil {
					t.Error(err)
					return
				}
				for i := range n {
					if rows := int(emb.Row(i)[2]); most > 0 && rows > most {
						t.Errorf("an input rode in a batch of %d rows; its request allows %d", rows, most)
					}
				}
			})
			synctest.Wait()
		}
		send(1, 0)
		send(10, 3)
		send(20, 0)
		send(7, 2)
		close(l.gate)
		wg.Wait()
		m.Close()
		sum, largest := 0, 0
		for _, rows := range l.batches {
			sum += rows
			largest = max(largest, rows)
		}
		if sum != 38 || largest < 4 {
			t.Errorf("batches of %v rows", l.batches)
		}
	})
}

// TestTimes shows the stages of a request that waited for a lane.
func TestTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &fakeLane{took: 10 * time.Millisecond}
		m := newTestModel(t, Options{}, l)
		began := time.Now()
		check := func(what string, s Span, begin, end time.Duration) {
			t.Helper()
			if s.Begin.Sub(began) != begin || s.End.Sub(began) != end {
				t.Errorf("%s from %v to %v, want %v to %v", what, s.Begin.Sub(began), s.End.Sub(began), begin, end)
			}
		}
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, err := m.Encode(t.Context(), []Input{text("first")}); err != nil {
				t.Error(err)
			}
		})
		synctest.Wait()
		time.Sleep(4 * time.Millisecond)
		emb, err := m.Encode(t.Context(), []Input{text("a"), text("b")})
		if err != nil {
			t.Fatal(err)
		}
		check("tokenizing", emb.Times.Prepare, 4*time.Millisecond, 4*time.Millisecond)
		// The lane waits an eighth of its last batch for the caller that it answered to come back.
		taken := 11250 * time.Microsecond
		check("the queue", emb.Times.Queue, 4*time.Millisecond, taken)
		check("the batch", emb.Times.Run, taken, taken+10*time.Millisecond)
		began = time.Now().Add(time.Second)
		time.Sleep(time.Second)
		if emb, err = m.Encode(t.Context(), []Input{square(8, 1)}); err != nil {
			t.Fatal(err)
		}
		check("decoding", emb.Times.Prepare, 0, 0)
		check("the batch of the picture", emb.Times.Run, 0, 10*time.Millisecond)
		wg.Wait()
		m.Close()
	})
}
