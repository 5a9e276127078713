package bench

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Sweep runs a load with each batch size and number of clients, several rounds of all of them: a machine whose speed
// drifts is then as fast, or slow, for each.
type Sweep struct {
	Load
	Batches []int
	Clients []int
	Rounds  int
	Each    func(*Result)                 // called with each round's result; may be nil
	Status  func(what string, p Progress) // called a few times a second; may be nil
}

// Cell is one batch size with one number of clients.
type Cell struct {
	Median *Result   `json:"median"`
	Rounds []*Result `json:"rounds"`
}

// Run returns a cell for each batch size and number of clients, clients changing first. A load that nothing answered does
// not end the sweep: its error comes with the cells.
func (s Sweep) Run(ctx context.Context, t Target) ([]Cell, error) {
	var loads []Load
	most := 0
	for _, batch := range s.Batches {
		for _, clients := range s.Clients {
			l := s.Load
			l.Batch, l.Clients = batch, clients
			if err := l.Check(); err != nil {
				return nil, err
			}
			l = l.withDefaults()
			most = max(most, l.underWay())
			loads = append(loads, l)
		}
	}
	if len(loads) == 0 || s.Rounds < 1 {
		return nil, fmt.Errorf("%d batch sizes, %d numbers of clients and %d rounds: at least one of each is needed", len(s.Batches), len(s.Clients), s.Rounds)
	}
	items, err := s.Items(most)
	if err != nil {
		return nil, err
	}
	cells := make([]Cell, len(loads))
	var silent []error
	for round := 1; round <= s.Rounds; round++ {
		for i, l := range loads {
			l.Progress = s.progress(l, round)
			r, err := l.runWith(ctx, t, items)
			if err != nil {
				err = fmt.Errorf("%s, %d × %d: %w", l.Kind, l.Clients, l.Batch, err)
				if r == nil {
					return nil, err
				}
				silent = append(silent, err)
			}
			r.Round = round
			cells[i].Rounds = append(cells[i].Rounds, r)
			if s.Each != nil {
				s.Each(r)
			}
		}
	}
	for i := range cells {
		cells[i].Median = Median(cells[i].Rounds)
	}
	return cells, errors.Join(silent...)
}

func (s Sweep) progress(l Load, round int) func(Progress) {
	if s.Status == nil {
		return nil
	}
	what := fmt.Sprintf("%s %d × %d", l.Kind, l.Clients, l.Batch)
	if s.Rounds > 1 {
		what += fmt.Sprintf(", round %d of %d", round, s.Rounds)
	}
	return func(p Progress) { s.Status(what, p) }
}

// named gives a load a progress function under a name.
func named(status func(string, Progress), what string) func(Progress) {
	if status == nil {
		return nil
	}
	return func(p Progress) { status(what, p) }
}

// String is the progress in a line of at most 79 columns.
func (p Progress) String() string {
	s := fmt.Sprintf("%.0f of %.0f s, %.1f items/s", min(p.Elapsed, p.Of).Seconds(), p.Of.Seconds(), p.ItemsPerSec)
	if p.Elapsed > p.Of {
		s = fmt.Sprintf("waiting for answers, %v over time", (p.Elapsed - p.Of).Truncate(time.Second))
	}
	if p.Refused > 0 {
		s += fmt.Sprintf(", %d refused", p.Refused)
	}
	if p.Failed > 0 {
		s += fmt.Sprintf(", %d failed", p.Failed)
	}
	return s
}
