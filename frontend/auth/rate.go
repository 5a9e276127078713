package auth

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Rate is a number of events in a time; the zero Rate is no limit.
type Rate struct {
	Count int
	Per   time.Duration // a second, a minute or an hour
}

// maxCount bounds every number in a keys file, so that no sum of them overflows.
const maxCount = 1_000_000_000

var rateUnits = []struct {
	name string
	per  time.Duration
}{{"s", time.Second}, {"m", time.Minute}, {"h", time.Hour}}

// ParseRate reads 100/s, 6000/m or 10/h.
func ParseRate(s string) (Rate, error) {
	count, unit, _ := strings.Cut(s, "/")
	n, err := strconv.Atoi(count)
	for _, u := range rateUnits {
		if u.name == unit && err == nil && n >= 1 && n <= maxCount {
			return Rate{n, u.per}, nil
		}
	}
	return Rate{}, fmt.Errorf("a number from 1 to %d with /s, /m or /h, such as 100/s, not %q", maxCount, shorten(s))
}

// String returns the rate as ParseRate reads it.
func (r Rate) String() string {
	for _, u := range rateUnits {
		if u.per == r.Per {
			return strconv.Itoa(r.Count) + "/" + u.name
		}
	}
	return "none"
}

// perSecond is the mean number of events in a second.
func (r Rate) perSecond() float64 { return float64(r.Count) / r.Per.Seconds() }

// burst is how many events may come at once: what a second brings, and at least 1.
func (r Rate) burst() int { return max(1, int(r.perSecond())) }
