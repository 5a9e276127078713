package bench

import (
	"fmt"
	"iter"
	"math/rand/v2"
	"time"
)

// Arrival says when requests are sent.
type Arrival int

// The arrivals.
const (
	Closed   Arrival = iota // when the last one is answered
	Constant                // at a constant rate
	Poisson                 // at random, independently, at a rate on average
)

var arrivalNames = [...]string{Closed: "closed", Constant: "constant", Poisson: "poisson"}

func (a Arrival) String() string { return arrivalNames[a] }

// ParseArrival reads the name of an arrival.
func ParseArrival(s string) (Arrival, error) {
	for a, name := range arrivalNames {
		if s == name {
			return Arrival(a), nil
		}
	}
	return 0, fmt.Errorf("arrival %q is not closed, constant or poisson", s)
}

// MarshalText makes JSON show the name.
func (a Arrival) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// due yields, without end, when the requests of an open loop are due, from its start, at rate requests a second. Times are
// computed from the start, so that no error adds up and a late start delays no other one.
func (a Arrival) due(rate float64, seed uint64) iter.Seq[time.Duration] {
	return func(yield func(time.Duration) bool) {
		rnd := rand.New(rand.NewPCG(seed, 3))
		at := 0.0 // in mean intervals
		for i := 0; ; i++ {
			if a == Poisson {
				at += rnd.ExpFloat64()
			} else {
				at = float64(i)
			}
			if !yield(time.Duration(at / rate * float64(time.Second))) {
				return
			}
		}
	}
}
