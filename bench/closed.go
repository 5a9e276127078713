package bench

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// How long a client of a closed loop waits after a request that was not answered, so that it does not hammer a server
// that has no room or does not work.
const (
	waitRefused = 10 * time.Millisecond
	waitFailed  = 100 * time.Millisecond
)

// closed has each client send its next request when the last one is answered. What ends within the window counts, wherever it
// began: long requests would be counted short otherwise.
func (l Load) closed(ctx context.Context, w window, requests [][]byte, conns []Conn, counted *live) *tally {
	tallies := make([]*tally, min(len(conns), shards))
	for i := range tallies {
		tallies[i] = newTally()
	}
	var next atomic.Int64
	var wg sync.WaitGroup
	for i, conn := range conns {
		t := tallies[i%len(tallies)]
		wg.Go(func() {
			for time.Now().Before(w.end) && ctx.Err() == nil {
				n := int(next.Add(1)-1) % len(requests)
				sent := time.Now()
				err := l.exchange(ctx, conn, requests[n])
				done := time.Now()
				in := w.holds(done)
				t.count(done.Sub(sent), err, in, in)
				counted.count(err)
				switch {
				case errors.Is(err, ErrRefused):
					sleep(ctx, waitRefused)
				case err != nil:
					sleep(ctx, waitFailed)
				}
			}
		})
	}
	wg.Wait()
	total := newTally()
	for _, t := range tallies {
		total.merge(t)
	}
	return total
}

// exchange sends one request with the load's time limit.
func (l Load) exchange(ctx context.Context, c Conn, request []byte) error {
	ctx, cancel := context.WithTimeout(ctx, l.Timeout)
	defer cancel()
	return c.Exchange(ctx, request, l.Batch)
}

// sleep waits; false means that the context ended before.
func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
