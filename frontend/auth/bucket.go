package auth

import (
	"math"
	"time"

	"golang.org/x/time/rate"
)

// bucket fills with tokens at a rate, up to what a second brings; events take them out. The zero bucket has no limit.
// Whoever uses it locks it.
type bucket struct {
	rate    Rate
	limiter *rate.Limiter // nil = no limit
}

// set changes the rate. Tokens that are in the bucket, or missing from it, stay so; a new one is full.
func (b *bucket) set(now time.Time, r Rate) {
	switch {
	case r == b.rate:
		return
	case r.Count == 0:
		b.limiter = nil
	case b.limiter == nil:
		b.limiter = rate.NewLimiter(rate.Limit(r.perSecond()), r.burst())
	default:
		b.limiter.SetLimitAt(now, rate.Limit(r.perSecond()))
		b.limiter.SetBurstAt(now, r.burst())
	}
	b.rate = r
}

// freeIn is the time until n events may come after those before them, 0 when they may come now. It is enough that the
// bucket is full when n is more than it holds.
func (b *bucket) freeIn(now time.Time, before, n int) time.Duration {
	if b.limiter == nil || n <= 0 {
		return 0
	}
	missing := float64(before) + float64(min(n, b.rate.burst())) - b.limiter.TokensAt(now)
	if missing <= lost {
		return 0
	}
	ns := math.Ceil(missing / b.rate.perSecond() * float64(time.Second))
	return time.Duration(min(ns, float64(longest)))
}

const (
	// lost is what rounding may take from a token.
	lost = 1e-6
	// longest time that is told, so that a time far off does not overflow.
	longest = 365 * 24 * time.Hour
)

// take takes n tokens out, more than there are if need be: those are then missing.
func (b *bucket) take(now time.Time, n int) {
	if b.limiter == nil || n <= 0 {
		return
	}
	// A reservation of more than the burst is refused, so the burst is raised for its time. The bucket does not fill
	// meanwhile: it is the same moment.
	b.limiter.SetBurstAt(now, max(n, b.rate.burst()))
	b.limiter.ReserveN(now, n)
	b.limiter.SetBurstAt(now, b.rate.burst())
}
