package tune

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"clipd/engine"
)

// Model is what callers ask: an *engine.Model or *engine.Loaded.
type Model interface {
	Embed(ctx context.Context, in engine.Request) (*engine.Embeddings, error)
	Close()
}

// Material are the inputs, taken in turn: enough of them that none is asked for twice at a time, as the second would
// cost nothing.
type Material struct {
	Texts    []string
	Pictures [][]byte // encoded
}

// The least of each: twice what the largest workload has under way.
const (
	leastTexts    = 2 * 4 * 32
	leastPictures = 2 * 4 * 8
)

func (m Material) check() error {
	if len(m.Texts) < leastTexts || len(m.Pictures) < leastPictures {
		return fmt.Errorf("%d texts and %d pictures are too few to measure with: at least %d and %d are needed",
			len(m.Texts), len(m.Pictures), leastTexts, leastPictures)
	}
	return nil
}

// workload is a number of callers, each of whom asks again as soon as it has its answer.
type workload struct {
	callers, inputs int
	tower           engine.Tower
	store           func(f *Figures, rate float64, median time.Duration)
}

var workloads = []workload{
	{1, 1, engine.TextTower, func(f *Figures, _ float64, median time.Duration) { f.AloneText = median }},
	{1, 1, engine.ImageTower, func(f *Figures, _ float64, median time.Duration) { f.AlonePicture = median }},
	{8, 1, engine.TextTower, func(f *Figures, rate float64, _ time.Duration) { f.Callers = rate }},
	{4, 32, engine.TextTower, func(f *Figures, rate float64, _ time.Duration) { f.Bulk = rate }},
	{4, 8, engine.ImageTower, func(f *Figures, rate float64, _ time.Duration) { f.Pictures = rate }},
}

// leastAnswers is how many requests a run waits for, however long they take.
const leastAnswers = 4

// answer is one request that was answered.
type answer struct{ begun, done time.Time }

// measure runs all workloads on a model, each for about the given time after a quarter of it to warm up.
func (m Material) measure(ctx context.Context, model Model, each time.Duration) (f Figures, err error) {
	for _, w := range workloads {
		if _, err = m.run(ctx, w, model, each/4); err != nil {
			return f, err
		}
		answers, err := m.run(ctx, w, model, each)
		if err != nil {
			return f, err
		}
		rate, median := w.summarise(answers, each)
		w.store(&f, rate, median)
	}
	return f, nil
}

func (m Material) run(ctx context.Context, w workload, model Model, each time.Duration) ([]answer, error) {
	whole := ctx
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var next, answered atomic.Int64
	answers := make([][]answer, w.callers)
	errs := make([]error, w.callers)
	end := time.Now().Add(each)
	var wg sync.WaitGroup
	for c := range w.callers {
		wg.Go(func() {
			for ctx.Err() == nil && (time.Now().Before(end) || answered.Load() < leastAnswers) {
				inputs := m.inputs(w, int(next.Add(1)-1))
				begun := time.Now()
				out, err := model.Embed(ctx, engine.Request{Inputs: inputs})
				if err == nil {
					err = out.Err()
				}
				if err != nil {
					errs[c] = err
					cancel() // the others need not go on
					return
				}
				answers[c] = append(answers[c], answer{begun, time.Now()})
				answered.Add(1)
			}
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil && !errors.Is(err, context.Canceled) {
			return nil, err
		}
	}
	return slices.Concat(answers...), whole.Err()
}

// inputs returns those of request n.
func (m Material) inputs(w workload, n int) []engine.Input {
	inputs := make([]engine.Input, w.inputs)
	for i := range inputs {
		k := n*w.inputs + i
		inputs[i].Tower = w.tower
		if w.tower == engine.TextTower {
			inputs[i].Text = m.Texts[k%len(m.Texts)]
		} else {
			inputs[i].Image = m.Pictures[k%len(m.Pictures)]
		}
	}
	return inputs
}

// summarise returns items a second and the median wait. Callers who find that the time is over leave the rest alone, so
// what ends later does not count, unless there is next to nothing else.
func (w workload) summarise(answers []answer, each time.Duration) (rate float64, median time.Duration) {
	begun := answers[0].begun
	for _, a := range answers {
		if a.begun.Before(begun) {
			begun = a.begun
		}
	}
	slices.SortFunc(answers, func(a, b answer) int { return a.done.Compare(b.done) })
	inTime := len(answers)
	for inTime > leastAnswers && answers[inTime-1].done.Sub(begun) > each {
		inTime--
	}
	answers = answers[:inTime]
	waits := make([]time.Duration, inTime)
	for i, a := range answers {
		waits[i] = max(a.done.Sub(a.begun), 1)
	}
	slices.Sort(waits)
	took := max(answers[inTime-1].done.Sub(begun), 1)
	return float64(inTime*w.inputs) / took.Seconds(), waits[inTime/2]
}
