package tune

import (
	"math"
	"testing"
)

func TestVerdict(t *testing.T) {
	check := func(change bool, gains ...float64) {
		t.Helper()
		logs := make([]float64, len(gains))
		for i, g := range gains {
			logs[i] = math.Log1p(g)
		}
		if gain, margin := verdict(logs); (gain > margin) != change || margin < math.Log1p(leastGain) {
			t.Errorf("of %v: gain %.3f, margin %.3f", gains, gain, margin)
		}
	}
	check(true, 0.10, 0.10, 0.10)
	check(true, 0.09, 0.11, 0.10, 0.12)
	check(false, 0.02, 0.02, 0.02, 0.02, 0.02, 0.02)       // not worth it
	check(false, 0.10, -0.08, 0.12)                        // noise
	check(false, 0.30, 0.02, -0.01, 0.04, 0.01, 0.02)      // one round says it all
	check(false, -0.10, -0.11, -0.12, -0.10, -0.09, -0.10) // worse
	check(true, 0.15, 0.12, 0.95, 0.14, 0.13, 0.12)        // one round was disturbed, all agree
	check(false, 0.01, 0.01, 0.95, 0.02, 0.01, 0.02)       // they agree that it is next to nothing
	check(false)
}
