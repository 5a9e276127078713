package bench

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"clipd/engine"
)

// Raw says how a runtime is measured without a server: its lanes run batches without pause.
type Raw struct {
	Material
	// Kind of Material: "text" (ids ready in memory), "image" (pixels ready) or "picture" (each picture is decoded and
	// resized from its file's bytes on the lane's own threads first).

	Batch    int
	Packed   bool // texts packed into lines as the server does, where the model's graph can; else each in a line, padded to the longest
	Sorted   bool // texts in order of length: the least padding that any order has, if all were known beforehand
	Alone    bool // one lane works, the others idle: how long one item takes
	Wide     bool // with Alone: on a wide lane, which computes small requests with all threads of its replica
	Same     bool // the same batch again and again, of median length: a runtime may prepare again when the shape changes
	Warmup   time.Duration
	Duration time.Duration
}

// RawResult is what a runtime does by itself.
type RawResult struct {
	Kind        string  `json:"kind"`
	Runtime     string  `json:"runtime"`
	Precision   string  `json:"precision"`
	Batch       int     `json:"batch"`
	Packed      bool    `json:"packed,omitempty"`
	Sorted      bool    `json:"sorted,omitempty"`
	Alone       bool    `json:"alone,omitempty"`
	Wide        bool    `json:"wide,omitempty"`
	Same        bool    `json:"same,omitempty"`
	Lanes       int     `json:"lanes"`   // that worked
	Threads     int     `json:"threads"` // of each
	Round       int     `json:"round,omitempty"`
	Tokens      float64 `json:"tokens,omitempty"` // text: of an item on average, padding counts
	Seconds     float64 `json:"seconds"`
	ItemsPerSec float64 `json:"items_per_second"`
	Latency     Latency `json:"latency_ms"` // of one batch on one lane
}

// ErrNoLane is a model without a lane of the kind that was asked for.
var ErrNoLane = errors.New("the model has no such lane")

// ErrTooShort is a time in which nothing ended.
var ErrTooShort = errors.New("too short a time")

// Run measures a model.
func (r Raw) Run(ctx context.Context, m *engine.Opened) (*RawResult, error) {
	if r.Batch < 1 || r.Duration <= 0 || r.Warmup < 0 {
		return nil, fmt.Errorf("a batch of %d, a duration of %v and a warm-up of %v: batch and duration must be above 0, the warm-up not below",
			r.Batch, r.Duration, r.Warmup)
	}
	lanes, threads := m.Lanes, m.Threads
	if r.Wide {
		lanes, threads = m.Wide, m.Threads*m.LaneCount
	}
	if len(lanes) == 0 {
		return nil, ErrNoLane
	}
	if r.Alone {
		lanes = lanes[:1]
	}
	result := &RawResult{Kind: r.Kind, Runtime: m.Runtime.Name, Batch: r.Batch, Packed: r.Packed, Sorted: r.Sorted, Alone: r.Alone, Wide: r.Wide, Same: r.Same,
		Lanes: len(lanes), Threads: threads, Seconds: r.Duration.Seconds()}
	work, err := r.prepare(m, result)
	if err != nil {
		return nil, err
	}
	var wg sync.WaitGroup
	var next atomic.Int64
	errs := make([]error, len(lanes))
	tallies := make([]*tally, len(lanes))
	begin := time.Now().Add(r.Warmup)
	w := window{begin, begin.Add(r.Duration)}
	for i, lane := range lanes {
		tallies[i] = newTally()
		run := work()
		wg.Go(func() {
			out := make([]float32, r.Batch*m.Checkpoint.Dim)
			for time.Now().Before(w.end) && ctx.Err() == nil && errs[i] == nil {
				began := time.Now()
				errs[i] = run(lane, int(next.Add(1)-1), out)
				done := time.Now()
				tallies[i].count(done.Sub(began), errs[i], w.holds(done), w.holds(done))
			}
		})
	}
	wg.Wait()
	total := newTally()
	for i := range lanes {
		if errs[i] != nil {
			return nil, errs[i]
		}
		total.merge(tallies[i])
	}
	result.Latency = latency(total.answered)
	result.ItemsPerSec = float64(total.completed) * float64(r.Batch) / r.Duration.Seconds()
	if total.completed == 0 && ctx.Err() == nil {
		return nil, fmt.Errorf("%w: no batch of %d ended within %v; measure longer", ErrTooShort, r.Batch, r.Duration)
	}
	return result, ctx.Err()
}

// MedianRaw returns the median of several rounds of the same measurement.
func MedianRaw(rounds []*RawResult) *RawResult {
	m := *rounds[0]
	m.Round = 0
	of := func(get func(*RawResult) *float64) {
		values := make([]float64, len(rounds))
		for i, r := range rounds {
			values[i] = *get(r)
		}
		*get(&m) = median(values)
	}
	of(func(r *RawResult) *float64 { return &r.ItemsPerSec })
	of(func(r *RawResult) *float64 { return &r.Latency.Mean })
	of(func(r *RawResult) *float64 { return &r.Latency.P50 })
	of(func(r *RawResult) *float64 { return &r.Latency.P90 })
	of(func(r *RawResult) *float64 { return &r.Latency.P99 })
	return &m
}
