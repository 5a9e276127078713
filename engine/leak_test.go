package engine

import (
	"context"
	"errors"
	"math"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestNoGoroutineLeft starts, loads, breaks and closes many models in real time: afterwards no goroutine is left of them.
func TestNoGoroutineLeft(t *testing.T) {
	before := runtime.NumGoroutine()
	for round := range 12 {
		hang := make(chan struct{})
		var batches atomic.Int64
		script := func(int) error {
			switch batches.Add(1) % 7 {
			case 3:
				return errors.New("out of luck")
			case 5:
				panic("out of luck")
			}
			return nil
		}
		var mu sync.Mutex
		var lanes []*fakeLane
		lane := func() (Lane, error) {
			mu.Lock()
			defer mu.Unlock()
			lanes = append(lanes, &fakeLane{script: script, hang: hang})
			return lanes[len(lanes)-1], nil
		}
		var slots []Slot
		for i := range 3 {
			l, _ := lane()
			slots = append(slots, Slot{Lane: l, Wide: i == 0, Locked: round%2 == 0, Rebuild: lane})
		}
		m := newSlots(t, Options{MaxBatch: 8, Watchdog: 20 * time.Millisecond, CacheBytes: int64(round%2) << 16, OnHealth: func(bool, string) {}}, slots...)
		var wg sync.WaitGroup
		for c := range 8 {
			wg.Go(func() {
				for i := range 10 {
					ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
					if (c+i)%5 == 0 {
						ctx, cancel = context.WithTimeout(ctx, time.Millisecond)
					}
					inputs := append(distinct(1+(c*i)%20), square(8, byte(i)))
					if c == 0 && i == 5 {
						inputs[0].Text += string(rune(sick))
					}
					_, _ = m.Encode(ctx, inputs)
					cancel()
				}
			})
		}
		wg.Wait()
		m.Close()
		checkEmpty(t, m)
		close(hang) // calls that the watchdog gave up return now
	}
	for begin := time.Now(); runtime.NumGoroutine() > before; time.Sleep(10 * time.Millisecond) {
		if time.Since(begin) > time.Minute {
			stacks := make([]byte, 1<<16)
			t.Fatalf("%d goroutines, %d before:\n%s", runtime.NumGoroutine(), before, stacks[:runtime.Stack(stacks, true)])
		}
	}
}

// TestOwnRows shows that each caller owns its rows: the same content in one request, in several at a time and from the cache, and
// each caller overwrites what it got.
func TestOwnRows(t *testing.T) {
	m, err := NewModel(testSpec, runes{}, []Lane{&fakeLane{took: time.Millisecond}, &fakeLane{}}, Options{CacheBytes: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := range 40 {
				same := text("the same " + string(rune('a'+i)))
				emb, err := m.Encode(t.Context(), []Input{same, same, square(8, byte(i)), square(8, byte(i))})
				if err != nil || emb.Err() != nil {
					t.Error(err)
					return
				}
				for r, want := range []float32{textSum(same.Text), textSum(same.Text), 3 * 64 * float32(i), 3 * 64 * float32(i)} {
					row := emb.Row(r)
					if row[0] != want {
						t.Errorf("row %d is %v, want %v", r, row[0], want)
					}
					for k := range row {
						row[k] = float32(math.Inf(-1))
					}
				}
			}
		})
	}
	wg.Wait()
	if s := m.Stats(); s.Joined == 0 || s.CacheHits == 0 {
		t.Errorf("nothing was shared: %+v", s)
	}
	m.Close()
}
