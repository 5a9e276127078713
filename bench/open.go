package bench

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// mostDrain is how long an open loop waits, after its end, for answers to what was due within it.
const mostDrain = 90 * time.Second

// job is one request of an open loop.
type job struct {
	due     time.Time
	request []byte
}

// place is room for one request under way: a goroutine that waits for jobs, on a connection that others may share.
type place struct {
	conn Conn
	jobs chan job
}

// open sends requests when they are due, whatever became of earlier ones. Each request that is due within the window is
// counted once, with the time from when it was due, not from when the generator got to send it.
func (l Load) open(ctx context.Context, start time.Time, requests [][]byte, t Target, conns []Conn, counted *live) (*tally, *Late, float64) {
	work, cancel := context.WithCancel(ctx)
	defer cancel()
	o := &openLoop{Load: l, target: t, counted: counted, start: start, ctx: work, cancel: cancel, free: make(chan *place, l.MaxUnderWay),
		late: newHistogram(), unsent: newTally(), cores: func() float64 { return 0 }}
	for i := range o.tallies {
		o.tallies[i] = newTally()
	}
	o.settle()
	for i := 0; o.places < l.MaxUnderWay && i < grpcStreams; i++ { // one place after the other on each, so that all are used
		for _, c := range conns {
			if i < c.Streams() && o.places < l.MaxUnderWay {
				o.add(c)
			}
		}
	}
	n := 0
	for at := range l.Arrival.due(l.Rate, l.Seed) {
		due := start.Add(at)
		if w := o.window.Load(); w != nil && !due.Before(w.end) || ctx.Err() != nil {
			break
		}
		o.send(job{due, requests[n%len(requests)]})
		n++
	}
	cores := o.cores
	for range o.places { // each comes back when its request has ended
		close((<-o.free).jobs)
	}
	o.wg.Wait()
	for _, c := range o.dialed {
		c.Close()
	}
	for _, x := range o.tallies {
		o.unsent.merge(x)
	}
	late := &Late{Starts: o.lateStarts, P99: float64(o.late.ValueAtQuantile(99)) / 1000, Max: float64(o.late.Max()) / 1000, Waited: o.waited}
	return o.unsent, late, cores()
}

// openLoop is an open loop that runs. Its fields belong to the goroutine that sends; places share only free, counted
// and the tallies.
type openLoop struct {
	Load
	window  atomic.Pointer[window] // nil until it is known
	target  Target
	counted *live
	start   time.Time
	ctx     context.Context // ends when no answer is waited for any more
	cancel  context.CancelFunc
	cores   func() float64
	free    chan *place
	places  int
	dialed  []Conn // beyond those that the load began with
	wg      sync.WaitGroup
	tallies [shards]*tally
	unsent  *tally

	late       *hdrhistogram.Histogram // of the starts within the window
	lateStarts int64
	waited     int64
}

// settle sets the window once the load is at its full height: at once, or when the server has begun to refuse.
func (o *openLoop) settle() {
	if o.window.Load() != nil || time.Since(o.start) < o.Fill && o.counted.refused.Load() == 0 {
		return
	}
	begin := time.Now().Add(o.Warmup)
	w := window{begin, begin.Add(o.Duration)}
	o.window.Store(&w)
	o.cores = measureCPU(w)
	cut := time.AfterFunc(time.Until(w.end.Add(min(o.Timeout, mostDrain))), o.cancel)
	context.AfterFunc(o.ctx, func() { cut.Stop() })
}

// holds reports whether a time lies within the window.
func (o *openLoop) holds(t time.Time) bool {
	w := o.window.Load()
	return w != nil && w.holds(t)
}

// add makes one more place on a connection.
func (o *openLoop) add(c Conn) {
	p := &place{conn: c, jobs: make(chan job)}
	t := o.tallies[o.places%shards]
	o.places++
	o.wg.Go(func() {
		for j := range p.jobs {
			err := o.exchange(o.ctx, p.conn, j.request)
			done := time.Now()
			if err != nil && o.ctx.Err() != nil {
				err = errUnfinished
			}
			t.count(done.Sub(j.due), err, o.holds(j.due), o.holds(done))
			o.counted.count(err)
			o.free <- p
		}
	})
	o.free <- p
}

// grow makes places on a further connection, when there may be more.
func (o *openLoop) grow() {
	if o.places >= o.MaxUnderWay {
		return
	}
	c, err := o.target.Dial()
	if err != nil {
		return // as many as there are will do
	}
	o.dialed = append(o.dialed, c)
	for range min(c.Streams(), o.MaxUnderWay-o.places) {
		o.add(c)
	}
}

// send waits until a request is due and hands it to a free place. When all are taken it waits for one: the request is
// late, and its latency says so.
func (o *openLoop) send(j job) {
	sleep(o.ctx, time.Until(j.due))
	o.settle()
	if len(o.free) == 0 {
		o.grow()
	}
	counts := o.holds(j.due)
	if len(o.free) == 0 && counts {
		o.waited++
	}
	var p *place
	select {
	case p = <-o.free:
	case <-o.ctx.Done():
	}
	now := time.Now()
	behind := now.Sub(j.due)
	if counts {
		record(o.late, behind)
		if behind > lateAfter {
			o.lateStarts++
		}
	}
	if p == nil {
		o.unsent.count(behind, errUnfinished, counts, false)
		return
	}
	p.jobs <- j
}
