package bench

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// Load says what is sent to a server.
type Load struct {
	Material
	Arrival     Arrival
	Rate        float64       // open loop: requests a second
	Clients     int           // closed loop: clients, each with a connection of its own; open loop: connections to begin with
	Batch       int           // items in a request
	MaxUnderWay int           // open loop: the most requests under way; 0: 1024
	Warmup      time.Duration // loaded, but not measured
	Duration    time.Duration // measured
	Fill        time.Duration // open loop: load at most this long before the warm-up, until the server refuses something
	Timeout     time.Duration // of one request; it fails after that; 0: 5 minutes
	// Progress is called a few times a second, when it is not nil.
	Progress func(Progress)
}

// Progress is how far a load is.
type Progress struct {
	Elapsed, Of               time.Duration // the warm-up counts in
	Answered, Refused, Failed int64         // requests
	ItemsPerSec               float64       // since the last call
}

// Bounds and defaults.
const (
	defaultUnderWay = 1024
	defaultTimeout  = 5 * time.Minute
	progressEvery   = 250 * time.Millisecond
	shards          = 8 // tallies, so that clients do not wait for each other
)

func (l Load) withDefaults() Load {
	if l.MaxUnderWay <= 0 {
		l.MaxUnderWay = defaultUnderWay
	}
	if l.Timeout <= 0 {
		l.Timeout = defaultTimeout
	}
	return l
}

// Check returns what is wrong with the load.
func (l Load) Check() error {
	switch {
	case l.Kind != "text" && l.Kind != "image" && l.Kind != "mixed":
		return fmt.Errorf("kind %q is not text, image or mixed", l.Kind)
	case l.Kind != "text" && len(l.Pictures) == 0:
		return fmt.Errorf("kind %s needs a picture, such as 640x480", l.Kind)
	case l.Clients < 1 || l.Batch < 1:
		return fmt.Errorf("%d clients and a batch of %d: both must be at least 1", l.Clients, l.Batch)
	case l.Duration <= 0 || l.Warmup < 0 || l.Fill < 0:
		return fmt.Errorf("a duration of %v and a warm-up of %v: the duration must be above 0, the warm-up not below", l.Duration, l.Warmup)
	case l.Arrival != Closed && !(l.Rate > 0 && l.Rate <= 1e6):
		return fmt.Errorf("%v arrivals need a rate above 0 and at most a million requests a second; it is %v", l.Arrival, l.Rate)
	}
	return nil
}

// underWay is the most items that the server can have at a time.
func (l Load) underWay() int {
	if l.Arrival == Closed {
		return l.Clients * l.Batch
	}
	return l.MaxUnderWay * l.Batch
}

// encode makes the requests that are sent in turn.
func (l Load) encode(t Target, items []Item) ([][]byte, error) {
	if l.Kind == "mixed" && !t.Mixed() {
		items = apart(items, l.Batch)
	}
	requests := make([][]byte, max(len(items)/l.Batch, 1))
	for r := range requests {
		batch := make([]Item, l.Batch)
		for i := range batch {
			batch[i] = items[(r*l.Batch+i)%len(items)]
		}
		var err error
		if requests[r], err = t.Encode(batch); err != nil {
			return nil, err
		}
	}
	return requests, nil
}

// apart orders mixed items so that every other request holds texts alone, and the rest pictures alone.
func apart(items []Item, batch int) []Item {
	var kinds [2][]Item
	for _, it := range items {
		k := 0
		if it.Picture != nil {
			k = 1
		}
		kinds[k] = append(kinds[k], it)
	}
	ordered := make([]Item, 0, len(items))
	for len(kinds[0]) >= batch && len(kinds[1]) >= batch {
		for k := range kinds {
			ordered = append(ordered, kinds[k][:batch]...)
			kinds[k] = kinds[k][batch:]
		}
	}
	if len(ordered) == 0 { // fewer than a request of each: repeat them
		for k := range kinds {
			for i := range batch {
				ordered = append(ordered, kinds[k][i%len(kinds[k])])
			}
		}
	}
	return ordered
}

// Run loads the server and returns what it saw. A load that nothing answered gives its result and an error.
func (l Load) Run(ctx context.Context, t Target) (*Result, error) {
	if err := l.Check(); err != nil {
		return nil, err
	}
	l = l.withDefaults()
	items, err := l.Items(l.underWay())
	if err != nil {
		return nil, err
	}
	return l.runWith(ctx, t, items)
}

// runWith does the same with inputs that are ready.
func (l Load) runWith(ctx context.Context, t Target, items []Item) (*Result, error) {
	requests, err := l.encode(t, items)
	if err != nil {
		return nil, err
	}
	return l.run(ctx, t, requests)
}

// run loads the server with requests that are ready.
func (l Load) run(ctx context.Context, t Target, requests [][]byte) (*Result, error) {
	conns := make([]Conn, 0, l.Clients)
	defer func() {
		for _, c := range conns {
			c.Close()
		}
	}()
	for range l.Clients {
		c, err := t.Dial()
		if err != nil {
			return nil, err
		}
		conns = append(conns, c)
	}
	start := time.Now()
	counted := &live{}
	stop := l.report(ctx, start, counted)
	var total *tally
	var late *Late
	var cores float64
	if l.Arrival == Closed {
		w := window{start.Add(l.Warmup), start.Add(l.Warmup + l.Duration)}
		cpu := measureCPU(w)
		total = l.closed(ctx, w, requests, conns, counted)
		cores = cpu()
	} else {
		total, late, cores = l.open(ctx, start, requests, t, conns, counted)
	}
	stop()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	r := l.result(total, late, cores)
	return r, r.empty()
}

func (l Load) result(t *tally, late *Late, cores float64) *Result {
	r := &Result{
		Kind: l.Kind, Arrival: l.Arrival, Clients: l.Clients, Batch: l.Batch, Seconds: l.Duration.Seconds(),
		Refused: t.refused.TotalCount(), Failed: t.failed, Unfinished: t.unfinished,
		Latency: latency(t.answered), Refusal: latency(t.refused), Late: late, ClientCores: cores,
		FirstError: t.firstError, FirstRefusal: t.refusal,
	}
	if l.Arrival != Closed {
		r.Rate = l.Rate
	}
	r.Requests = r.Latency.Count + r.Refused + r.Failed
	r.RequestsPerSec = float64(t.completed) / r.Seconds
	r.ItemsPerSec = r.RequestsPerSec * float64(l.Batch)
	return r
}

// report calls Progress until the function that it returns is called.
func (l Load) report(ctx context.Context, start time.Time, counted *live) (stop func()) {
	if l.Progress == nil {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(progressEvery)
		defer tick.Stop()
		last, before := start, int64(0)
		for {
			select {
			case <-ctx.Done():
				return
			case now := <-tick.C:
				p := Progress{Elapsed: now.Sub(start), Of: l.Fill + l.Warmup + l.Duration, Answered: counted.answered.Load(),
					Refused: counted.refused.Load(), Failed: counted.failed.Load()}
				p.ItemsPerSec = float64((p.Answered-before)*int64(l.Batch)) / now.Sub(last).Seconds()
				last, before = now, p.Answered
				l.Progress(p)
			}
		}
	})
	return func() {
		cancel()
		wg.Wait()
	}
}
