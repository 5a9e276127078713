package bench

import (
	"context"
	"errors"
	"math"
	"testing"
	"testing/synctest"
	"time"
)

func texts(l Load) Load {
	l.Kind, l.Texts = "text", "caption"
	l.Clients, l.Batch = max(l.Clients, 1), max(l.Batch, 1)
	return l
}

// run runs a load in time that is not real.
func run(t *testing.T, l Load, s *server) (r *Result, err error) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { r, err = texts(l).Run(t.Context(), s) })
	return r, err
}

func TestConstantArrivalsAreCountedFromWhenTheyWereDue(t *testing.T) {
	s := &server{streams: 10, answer: takes(7 * time.Millisecond)}
	r, err := run(t, Load{Arrival: Constant, Rate: 50, Warmup: time.Second, Duration: 4 * time.Second, Batch: 3}, s)
	if err != nil {
		t.Fatal(err)
	}
	if r.Requests != 200 || r.Latency.Count != 200 || r.Failed+r.Refused+r.Unfinished != 0 {
		t.Fatalf("%+v; 200 requests were due within the window, and all were answered", r)
	}
	if r.ItemsPerSec != 150 || r.RequestsPerSec != 50 {
		t.Errorf("%v items and %v requests a second; 150 and 50 were offered", r.ItemsPerSec, r.RequestsPerSec)
	}
	if math.Abs(r.Latency.P50-7) > 0.01 || math.Abs(r.Latency.Max-7) > 0.01 {
		t.Errorf("p50 %v ms, max %v ms; every answer takes 7 ms", r.Latency.P50, r.Latency.Max)
	}
	if got := s.exchanges.Load(); got != 250 {
		t.Errorf("%d requests were sent; 5 s at 50 a second are 250", got)
	}
	if s.dialed.Load() != s.closed.Load() {
		t.Errorf("%d connections were opened and %d closed", s.dialed.Load(), s.closed.Load())
	}
}

func TestPoissonArrivalsHaveTheRateOnAverage(t *testing.T) {
	s := &server{streams: 100, answer: takes(time.Millisecond)}
	r, err := run(t, Load{Arrival: Poisson, Rate: 100, Duration: 100 * time.Second}, s)
	if err != nil {
		t.Fatal(err)
	}
	if math.Abs(float64(r.Requests)-10000) > 400 { // four times the standard deviation
		t.Errorf("%d requests in 100 s at 100 a second", r.Requests)
	}
}

// A server that stops for a second every ten: what a closed loop does not see, an open one does.
func TestCoordinatedOmission(t *testing.T) {
	stalling := func() *server {
		began := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC) // when a bubble of testing/synctest begins
		return &server{streams: 1000, answer: func(ctx context.Context, _ int64, _ int) error {
			stands := time.Duration(0)
			if phase := time.Since(began) % (10 * time.Second); phase >= 9*time.Second {
				stands = 10*time.Second - phase
			}
			return wait(ctx, stands+time.Millisecond)
		}}
	}
	closed, err := run(t, Load{Clients: 1, Duration: 40 * time.Second}, stalling())
	if err != nil {
		t.Fatal(err)
	}
	open, err := run(t, Load{Arrival: Constant, Rate: 100, Duration: 40 * time.Second}, stalling())
	if err != nil {
		t.Fatal(err)
	}
	if closed.Latency.P99 > 2 {
		t.Errorf("the closed loop saw a p99 of %v ms; it sends nothing while the server stands, so few of its requests are slow", closed.Latency.P99)
	}
	// A tenth of the requests are due in a second of standing: the 99th percentile is 9/10 of the way through it.
	if math.Abs(open.Latency.P99-900) > 20 || math.Abs(open.Latency.P95-500) > 20 {
		t.Errorf("the open loop saw a p95 of %v ms and a p99 of %v; a tenth of the requests wait up to a second", open.Latency.P95, open.Latency.P99)
	}
}

// A generator that may have only one request under way is late itself; the latencies must not hide it.
func TestLateStartsCountInTheLatency(t *testing.T) {
	s := &server{answer: takes(20 * time.Millisecond)}
	r, err := run(t, Load{Arrival: Constant, Rate: 100, MaxUnderWay: 1, Duration: time.Second, Timeout: time.Minute}, s)
	if err != nil {
		t.Fatal(err)
	}
	if s.most.Load() != 1 {
		t.Fatalf("%d requests were under way; 1 was allowed", s.most.Load())
	}
	if r.Requests != 100 || r.Latency.Count != 100 {
		t.Fatalf("%+v; 100 requests were due", r)
	}
	// The last one is due after 990 ms and sent when 99 others have taken 20 ms each.
	if want := 99*20 + 20 - 990.0; math.Abs(r.Latency.Max-want) > want/100 {
		t.Errorf("max %v ms; %v ms were to be counted", r.Latency.Max, want)
	}
	if r.KeptRate() || r.Late.Starts < 95 || r.Late.Waited < 95 {
		t.Errorf("%+v; nearly all starts were late, as the only place was taken", r.Late)
	}
	if len(r.notes()) == 0 {
		t.Error("the table says nothing of the rate that was not kept")
	}
}

