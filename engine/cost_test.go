package engine

import (
	"math/rand/v2"
	"testing"
	"time"
)

// TestCost shows that the line of a lane's costs is found among noise, and that it follows a machine that gets slower.
func TestCost(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	c := &cost{}
	feed := func(n int, fixed, unit float64) {
		for range n {
			w := float64(8 * (1 + rnd.IntN(32)))
			noise := 1 + 0.1*rnd.Float64()
			if rnd.IntN(50) == 0 {
				noise = 20
			}
			c.observe(w, time.Duration((fixed+unit*w)*noise*1e6))
		}
	}
	check := func(work, ms float64) {
		t.Helper()
		if got := c.of(work).Seconds() * 1000; got < 0.7*ms || got > 1.8*ms {
			t.Errorf("a batch of %v is said to take %.2f ms; it takes %.2f", work, got, ms)
		}
	}
	c.observe(16, 5*time.Millisecond)
	check(16, 5)
	feed(300, 2, 0.1)
	check(8, 2.8)
	check(256, 27.6)
	feed(300, 6, 0.3)
	check(8, 8.4)
	check(256, 82.8)
	one := &cost{}
	for range 100 {
		one.observe(128, 10*time.Millisecond)
	}
	if got := one.of(128); got < 9*time.Millisecond || got > 11*time.Millisecond {
		t.Errorf("batches of one size take %v, want 10 ms", got)
	}
}

func TestShapes(t *testing.T) {
	c := &cost{unit: 100 * time.Microsecond, change: 500 * time.Microsecond, fresh: 4 * time.Millisecond}
	s := &shapes{}
	check := func(rows, n, want int) {
		t.Helper()
		items := make([]item, rows)
		for i := range items {
			items[i].ids = make([]int32, max(n-i, 1))
		}
		got := s.pad(items, c, 77)
		if got != (form{rows, want, rows}) {
			t.Errorf("%d rows of %d tokens are padded to %v, want %d", rows, n, got, want)
		}
		s.ran(got)
	}
	check(1, 10, 10) // nothing is known yet
	check(1, 8, 10)  // two tokens cost less than a change
	check(8, 14, 14)
	check(8, 14, 14)
	check(8, 13, 14)
	check(8, 9, 9) // five tokens of eight rows cost more
	check(1, 77, 77)
	c.change, c.fresh = 0, 0
	check(1, 76, 76)
	for i := range 3 * seenMost {
		s.ran(form{i, 5, i})
	}
	if len(s.seen) > seenMost {
		t.Errorf("%d shapes are remembered", len(s.seen))
	}
}

// TestTokenBudget shows that long texts ride in smaller batches than short ones, and that a few tokens of padding are
// allowed but not many.
func TestTokenBudget(t *testing.T) {
	c := &cost{fixed: 2 * time.Millisecond, unit: 200 * time.Microsecond}
	q := &queue{place: textPlace}
	push := func(n, tokens int) {
		r := &request{inputs: make([]Input, n)}
		for i := range n {
			q.push(item{req: r, index: i, ids: make([]int32, tokens)}, (tokens-1)/4)
		}
	}
	take := func() (lengths []int) {
		for _, it := range q.take(nil, limits{tower: TextTower, rows: 32, step: 4, cost: c, most: 32}) {
			lengths = append(lengths, len(it.ids))
		}
		return lengths
	}
	push(40, 76)
	if got := take(); len(got) != leastFull {
		t.Errorf("a batch of %d texts of 76 tokens, want %d", len(got), leastFull)
	}
	q = &queue{place: textPlace}
	push(1, 16)
	push(40, 12)
	push(40, 60)
	got := take()
	short := 0
	for _, n := range got {
		if n == 60 {
			t.Error("a text of 60 tokens in a batch of 16")
		}
		if n == 12 {
			short++
		}
	}
	if short != 2 { // 10 tokens of padding cost as much as a batch
		t.Errorf("%d texts of 12 tokens ride with one of 16, want 2", short)
	}
}
