package bench

import (
	"context"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestOverload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &worker{item: time.Millisecond, room: 200}
		s := &server{streams: 100, answer: w.answer}
		o := Overload{Load: texts(Load{Batch: 10, MaxUnderWay: 1000, Fill: time.Minute, Warmup: time.Second, Duration: 10 * time.Second}),
			Sweep: []int{1, 4}, Factor: 2}
		r, err := o.Run(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		if len(r.Closed) != 2 || math.Abs(r.Best-1000) > 10 {
			t.Errorf("%d closed loops, best %v; the server makes 1000 items a second", len(r.Closed), r.Best)
		}
		if r.Offered.Arrival != Poisson || math.Abs(r.Offered.Rate-200) > 2 {
			t.Errorf("%v requests a second were offered, %v; twice 100 as a Poisson process were wanted", r.Offered.Rate, r.Offered.Arrival)
		}
		if math.Abs(r.GoodputRatio-1) > 0.02 || math.Abs(r.RefusedPart-0.5) > 0.05 {
			t.Errorf("goodput ratio %v, %v refused; the server works on and refuses half", r.GoodputRatio, r.RefusedPart)
		}
		if r.RefusalP99 > 0.01 {
			t.Errorf("refusals took %v ms; they were given at once", r.RefusalP99)
		}
		var b strings.Builder
		if err := r.WriteTable(&b); err != nil || !strings.Contains(b.String(), "best throughput: 1.0") && !strings.Contains(b.String(), "best throughput: 0.99") {
			t.Errorf("%v:\n%s", err, b.String())
		}
	})
}

// A server that collapses when it is offered too much is found out.
func TestOverloadOfAServerThatCollapses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &server{streams: 100}
		s.answer = func(ctx context.Context, _ int64, _ int) error {
			n := time.Duration(s.underWay.Load())
			return wait(ctx, n*n*5*time.Millisecond) // each slows down all others
		}
		o := Overload{Load: texts(Load{MaxUnderWay: 400, Warmup: time.Second, Duration: 10 * time.Second, Timeout: 5 * time.Second}), Sweep: []int{1}, Factor: 20}
		r, err := o.Run(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		if math.Abs(r.Best-200) > 2 || r.GoodputRatio > 0.3 || r.Offered.Unfinished < 1000 {
			t.Errorf("best %v, goodput ratio %v, %d unfinished; one client gets 200 a second, many get hardly any", r.Best, r.GoodputRatio, r.Offered.Unfinished)
		}
	})
}

func TestFairness(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &worker{item: time.Millisecond, room: 100} // first come, first served: a batch of 50 holds up everybody
		s := &server{answer: w.answer}
		f := Fairness{Load: texts(Load{Warmup: time.Second, Duration: 20 * time.Second}), Bulk: 50, BulkClients: 1}
		r, err := f.Run(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		if math.Abs(r.Alone.Latency.P99-1) > 0.01 || math.Abs(r.Beside.Latency.P99-51) > 1 || math.Abs(r.P99Ratio-51) > 1 {
			t.Errorf("p99 %v ms alone, %v beside, ratio %v; 1, 51 and 51 were wanted", r.Alone.Latency.P99, r.Beside.Latency.P99, r.P99Ratio)
		}
		if r.Bulk.Batch != 50 || r.Bulk.Clients != 1 || math.Abs(r.Bulk.ItemsPerSec-980) > 20 {
			t.Errorf("%+v", r.Bulk)
		}
		var b strings.Builder
		if err := r.WriteTable(&b); err != nil || !strings.Contains(b.String(), "batches of 50 / alone: 5") {
			t.Errorf("%v:\n%s", err, b.String())
		}
	})
}
