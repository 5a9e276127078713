package bench

import (
	"context"
	"fmt"
)

// Overload measures a server that is offered more than it can do: closed loops find its best throughput, then an open loop
// offers a multiple of it. Its measure begins when the server's queues are full, which the first refusal shows, or after
// the load's Fill.
type Overload struct {
	Load
	Sweep  []int   // clients of the closed loops
	Factor float64 // of the best throughput that is offered
	Status func(what string, p Progress)
}

// OverloadResult is one round.
type OverloadResult struct {
	Scenario     string    `json:"scenario"` // "overload"
	Round        int       `json:"round,omitempty"`
	Factor       float64   `json:"factor"`
	Closed       []*Result `json:"closed"`
	Best         float64   `json:"best_items_per_second"`
	Offered      *Result   `json:"offered"`
	GoodputRatio float64   `json:"goodput_ratio"` // goodput / best throughput
	RefusedPart  float64   `json:"refused_part"`  // of the requests
	RefusalP50   float64   `json:"refusal_p50_ms"`
	RefusalP99   float64   `json:"refusal_p99_ms"`
}

// Run measures one round.
func (o Overload) Run(ctx context.Context, t Target) (*OverloadResult, error) {
	if o.Factor <= 0 {
		return nil, fmt.Errorf("an overload by a factor of %v: it must be above 0", o.Factor)
	}
	open := o.Load.withDefaults()
	if open.Arrival == Closed {
		open.Arrival = Poisson
	}
	items, err := open.Items(open.underWay())
	if err != nil {
		return nil, err
	}
	r := &OverloadResult{Scenario: "overload", Factor: o.Factor}
	best := 0.0
	for _, clients := range o.Sweep {
		l := open
		l.Arrival, l.Clients, l.Fill = Closed, clients, 0
		l.Progress = named(o.Status, fmt.Sprintf("closed loop, %d × %d", clients, l.Batch))
		if err := l.Check(); err != nil {
			return nil, err
		}
		got, err := l.runWith(ctx, t, items)
		if err != nil {
			return nil, fmt.Errorf("closed loop, %d × %d: %w", clients, l.Batch, err)
		}
		r.Closed = append(r.Closed, got)
		best = max(best, got.RequestsPerSec)
	}
	open.Rate = o.Factor * best
	open.Progress = named(o.Status, fmt.Sprintf("%.3g requests/s offered", open.Rate))
	if err := open.Check(); err != nil {
		return nil, err
	}
	if r.Offered, err = open.runWith(ctx, t, items); r.Offered == nil { // a server that answers nothing is a finding
		return nil, fmt.Errorf("%.3g requests/s offered: %w", open.Rate, err)
	}
	r.Best = best * float64(open.Batch)
	r.GoodputRatio = r.Offered.RequestsPerSec / best
	r.RefusedPart = float64(r.Offered.Refused) / float64(max(r.Offered.Requests, 1))
	r.RefusalP50, r.RefusalP99 = r.Offered.Refusal.P50, r.Offered.Refusal.P99
	return r, nil
}
