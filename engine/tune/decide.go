package tune

import (
	"context"
	"math"
	"slices"
	"time"
)

// leastGain is what a change must bring to be worth the words, however quiet the machine.
const leastGain = 0.03

// student are the 97.5 % quantiles of Student's t distribution with 2 to 5 degrees of freedom: what a mean of 3 to
// 6 values must differ from 0 by, in its own standard errors.
var student = []float64{4.303, 3.182, 2.776, 2.571}

// decide compares the best candidate with the present setting on fresh rounds, in pairs. Where the present setting makes a
// lonely caller wait longer than the objective allows, the waits are compared.
func (s *search) decide(ctx context.Context) (*Result, error) {
	present, rival := s.all[0], s.rival()
	r := &Result{For: s.For, Candidates: s.all, Best: present, Rival: rival, Margin: leastGain, Judged: s.For}
	if rival == nil || s.best() == present {
		r.Took = time.Since(s.began)
		if rival != nil {
			r.Gain = math.Exp(s.For.score(rival.Figures)-s.For.score(present.Figures)) - 1
		}
		return r, nil
	}
	judge := s.For
	if !s.For.allows(present.Figures, s.quickest()) {
		judge = Latency
		r.Judged = Latency
	}
	var logs []float64
	for round := 1; round <= comparisonMost && !time.Now().Add(2*s.visit).After(s.until); round++ {
		pair := []*Candidate{present, rival}
		if round%2 == 0 {
			pair[0], pair[1] = rival, present
		}
		had := [2]int{len(present.Rounds), len(rival.Rounds)}
		for _, c := range pair {
			if err := s.look(ctx, c, "comparison", round); err != nil && !s.outOfTime(ctx) {
				return nil, err
			}
		}
		if len(present.Rounds) == had[0] || len(rival.Rounds) == had[1] {
			break // the time is over, or the rival cannot be opened any more
		}
		logs = append(logs, judge.score(rival.Rounds[had[1]])-judge.score(present.Rounds[had[0]]))
	}
	r.Compared, r.Took = len(logs), time.Since(s.began)
	gain, margin := verdict(logs)
	r.Gain, r.Margin = math.Exp(gain)-1, math.Exp(margin)-1
	if len(logs) < comparisonLeast {
		r.Margin = leastGain // there is no telling the noise
	} else if gain > margin && rival.Dropped == "" && s.For.allows(rival.Figures, s.quickest()) {
		r.Best, r.Change = rival, true
	}
	return r, nil
}

// rival is the best candidate beside the present setting, nil for none.
func (s *search) rival() (rival *Candidate) {
	if best := s.best(); best != s.all[0] {
		return best
	}
	quickest := s.quickest()
	for _, c := range s.all[1:] {
		if c.measured() && s.For.allows(c.Figures, quickest) && (rival == nil || s.For.score(c.Figures) > s.For.score(rival.Figures)) {
			rival = c
		}
	}
	return rival
}

// verdict returns the mean of the logarithms of gains, or their median, and what it must exceed to be more than chance and
// worth it.
func verdict(logs []float64) (gain, margin float64) {
	margin = math.Log1p(leastGain)
	n := float64(len(logs))
	if n == 0 {
		return 0, margin
	}
	for _, l := range logs {
		gain += l / n
	}
	if len(logs) < comparisonLeast {
		return gain, margin
	}
	if sorted := slices.Sorted(slices.Values(logs)); len(logs) == comparisonMost && sorted[0] > 0 {
		// All rounds say the same, which chance does once in 64 times: one that something else disturbed must not hide it.
		return (sorted[comparisonMost/2-1] + sorted[comparisonMost/2]) / 2, margin
	}
	squares := 0.0
	for _, l := range logs {
		squares += (l - gain) * (l - gain)
	}
	deviation := math.Sqrt(squares / (n - 1) / n)
	return gain, max(margin, student[len(logs)-comparisonLeast]*deviation)
}
