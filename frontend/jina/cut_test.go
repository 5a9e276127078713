package jina

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"clipd/frontend/limit"
)

// TestAnswersThatNobodyTakesAreCut shows when a connection is cut: nothing of an answer was written for the time, and the
// budget is crowded.
func TestAnswersThatNobodyTakesAreCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		check := func(what string, crowded, progress, taken, want bool) {
			t.Helper()
			budget := limit.NewBytes(1 << 20)
			if crowded {
				budget.Take(1 << 19)
			}
			h, err := newHold(budget, 100<<10)
			if err != nil {
				t.Fatal(err)
			}
			var cut atomic.Bool
			h.watch(time.Minute, func() { cut.Store(true) })
			for range 8 {
				time.Sleep(20 * time.Second)
				if progress {
					h.progress.Add(1)
				}
				if taken {
					h.end()
				}
			}
			if cut.Load() != want {
				t.Errorf("%s: cut is %v", what, cut.Load())
			}
			h.end()
		}
		check("nothing is taken, and room is scarce", true, false, false, true)
		check("nothing is taken, and there is room", false, false, false, false)
		check("something is taken now and then", true, true, false, false)
		check("all is taken", true, false, true, false)
	})
	var none *hold
	none.watch(time.Minute, func() { t.Error("cut for nothing") })
}
