package bench

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// Percentiles of merged tallies are those of everything together, within the three digits of the histogram.
func TestMergedTalliesAreOne(t *testing.T) {
	rnd := rand.New(rand.NewPCG(7, 7))
	all := newTally()
	parts := []*tally{newTally(), newTally(), newTally()}
	var values []float64
	for i := range 30000 {
		d := time.Duration(math.Exp(rnd.NormFloat64()*1.5+8)) * time.Microsecond
		values = append(values, float64(d.Microseconds())/1000)
		var err error
		if i%100 == 0 {
			err = refused("full")
		}
		all.count(d, err, true, i%2 == 0)
		parts[i%3].count(d, err, true, i%2 == 0)
	}
	merged := newTally()
	for _, p := range parts {
		merged.merge(p)
	}
	if got, want := latency(merged.answered), latency(all.answered); got != want {
		t.Errorf("merged %+v, together %+v", got, want)
	}
	if got, want := latency(merged.refused), latency(all.refused); got != want || got.Count != 300 {
		t.Errorf("refusals merged %+v, together %+v", got, want)
	}
	if merged.completed != all.completed || merged.refusal == "" {
		t.Errorf("%d completed and refusal %q merged, %d together", merged.completed, merged.refusal, all.completed)
	}
	merged.answered.Merge(all.refused)
	slices.Sort(values)
	got := latency(merged.answered)
	for _, x := range []struct{ q, got float64 }{{0.5, got.P50}, {0.9, got.P90}, {0.95, got.P95}, {0.99, got.P99}, {0.999, got.P999}} {
		if want := values[int(math.Ceil(x.q*float64(len(values))))-1]; math.Abs(x.got-want) > want/500 {
			t.Errorf("quantile %v: %v ms; sorting says %v", x.q, x.got, want)
		}
	}
}

func TestValuesOutsideOfTheHistogramAreKeptAtItsEnds(t *testing.T) {
	h := newHistogram()
	record(h, -time.Second)
	record(h, 0)
	record(h, 48*time.Hour)
	if h.TotalCount() != 3 || h.Min() > 1 || h.Max() < mostMicroseconds*999/1000 {
		t.Errorf("%d values from %d to %d µs", h.TotalCount(), h.Min(), h.Max())
	}
}

func TestMedianOfRounds(t *testing.T) {
	round := func(speed, p99 float64, failed int64) *Result {
		return &Result{ItemsPerSec: speed, Latency: Latency{Count: 10, P99: p99}, Requests: 10 + failed, Failed: failed}
	}
	m := Median([]*Result{round(10, 5, 0), round(30, 1, 2), round(20, 9, 1)})
	if m.ItemsPerSec != 20 || m.Latency.P99 != 5 || m.Failed != 3 || m.Requests != 33 || m.Latency.Count != 30 || m.Rounds != 3 {
		t.Errorf("%+v", m)
	}
	if m := Median([]*Result{round(10, 5, 0), round(30, 1, 2)}); m.ItemsPerSec != 20 || m.Latency.P99 != 3 {
		t.Errorf("of two: %+v", m)
	}
}

func TestArrivalTimes(t *testing.T) {
	times := func(a Arrival, seed uint64) (got []time.Duration) {
		for at := range a.due(8, seed) {
			if got = append(got, at); len(got) == 1000 {
				break
			}
		}
		return got
	}
	for i, at := range times(Constant, 1) {
		if at != time.Duration(i)*125*time.Millisecond {
			t.Fatalf("request %d is due after %v", i, at)
		}
	}
	a, b := times(Poisson, 1), times(Poisson, 1)
	if !slices.Equal(a, b) || slices.Equal(a, times(Poisson, 2)) {
		t.Error("the same seed gives the same arrivals, another one others")
	}
	short := 0
	for i := 1; i < len(a); i++ {
		if a[i] < a[i-1] {
			t.Fatalf("request %d is due before the one before it", i)
		}
		if a[i]-a[i-1] < 125*time.Millisecond {
			short++
		}
	}
	if part := float64(short) / 999; math.Abs(part-(1-1/math.E)) > 0.06 {
		t.Errorf("%v of the intervals are below the mean; of exponential ones %v are", part, 1-1/math.E)
	}
}
