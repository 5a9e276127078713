package tune

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"
)

// Opener makes a model with a setting and says which setting is in force: zero fields of what was asked for are the
// server's own choice, and there are models that have no wide lane. The caller closes the model.
type Opener func(ctx context.Context, s Setting) (Model, Setting, error)

// Options say what to search for, among what, and for how long.
type Options struct {
	Open     Opener
	Present  Setting // what the change is to beat; zero fields as in Opener
	Space    Space
	For      Objective
	Time     time.Duration // of the whole search
	Material Material
	Progress func(Progress) // hears of each measurement as it begins; nil: nobody listens
}

// Progress is how far a search is.
type Progress struct {
	Setting      Setting
	Stage        string // "layouts", "minibatch_size", "comparison"
	Round        int    // of the stage, from 1
	Elapsed, All time.Duration
}

// Candidate is a setting and what was measured of it.
type Candidate struct {
	Setting
	Figures Figures   `json:"figures"`           // medians of the rounds
	Rounds  []Figures `json:"rounds"`            // in the order in which they were measured
	Dropped string    `json:"dropped,omitempty"` // why it was not measured further; "": it was
}

// Result is the outcome of a search.
type Result struct {
	For        Objective     `json:"for"`
	Candidates []*Candidate  `json:"candidates"` // the present setting first, then as they were tried
	Best       *Candidate    `json:"best"`       // the recommended one; the present one when no change is
	Change     bool          `json:"change"`     // Best is another one than the present
	Rival      *Candidate    `json:"rival"`      // what came nearest to the present setting, or beat it; nil: nothing else was measured
	Judged     Objective     `json:"judged"`     // what the last comparison compared: latency where the present setting is too slow for For
	Gain       float64       `json:"gain"`       // of Rival over the present setting in the last comparison: 0.1 is 10 %
	Margin     float64       `json:"margin"`     // what the gain must exceed, by the noise of that comparison
	Compared   int           `json:"compared"`   // rounds of the last comparison
	Took       time.Duration `json:"took_ns"`
}

// Present is the setting that was to be beaten.
func (r *Result) Present() *Candidate { return r.Candidates[0] }

// The parts of the time that the stages have ended by, and the rounds of each.
const (
	layoutsPart     = 0.45
	minibatchPart   = 0.65
	stageRounds     = 3
	comparisonMost  = 6
	comparisonLeast = 3
)

// ErrTooShort is a time in which not even the present setting could be measured.
var ErrTooShort = errors.New("too short a time to measure")

// errOutOfTime is the cause that ends what still runs when the time is over.
var errOutOfTime = errors.New("the time is over")

type search struct {
	Options
	began, until time.Time
	each         time.Duration // of one workload
	visit        time.Duration // what one is expected to take
	visits       int
	trial        bool // the present setting has only the measurement that told how long one takes; the first is slower
	all          []*Candidate
}

// Run searches. It ends when everything is measured, by the end of the time, or with ctx, and then fails.
func Run(ctx context.Context, o Options) (*Result, error) {
	if o.Time <= 0 {
		return nil, fmt.Errorf("a time of %v: it must be above 0", o.Time)
	}
	if err := o.Material.check(); err != nil {
		return nil, err
	}
	s := &search{Options: o, began: time.Now(), all: []*Candidate{{Setting: o.Present}}}
	s.until = s.began.Add(o.Time)
	bounded, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	// A deadline of the context would make the scheduler refuse what it cannot end in time.
	timer := time.AfterFunc(o.Time, func() { cancel(errOutOfTime) })
	defer timer.Stop()
	result, err := s.run(bounded)
	if errors.Is(context.Cause(bounded), errOutOfTime) && errors.Is(err, context.Canceled) {
		err = fmt.Errorf("%w: %v", ErrTooShort, o.Time)
	}
	return result, err
}

func (s *search) run(ctx context.Context) (*Result, error) {
	present := s.all[0]
	s.plan(1)
	if err := s.look(ctx, present, "layouts", 1); err != nil {
		return nil, err
	}
	layouts := s.Space.layouts(present.Setting)
	s.plan(len(layouts))
	s.add(layouts)
	s.trial = true
	if err := s.stage(ctx, "layouts", s.all, s.began.Add(part(s.Time, layoutsPart))); err != nil {
		return nil, err
	}
	best := s.best()
	field := append([]*Candidate{best}, s.add(s.Space.minibatches(best.Setting))...)
	if len(field) > 1 {
		if best != present {
			field = append(field, present)
		}
		if err := s.stage(ctx, "minibatch_size", field, s.began.Add(part(s.Time, minibatchPart))); err != nil {
			return nil, err
		}
	}
	return s.decide(ctx)
}

func part(d time.Duration, p float64) time.Duration { return time.Duration(float64(d) * p) }

// plan chooses how long a workload runs, from how many settings there are to visit and what a visit takes beside the runs.
func (s *search) plan(layouts int) {
	const least, most = 100 * time.Millisecond, 1500 * time.Millisecond
	visits := 1 + layouts + 2*min(layouts, 3) + 8 + 2*comparisonMost
	beside := max(s.visit*4/5-time.Duration(len(workloads))*s.each*5/4, 0)
	left := s.Time/time.Duration(visits) - beside
	s.each = min(max(left/time.Duration(len(workloads))*4/5, least), most)
}

