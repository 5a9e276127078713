package bench

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Range and precision of the histograms: 1 µs to an hour, three digits.
const (
	mostMicroseconds = 3_600_000_000
	digits           = 3
)

func newHistogram() *hdrhistogram.Histogram { return hdrhistogram.New(1, mostMicroseconds, digits) }

// record adds a duration, at the ends of the range if it lies outside.
func record(h *hdrhistogram.Histogram, d time.Duration) {
	h.RecordValue(min(max(d.Microseconds(), 1), mostMicroseconds)) // within the range, so it cannot fail
}

// window is the time that is measured, after the warm-up.
type window struct{ begin, end time.Time }

func (w window) holds(t time.Time) bool { return !t.Before(w.begin) && t.Before(w.end) }

// live counts for the progress line while a load runs. Everything counts, the warm-up too.
type live struct{ answered, refused, failed atomic.Int64 }

// tally counts what became of requests. Several goroutines may share one.
type tally struct {
	mu         sync.Mutex
	answered   *hdrhistogram.Histogram // µs
	refused    *hdrhistogram.Histogram // µs
	failed     int64
	unfinished int64  // no answer when the load had to end; in answered with the time that they had waited
	completed  int64  // answers that came within the window
	firstError string // of failed
	refusal    string // the first one
}

func newTally() *tally { return &tally{answered: newHistogram(), refused: newHistogram()} }

// count adds a request that began to count at from and ended now with err. counts says whether the request belongs to the
// measure, and inWindow whether its answer came within the window.
func (t *tally) count(took time.Duration, err error, counts, inWindow bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err == nil && inWindow {
		t.completed++
	}
	if !counts {
		return
	}
	switch {
	case err == nil:
		record(t.answered, took)
	case errors.Is(err, ErrRefused):
		record(t.refused, took)
		if t.refusal == "" {
			t.refusal = err.Error()
		}
	case errors.Is(err, errUnfinished):
		t.unfinished++
		record(t.answered, took)
	default:
		t.failed++
		if t.firstError == "" {
			t.firstError = err.Error()
		}
	}
}

// merge adds what another tally counted.
func (t *tally) merge(o *tally) {
	t.answered.Merge(o.answered)
	t.refused.Merge(o.refused)
	t.failed += o.failed
	t.unfinished += o.unfinished
	t.completed += o.completed
	if t.firstError == "" {
		t.firstError = o.firstError
	}
	if t.refusal == "" {
		t.refusal = o.refusal
	}
}

// errUnfinished is a request that had no answer when the load had to end.
var errUnfinished = errors.New("no answer before the load ended")

func (l *live) count(err error) {
	switch {
	case err == nil:
		l.answered.Add(1)
	case errors.Is(err, ErrRefused):
		l.refused.Add(1)
	default:
		l.failed.Add(1)
	}
}
