package bench

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestClosedLoop(t *testing.T) {
	s := &server{answer: takes(10 * time.Millisecond)}
	var seen []Progress
	l := Load{Clients: 4, Batch: 8, Warmup: time.Second, Duration: 5 * time.Second, Progress: func(p Progress) { seen = append(seen, p) }}
	r, err := run(t, l, s)
	if err != nil {
		t.Fatal(err)
	}
	if math.Abs(r.RequestsPerSec-400) > 1 || math.Abs(r.ItemsPerSec-3200) > 8 {
		t.Errorf("%v requests and %v items a second; four clients that wait 10 ms each make 400 and 3200", r.RequestsPerSec, r.ItemsPerSec)
	}
	if math.Abs(r.Latency.P99-10) > 0.01 || r.Late != nil || r.Rate != 0 {
		t.Errorf("%+v", r)
	}
	if s.most.Load() != 4 || s.dialed.Load() != 4 || s.closed.Load() != 4 {
		t.Errorf("%d at a time on %d connections, of which %d were closed; 4 were wanted", s.most.Load(), s.dialed.Load(), s.closed.Load())
	}
	if len(seen) < 20 {
		t.Fatalf("progress was told %d times in 6 s", len(seen))
	}
	if p := seen[len(seen)-1]; p.Of != 6*time.Second || p.Answered < 2000 || math.Abs(p.ItemsPerSec-3200) > 130 {
		t.Errorf("%+v", p)
	}
}

// A request that is longer than the window counts when it ends within it.
func TestClosedLoopCountsWhatEndsWithinTheWindow(t *testing.T) {
	s := &server{answer: takes(4 * time.Second)}
	r, err := run(t, Load{Clients: 1, Batch: 32, Warmup: time.Second, Duration: 8 * time.Second}, s)
	if err != nil {
		t.Fatal(err)
	}
	if r.Requests != 2 || r.ItemsPerSec != 8 {
		t.Errorf("%d requests, %v items a second; two ended within 8 s", r.Requests, r.ItemsPerSec)
	}
}

func TestClosedLoopDoesNotHammerAServerThatRefuses(t *testing.T) {
	s := &server{answer: func(context.Context, int64, int) error { return refused("no room") }}
	r, err := run(t, Load{Clients: 1, Duration: time.Second}, s)
	if err == nil || !strings.Contains(err.Error(), "no room") {
		t.Errorf("error %v; nothing was answered, and why was known", err)
	}
	if r == nil || r.Refused != 100 || r.ItemsPerSec != 0 || r.Latency != (Latency{}) {
		t.Errorf("%+v; a client asks again after 10 ms", r)
	}
}

func TestALoadThatOnlyFailsIsAnError(t *testing.T) {
	s := &server{answer: func(context.Context, int64, int) error { return errors.New("on fire") }}
	r, err := run(t, Load{Clients: 2, Duration: time.Second}, s)
	if err == nil || !strings.Contains(err.Error(), "on fire") || r.Failed != 20 {
		t.Errorf("%v, %+v", err, r)
	}
}

func TestATimedOutRequestFails(t *testing.T) {
	s := &server{answer: func(ctx context.Context, n int64, _ int) error {
		if n == 0 {
			<-ctx.Done()
			return ctx.Err()
		}
		return wait(ctx, time.Millisecond)
	}}
	r, err := run(t, Load{Clients: 1, Duration: 5 * time.Second, Timeout: time.Second}, s)
	if err != nil || r.Failed != 1 {
		t.Errorf("%v, %+v; one request hangs", err, r)
	}
}

func TestLoadsThatMakeNoSense(t *testing.T) {
	good := texts(Load{Duration: time.Second})
	check := func(change func(*Load), want string) {
		t.Helper()
		l := good
		change(&l)
		if err := l.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v; want %q", err, want)
		}
	}
	if err := good.Check(); err != nil {
		t.Error(err)
	}
	check(func(l *Load) { l.Kind = "video" }, "video")
	check(func(l *Load) { l.Kind = "image" }, "needs a picture")
	check(func(l *Load) { l.Clients = 0 }, "0 clients")
	check(func(l *Load) { l.Duration = 0 }, "duration")
	check(func(l *Load) { l.Warmup = -1 }, "warm-up")
	check(func(l *Load) { l.Arrival = Poisson }, "rate")
	check(func(l *Load) { l.Arrival, l.Rate = Constant, math.NaN() }, "rate")
	check(func(l *Load) { l.Arrival, l.Rate = Constant, 1e9 }, "rate")
}

func TestSweepTakesRoundsOfEverything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &server{answer: func(ctx context.Context, n int64, items int) error {
			return wait(ctx, time.Duration(items)*time.Millisecond)
		}}
		var order []int
		sweep := Sweep{Load: texts(Load{Duration: time.Second}), Batches: []int{1, 10}, Clients: []int{1, 2}, Rounds: 3,
			Each: func(r *Result) { order = append(order, r.Round) }}
		cells, err := sweep.Run(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		if len(cells) != 4 || len(order) != 12 || order[3] != 1 || order[4] != 2 {
			t.Fatalf("%d cells, rounds %v; each round holds all four loads", len(cells), order)
		}
		for i, want := range [][2]int{{1, 1}, {1, 2}, {10, 1}, {10, 2}} {
			m := cells[i].Median
			if m.Batch != want[0] || m.Clients != want[1] || m.Rounds != 3 || math.Abs(m.ItemsPerSec-1000*float64(want[1])) > 20 {
				t.Errorf("cell %d: %+v", i, m)
			}
		}
	})
}

func TestASweepGoesOnAfterALoadThatNothingAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &server{answer: func(ctx context.Context, n int64, items int) error {
			if items == 32 {
				return errors.New("too large")
			}
			return wait(ctx, time.Millisecond)
		}}
		cells, err := Sweep{Load: texts(Load{Duration: time.Second}), Batches: []int{32, 1}, Clients: []int{1}, Rounds: 1}.Run(t.Context(), s)
		if err == nil || !strings.Contains(err.Error(), "1 × 32") || len(cells) != 2 || cells[1].Median.Requests == 0 {
			t.Errorf("%v, %+v", err, cells)
		}
	})
}