// add makes candidates of settings.
func (s *search) add(settings []Setting) (added []*Candidate) {
	for _, x := range settings {
		added = append(added, &Candidate{Setting: x})
	}
	s.all = append(s.all, added...)
	return added
}

// stage measures settings in turn, round by round, and drops those that are clearly worse. It ends early when the
// time until end is too short for one more.
func (s *search) stage(ctx context.Context, name string, field []*Candidate, end time.Time) error {
	for round := 1; round <= stageRounds; round++ {
		for i := range field {
			c := field[i]
			if round%2 == 0 { // what comes later in a round is not always the same
				c = field[len(field)-1-i]
			}
			if c.Dropped != "" {
				continue
			}
			if time.Now().Add(s.visit).After(end) {
				return nil
			}
			if err := s.look(ctx, c, name, round); err != nil {
				if s.outOfTime(ctx) {
					return nil
				}
				return err
			}
		}
		s.prune(field)
	}
	return nil
}

func (s *search) outOfTime(ctx context.Context) bool {
	return errors.Is(context.Cause(ctx), errOutOfTime)
}

// look measures one setting once. A setting that cannot be opened is dropped, save the present one.
func (s *search) look(ctx context.Context, c *Candidate, stage string, round int) error {
	began := time.Now()
	if s.Progress != nil {
		s.Progress(Progress{c.Setting, stage, round, began.Sub(s.began), s.Time})
	}
	model, inForce, err := s.Open(ctx, c.Setting)
	if err == nil {
		if c == s.all[0] {
			c.Setting = inForce
		} else if twin := s.twin(c, inForce); twin != nil {
			model.Close()
			c.Dropped = "the same as " + twin.Setting.String()
			return nil
		}
		var f Figures
		f, err = s.Material.measure(ctx, model, s.each)
		model.Close()
		if err == nil {
			if c == s.all[0] && s.trial {
				c.Rounds, s.trial = nil, false
			}
			c.Rounds = append(c.Rounds, f)
			c.Figures = medians(c.Rounds)
			s.expect(time.Since(began))
			return nil
		}
	}
	if ctx.Err() != nil || c == s.all[0] {
		return err
	}
	c.Dropped = err.Error()
	return nil
}

// expect learns from what a visit took: a quarter more than the mean is allowed for the next.
func (s *search) expect(took time.Duration) {
	s.visits++
	s.visit += (took*5/4 - s.visit) / time.Duration(s.visits)
}

// twin returns another candidate that has the setting which c turned out to have.
func (s *search) twin(c *Candidate, inForce Setting) *Candidate {
	if inForce == c.Setting {
		return nil
	}
	c.Setting = inForce
	for _, other := range s.all {
		if other != c && other.Setting == inForce {
			return other
		}
	}
	return nil
}

// What a setting must reach to stay: after one round, which may be a bad one, and after more.
const (
	clearlyWorse = 0.80
	worse        = 0.93
	clearlySlow  = 1.3 // times the wait that the objective allows
)

// prune drops what is clearly worse than the best of a field, the present setting never.
func (s *search) prune(field []*Candidate) {
	best, quickest := math.Inf(-1), s.quickest()
	for _, c := range field {
		if c.measured() && s.For.allows(c.Figures, quickest) {
			best = max(best, s.For.score(c.Figures))
		}
	}
	for _, c := range field {
		if !c.measured() || c == s.all[0] {
			continue
		}
		least := math.Log(worse)
		if len(c.Rounds) == 1 {
			least = math.Log(clearlyWorse)
		}
		switch {
		case s.For.score(c.Figures) < best+least:
			c.Dropped = "clearly worse"
		case !s.For.allows(c.Figures, time.Duration(clearlySlow*float64(quickest))):
			c.Dropped = "a lonely caller waits too long"
		}
	}
}

func (c *Candidate) measured() bool { return c.Dropped == "" && len(c.Rounds) > 0 }

// quickest is the shortest wait of a lonely caller that was found, with dropped settings too.
func (s *search) quickest() time.Duration {
	least := time.Duration(math.MaxInt64)
	for _, c := range s.all {
		if len(c.Rounds) > 0 {
			least = min(least, c.Figures.Alone())
		}
	}
	return least
}

// best is the setting with the best medians among those that the objective allows; the present one where they are equal.
func (s *search) best() *Candidate {
	best, quickest := s.all[0], s.quickest()
	for _, c := range s.all[1:] {
		if !c.measured() || !s.For.allows(c.Figures, quickest) {
			continue
		}
		if !s.For.allows(best.Figures, quickest) || s.For.score(c.Figures) > s.For.score(best.Figures) {
			best = c
		}
	}
	return best
}

// medians returns the median of each figure.
func medians(rounds []Figures) Figures {
	return Figures{
		AloneText:    median(rounds, func(f Figures) time.Duration { return f.AloneText }),
		AlonePicture: median(rounds, func(f Figures) time.Duration { return f.AlonePicture }),
		Callers:      median(rounds, func(f Figures) float64 { return f.Callers }),
		Bulk:         median(rounds, func(f Figures) float64 { return f.Bulk }),
		Pictures:     median(rounds, func(f Figures) float64 { return f.Pictures }),
	}
}

func median[T time.Duration | float64](rounds []Figures, of func(Figures) T) T {
	values := make([]T, len(rounds))
	for i, f := range rounds {
		values[i] = of(f)
	}
	slices.Sort(values)
	n := len(values)
	return (values[(n-1)/2] + values[n/2]) / 2
}
