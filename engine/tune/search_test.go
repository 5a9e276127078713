package tune

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// find searches on a machine in a bubble, where time is the scripts' own.
func find(t *testing.T, m *machine, change func(*Options)) *Result {
	t.Helper()
	o := Options{Open: m.Open, Present: Setting{Wide: true, Minibatch: 32}, Space: Space{Cores: m.cores, Wide: m.wide}, For: Balanced,
		Time: 2 * time.Minute, Material: material()}
	if change != nil {
		change(&o)
	}
	began := time.Now()
	r, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took > o.Time || r.Took > o.Time {
		t.Errorf("took %v and said %v of %v", took, r.Took, o.Time)
	}
	return r
}

// The threads of a lane do little on this machine and lanes much, so for throughput there are as many as cores.
func TestThroughputTakesLanes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := find(t, newMachine(t), func(o *Options) {
			o.For, o.Present = Throughput, Setting{Lanes: 1, Threads: 4, Minibatch: 32}
		})
		if !r.Change || r.Best.Lanes != 4 || r.Best.Threads != 4 || r.Gain <= r.Margin || r.Compared < comparisonLeast {
			t.Errorf("%v, gain %.2f of %.2f, %d rounds, change %t", r.Best.Setting, r.Gain, r.Margin, r.Compared, r.Change)
		}
	})
}

// One lane has all threads, and nobody waits less than with it.
func TestLatencyTakesThreads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := find(t, newMachine(t), func(o *Options) { o.For, o.Present = Latency, Setting{Lanes: 4, Threads: 4, Minibatch: 32} })
		if !r.Change || r.Best.Lanes != 1 || r.Best.Threads != 4 {
			t.Errorf("%v, change %t", r.Best.Setting, r.Change)
		}
	})
}

// Four lanes carry the most, but a lonely caller waits nearly twice as long as with one: balanced takes neither.
func TestBalancedBoundsTheWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := find(t, newMachine(t), func(o *Options) { o.Present = Setting{Lanes: 4, Threads: 4, Minibatch: 32} })
		quickest := r.Best.Figures.Alone()
		for _, c := range r.Candidates {
			if len(c.Rounds) > 0 {
				quickest = min(quickest, c.Figures.Alone())
			}
		}
		if !r.Change || float64(r.Best.Figures.Alone()) > slack*float64(quickest) || r.Best.Lanes == 4 {
			t.Errorf("%v waits %v, the quickest %v", r.Best.Setting, r.Best.Figures.Alone(), quickest)
		}
	})
}

// The fixed price of a batch is high, so that larger ones carry more.
func TestMinibatchIsFound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMachine(t)
		m.cores, m.fixed, m.row = 1, 40*time.Millisecond, 100*time.Microsecond
		r := find(t, m, func(o *Options) { o.For, o.Present = Throughput, Setting{Lanes: 1, Threads: 1, Minibatch: 8} })
		if !r.Change || r.Best.Minibatch < 32 {
			t.Errorf("%v", r.Best.Setting)
		}
		r = find(t, m, func(o *Options) {
			o.For, o.Present, o.Space.KeepMinibatch = Throughput, Setting{Lanes: 1, Threads: 1, Minibatch: 8}, true
		})
		for _, c := range r.Candidates {
			if c.Minibatch != 8 {
				t.Errorf("tried %v", c.Setting)
			}
		}
	})
}

// All settings of this machine are alike and each visit deviates by chance: nothing may be recommended but rarely.
func TestNoiseIsNoReason(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		changes := 0
		const searches = 10
		for seed := range uint64(searches) {
			m := newMachine(t)
			m.rnd, m.noise, m.cores = rand.New(rand.NewPCG(seed, 1)), 0.08, 1
			m.row, m.fixed = 0, 10*time.Millisecond // the size of a batch changes nothing for a caller who is alone
			r := find(t, m, func(o *Options) {
				o.For, o.Time, o.Present = Latency, 30*time.Second, Setting{Lanes: 1, Threads: 1, Minibatch: 32}
			})
			if r.Change {
				changes++
			} else if r.Best != r.Present() {
				t.Error("no change, but another setting")
			}
		}
		if changes > 2 {
			t.Errorf("%d of %d searches recommend a change between settings that are alike", changes, searches)
		}
	})
}

