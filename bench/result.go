package bench

import (
	"fmt"
	"slices"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Latency is a distribution, in milliseconds. All are zero when nothing was counted.
type Latency struct {
	Count int64   `json:"count"`
	Mean  float64 `json:"mean"`
	P50   float64 `json:"p50"`
	P90   float64 `json:"p90"`
	P95   float64 `json:"p95"`
	P99   float64 `json:"p99"`
	P999  float64 `json:"p99_9"`
	Max   float64 `json:"max"`
}

func latency(h *hdrhistogram.Histogram) Latency {
	if h.TotalCount() == 0 {
		return Latency{}
	}
	ms := func(q float64) float64 { return float64(h.ValueAtQuantile(q)) / 1000 }
	return Latency{Count: h.TotalCount(), Mean: h.Mean() / 1000, P50: ms(50), P90: ms(90), P95: ms(95), P99: ms(99), P999: ms(99.9),
		Max: float64(h.Max()) / 1000}
}

// Result is what a load saw after its warm-up.
type Result struct {
	Kind    string  `json:"kind"`
	Arrival Arrival `json:"arrival"`
	Clients int     `json:"clients"` // connections, in an open loop
	Batch   int     `json:"batch"`   // items in a request
	Rate    float64 `json:"rate,omitempty"`
	Round   int     `json:"round,omitempty"`  // from 1
	Rounds  int     `json:"rounds,omitempty"` // that this is the median of
	Seconds float64 `json:"seconds"`

	// Throughput is of what was answered in the time that was measured: in an open loop that is the goodput.
	ItemsPerSec    float64 `json:"items_per_second"`
	RequestsPerSec float64 `json:"requests_per_second"`

	// A closed loop counts the requests that ended within the time, an open one those that were due within it.
	Requests   int64   `json:"requests"`             // all of these
	Refused    int64   `json:"refused"`              // the server had no room
	Failed     int64   `json:"failed"`               // errors
	Unfinished int64   `json:"unfinished,omitempty"` // no answer by the end; in latency_ms with the time waited
	Latency    Latency `json:"latency_ms"`           // of what was answered
	Refusal    Latency `json:"refusal_ms,omitzero"`  // of what was refused
	Late       *Late   `json:"late,omitempty"`       // open loop: how the generator kept the rate

	ClientCores  float64 `json:"client_cores"` // cores that the generator took
	FirstError   string  `json:"first_error,omitempty"`
	FirstRefusal string  `json:"first_refusal,omitempty"`
}

// lateAfter is from when on a start counts as late: timers alone are never that far off.
const lateAfter = 10 * time.Millisecond

// Late says how far the generator was behind its own schedule. Latencies count from the schedule all the same.
type Late struct {
	Starts int64   `json:"starts"` // more than 10 ms late
	P99    float64 `json:"p99_ms"`
	Max    float64 `json:"max_ms"`
	Waited int64   `json:"waited"` // found every place for a request under way taken
}

// KeptRate reports whether the load was offered as it was asked for: at most one start in a hundred was late.
func (r *Result) KeptRate() bool { return r.Late == nil || r.Late.Starts*100 <= r.Requests }

// empty explains a result without any answer; nil when there is one.
func (r *Result) empty() error {
	if r.Latency.Count > r.Unfinished {
		return nil
	}
	why := "the server answered nothing"
	switch {
	case r.FirstError != "":
		why = r.FirstError
	case r.FirstRefusal != "":
		why = r.FirstRefusal
	}
	return fmt.Errorf("no request was answered within %.3g s: %s", r.Seconds, why)
}

// Median returns the result of several rounds of the same load: the median of each figure, the sums of what went wrong.
func Median(rounds []*Result) *Result {
	m := *rounds[0]
	if len(rounds) == 1 {
		return &m
	}
	m.Round, m.Rounds = 0, len(rounds)
	of := func(get func(*Result) *float64) {
		values := make([]float64, len(rounds))
		for i, r := range rounds {
			values[i] = *get(r)
		}
		*get(&m) = median(values)
	}
	of(func(r *Result) *float64 { return &r.ItemsPerSec })
	of(func(r *Result) *float64 { return &r.RequestsPerSec })
	of(func(r *Result) *float64 { return &r.ClientCores })
	for _, l := range []func(*Result) *Latency{func(r *Result) *Latency { return &r.Latency }, func(r *Result) *Latency { return &r.Refusal }} {
		for _, get := range []func(*Latency) *float64{
			func(x *Latency) *float64 { return &x.Mean }, func(x *Latency) *float64 { return &x.P50 },
			func(x *Latency) *float64 { return &x.P90 }, func(x *Latency) *float64 { return &x.P95 },
			func(x *Latency) *float64 { return &x.P99 }, func(x *Latency) *float64 { return &x.P999 },
			func(x *Latency) *float64 { return &x.Max },
		} {
			of(func(r *Result) *float64 { return get(l(r)) })
		}
	}
	late := Late{}
	for i, r := range rounds {
		if i > 0 {
			m.Requests += r.Requests
			m.Refused += r.Refused
			m.Failed += r.Failed
			m.Unfinished += r.Unfinished
			m.Latency.Count += r.Latency.Count
			m.Refusal.Count += r.Refusal.Count
		}
		if r.Late != nil {
			late.Starts, late.Waited = late.Starts+r.Late.Starts, late.Waited+r.Late.Waited
			late.P99, late.Max = max(late.P99, r.Late.P99), max(late.Max, r.Late.Max)
			m.Late = &late
		}
		if m.FirstError == "" {
			m.FirstError = r.FirstError
		}
		if m.FirstRefusal == "" {
			m.FirstRefusal = r.FirstRefusal
		}
	}
	return &m
}

func median(values []float64) float64 {
	v := slices.Sorted(slices.Values(values))
	if n := len(v); n%2 == 0 {
		return (v[n/2-1] + v[n/2]) / 2
	}
	return v[len(v)/2]
}
