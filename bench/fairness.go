package bench

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// Fairness measures how much a client with large requests holds up one with single texts: the latency of the single texts
// alone, and again while the other sends batches without pause.
type Fairness struct {
	Load            // Batch and Clients are those of the small client
	Bulk        int // items in a request of the large client
	BulkClients int // how many of those
	Status      func(what string, p Progress)
}

// FairnessResult is one round.
type FairnessResult struct {
	Scenario string  `json:"scenario"` // "fairness"
	Round    int     `json:"round,omitempty"`
	Alone    *Result `json:"alone"`
	Beside   *Result `json:"beside"` // the small client, with the large one beside it
	Bulk     *Result `json:"bulk"`   // the large one
	P50Ratio float64 `json:"p50_ratio"`
	P99Ratio float64 `json:"p99_ratio"` // beside / alone
}

// Run measures one round.
func (f Fairness) Run(ctx context.Context, t Target) (*FairnessResult, error) {
	small, bulk := f.Load.withDefaults(), f.Load.withDefaults()
	small.Arrival, bulk.Arrival = Closed, Closed
	bulk.Batch, bulk.Clients = f.Bulk, f.BulkClients
	bulk.Seed++ // no input of the one is an input of the other
	if err := errors.Join(small.Check(), bulk.Check()); err != nil {
		return nil, err
	}
	smallItems, err := small.Items(small.underWay())
	if err != nil {
		return nil, err
	}
	bulkItems, err := bulk.Items(bulk.underWay())
	if err != nil {
		return nil, err
	}
	r := &FairnessResult{Scenario: "fairness"}
	small.Progress = named(f.Status, "alone")
	if r.Alone, err = small.runWith(ctx, t, smallItems); err != nil {
		return nil, fmt.Errorf("single texts alone: %w", err)
	}
	small.Progress = named(f.Status, fmt.Sprintf("beside batches of %d", f.Bulk))
	var wg sync.WaitGroup
	var bulkErr error
	wg.Go(func() { r.Bulk, bulkErr = bulk.runWith(ctx, t, bulkItems) })
	r.Beside, err = small.runWith(ctx, t, smallItems)
	wg.Wait()
	if err != nil {
		return nil, fmt.Errorf("single texts beside batches: %w", err)
	}
	if bulkErr != nil {
		return nil, fmt.Errorf("batches beside single texts: %w", bulkErr)
	}
	r.P50Ratio = r.Beside.Latency.P50 / r.Alone.Latency.P50
	r.P99Ratio = r.Beside.Latency.P99 / r.Alone.Latency.P99
	return r, nil
}