func TestUnfinishedRequestsAreNotLeftOut(t *testing.T) {
	s := &server{streams: 100, answer: func(ctx context.Context, n int64, _ int) error {
		if n%2 == 0 {
			return wait(ctx, time.Millisecond)
		}
		<-ctx.Done() // for ever
		return ctx.Err()
	}}
	r, err := run(t, Load{Arrival: Constant, Rate: 10, Duration: 2 * time.Second, MaxUnderWay: 5, Timeout: 10 * time.Minute}, s)
	if err != nil {
		t.Fatal(err)
	}
	if got := r.Latency.Count + r.Refused + r.Failed; got != 20 || r.Requests != 20 {
		t.Errorf("%d of %d requests are counted; 20 were due", got, r.Requests)
	}
	// Five hang and take all places; from then on nothing is sent.
	if r.Unfinished != 20-r.answered() || r.Unfinished < 10 {
		t.Errorf("%d unfinished, %d answered", r.Unfinished, r.answered())
	}
	if r.Latency.P99 < 30_000 {
		t.Errorf("p99 %v ms; those without an answer had waited for more than 30 s", r.Latency.P99)
	}
	if s.most.Load() > 5 {
		t.Errorf("%d requests were under way; 5 were allowed", s.most.Load())
	}
}

func (r *Result) answered() int64 { return r.Latency.Count - r.Unfinished }

func TestRefusalsAndErrorsAreCountedApart(t *testing.T) {
	s := &server{streams: 100, answer: func(ctx context.Context, n int64, _ int) error {
		switch n % 4 {
		case 0:
			wait(ctx, 2*time.Millisecond)
			return refused("no room")
		case 1:
			return errors.New("broken")
		}
		return wait(ctx, 30*time.Millisecond)
	}}
	r, err := run(t, Load{Arrival: Constant, Rate: 100, Duration: 4 * time.Second}, s)
	if err != nil {
		t.Fatal(err)
	}
	if r.Refused != 100 || r.Failed != 100 || r.Latency.Count != 200 || r.Requests != 400 {
		t.Errorf("%+v; a quarter is refused and a quarter fails", r)
	}
	if math.Abs(r.Refusal.P50-2) > 0.01 || math.Abs(r.Latency.P50-30) > 0.1 {
		t.Errorf("refusals take %v ms and answers %v; they were 2 and 30", r.Refusal.P50, r.Latency.P50)
	}
	if r.FirstError != "broken" || r.FirstRefusal != "refused: no room" {
		t.Errorf("first error %q, first refusal %q", r.FirstError, r.FirstRefusal)
	}
}

func TestMoreConnectionsAreOpenedAsNeeded(t *testing.T) {
	s := &server{answer: takes(100 * time.Millisecond)} // one exchange a connection
	r, err := run(t, Load{Arrival: Constant, Rate: 100, Duration: time.Second, MaxUnderWay: 50}, s)
	if err != nil {
		t.Fatal(err)
	}
	if got := s.dialed.Load(); got < 10 || got > 12 {
		t.Errorf("%d connections; 100 requests a second of 100 ms need ten", got)
	}
	if !r.KeptRate() || r.Latency.Max > 101 {
		t.Errorf("late: %+v, max %v ms", r.Late, r.Latency.Max)
	}
	if s.dialed.Load() != s.closed.Load() {
		t.Errorf("%d connections were opened and %d closed", s.dialed.Load(), s.closed.Load())
	}
}

func TestTheMeasureBeginsWhenTheServerIsFull(t *testing.T) {
	w := &worker{item: 10 * time.Millisecond, room: 500} // full after 5 s of twice its rate
	s := &server{streams: 1000, answer: w.answer}
	r, err := run(t, Load{Arrival: Constant, Rate: 200, Fill: time.Minute, Warmup: time.Second, Duration: 10 * time.Second, MaxUnderWay: 2000}, s)
	if err != nil {
		t.Fatal(err)
	}
	if math.Abs(r.RequestsPerSec-100) > 1 {
		t.Errorf("%v answers a second; the server makes 100", r.RequestsPerSec)
	}
	if math.Abs(float64(r.Refused)-1000) > 10 || r.Requests != 2000 {
		t.Errorf("%d of %d requests refused; half of 2000", r.Refused, r.Requests)
	}
	if r.Latency.P50 < 4900 {
		t.Errorf("p50 %v ms; behind a full queue an answer takes 5 s", r.Latency.P50)
	}
}

func TestALoadEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		for _, a := range []Arrival{Closed, Constant} {
			s := &server{streams: 10, answer: func(ctx context.Context, _ int64, _ int) error {
				<-ctx.Done()
				return ctx.Err()
			}}
			began := time.Now()
			_, err := texts(Load{Arrival: a, Rate: 5, Duration: time.Hour, Timeout: time.Hour}).Run(ctx, s)
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%v: %v", a, err)
			}
			if time.Since(began) > 3*time.Second { // of time that is not real
				t.Errorf("%v: ended %v after its context", a, time.Since(began)-3*time.Second)
			}
		}
	})
}
