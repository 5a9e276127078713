package tune

import (
	"fmt"
	"math"
	"time"
)

// Objective is what the best setting is best at.
type Objective string

// The objectives.
const (
	Throughput Objective = "throughput" // items a second under load, whatever one caller alone waits
	Latency    Objective = "latency"    // the wait of a caller who is alone
	Balanced   Objective = "balanced"   // throughput, of those with whom a lonely caller waits little longer than with the best
)

// ParseObjective reads one.
func ParseObjective(s string) (Objective, error) {
	switch o := Objective(s); o {
	case Throughput, Latency, Balanced:
		return o, nil
	}
	return "", fmt.Errorf("the objective is throughput, latency or balanced, not %q", s)
}

// Figures are what was measured of a setting. Rates are items a second.
type Figures struct {
	AloneText    time.Duration `json:"alone_text_ns"`    // median wait of one caller with one text
	AlonePicture time.Duration `json:"alone_picture_ns"` // of one caller with one picture
	Callers      float64       `json:"callers_8x1"`      // 8 callers with a text each
	Bulk         float64       `json:"bulk_4x32"`        // 4 callers with 32 texts each
	Pictures     float64       `json:"pictures_4x8"`     // 4 callers with 8 JPEGs each
}

// Rate is the geometric mean of the rates, items a second.
func (f Figures) Rate() float64 { return math.Cbrt(f.Callers * f.Bulk * f.Pictures) }

// Alone is the geometric mean of the waits of a lonely caller.
func (f Figures) Alone() time.Duration {
	return time.Duration(math.Sqrt(float64(f.AloneText) * float64(f.AlonePicture)))
}

// score is the logarithm of what an objective wants much of.
func (o Objective) score(f Figures) float64 {
	if o == Latency {
		return -math.Log(float64(f.Alone()))
	}
	return math.Log(f.Rate())
}

// slack is how much longer than with the quickest setting a lonely caller may wait with a balanced one.
const slack = 1.25

// allows reports whether a setting may be chosen when the shortest wait of all is quickest.
func (o Objective) allows(f Figures, quickest time.Duration) bool {
	return o != Balanced || float64(f.Alone()) <= slack*float64(quickest)
}