// A setting that is better by far more than the noise is found whatever the noise does in the first round.
func TestBestSurvivesNoise(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		best := Setting{Lanes: 2, Threads: 4, Minibatch: 32}
		for seed := range uint64(12) {
			m := newMachine(t)
			m.rnd, m.noise = rand.New(rand.NewPCG(seed, 2)), 0.08
			m.bonus = map[Setting]float64{best: 0.6}
			r := find(t, m, func(o *Options) {
				o.For, o.Present, o.Space.KeepMinibatch = Throughput, Setting{Lanes: 4, Threads: 4, Minibatch: 32}, true
			})
			if !r.Change || r.Best.Setting != best {
				t.Errorf("seed %d: %v, change %t", seed, r.Best.Setting, r.Change)
			}
		}
	})
}

// A broken setting, and one that turns out to be another, cost a line and not the search.
func TestBrokenAndTwins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMachine(t)
		m.fails = func(s Setting) error {
			if s.Lanes == 3 {
				return errBroken
			}
			return nil
		}
		r := find(t, m, func(o *Options) { o.Space.Wide = true }) // which the machine does not have
		broken, twins := 0, 0
		for _, c := range r.Candidates {
			if c.Dropped == errBroken.Error() {
				broken++
			}
			if strings.HasPrefix(c.Dropped, "the same as ") {
				twins++
			}
		}
		if broken == 0 || twins == 0 {
			t.Errorf("%d broken, %d twins", broken, twins)
		}
		m.fails = func(Setting) error { return errBroken }
		_, err := Run(t.Context(), Options{Open: m.Open, Present: Setting{Minibatch: 32}, For: Balanced, Time: time.Minute, Material: material()})
		if !errors.Is(err, errBroken) {
			t.Errorf("the present setting is broken: %v", err)
		}
	})
}

// The time is kept with slow models, short times, and when nothing at all can be measured.
func TestTimeIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, limit := range []time.Duration{20 * time.Second, 40 * time.Second, 5 * time.Minute} {
			m := newMachine(t)
			m.opened = 700 * time.Millisecond
			r := find(t, m, func(o *Options) { o.Time = limit })
			if len(r.Present().Rounds) == 0 {
				t.Errorf("%v: the present setting was not measured", limit)
			}
		}
		m := newMachine(t)
		m.row = 30 * time.Second
		began := time.Now()
		_, err := Run(t.Context(), Options{Open: m.Open, Present: Setting{Minibatch: 32}, For: Balanced, Time: 10 * time.Second, Material: material()})
		if !errors.Is(err, ErrTooShort) {
			t.Errorf("after %v: %v", time.Since(began), err)
		}
	})
}

// Its caller ends a search at once.
func TestCancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMachine(t)
		ctx, cancel := context.WithTimeout(t.Context(), 7*time.Second)
		defer cancel()
		_, err := Run(ctx, Options{Open: m.Open, Present: Setting{Minibatch: 32}, Space: Space{Cores: 4}, For: Balanced, Time: time.Minute, Material: material()})
		if err == nil || errors.Is(err, ErrTooShort) {
			t.Errorf("%v", err)
		}
	})
}

// Rounds are interleaved: before a setting is measured for the second time, all of the first round have been.
func TestRoundsInterleave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMachine(t)
		find(t, m, func(o *Options) { o.Space.KeepMinibatch = true })
		visits := m.visits[1:] // the first one is for the clock
		for i, s := range visits {
			if j := slices.Index(visits, s); j < i {
				layouts := Space{Cores: 4}.layouts(visits[0])
				if i < len(layouts)+1 {
					t.Errorf("%v again after %d of %d settings", s, i, len(layouts)+1)
				}
				return
			}
		}
		t.Error("nothing was measured twice")
	})
}

func TestBadOptions(t *testing.T) {
	for _, o := range []Options{{Material: material()}, {Time: time.Second}, {Time: time.Second, Material: Material{Texts: make([]string, 9)}}} {
		if _, err := Run(t.Context(), o); err == nil {
			t.Errorf("%v and %d texts were taken", o.Time, len(o.Material.Texts))
		}
	}
	if o, err := ParseObjective("speed"); err == nil {
		t.Errorf("speed is %s", o)
	}
}
