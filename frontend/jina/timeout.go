package jina

import (
	"context"
	"math"
	"strconv"
	"strings"
	"time"

	"clipd/frontend/fault"
)

// longestTimeout is what longer timeouts are cut to: nobody waits a year, and sums of it with a time do not overflow.
const longestTimeout = 365 * 24 * time.Hour

// parseTimeout reads a time that a caller allows: decimal digits with at most one point, in the unit, or with ms or s
// behind them. It is above 0.
func parseTimeout(text string, unit time.Duration) (time.Duration, bool) {
	digits := strings.TrimSpace(text)
	if number, found := strings.CutSuffix(digits, "ms"); found {
		digits, unit = strings.TrimSpace(number), time.Millisecond
	} else if number, found := strings.CutSuffix(digits, "s"); found {
		digits, unit = strings.TrimSpace(number), time.Second
	}
	if strings.Trim(digits, "0123456789.") != "" { // no signs, exponents, inf or nan
		return 0, false
	}
	n, err := strconv.ParseFloat(digits, 64)
	if err != nil {
		return 0, false
	}
	return timeoutOf(n, unit)
}

// timeoutOf returns n units, rounded up to a nanosecond.
func timeoutOf(n float64, unit time.Duration) (time.Duration, bool) {
	if !(n > 0) { // NaN, too
		return 0, false
	}
	ns := math.Ceil(n * float64(unit))
	if ns >= float64(longestTimeout) {
		return longestTimeout, true
	}
	return time.Duration(ns), true
}

// timeoutForm says what parseTimeout reads.
func timeoutForm(unit time.Duration) string {
	if unit == time.Millisecond {
		return "milliseconds above 0, such as 2500"
	}
	return "seconds above 0, such as 2.5, or a time such as 2.5s or 500ms"
}

// limitTimeout is what metrics call the limit that a request sets itself.
const limitTimeout = "request_timeout"

// tooLate is the fault of a request whose own timeout is over.
func tooLate(timeout time.Duration) *fault.Error {
	return fault.New(fault.Deadline, "the request was not answered within the %v that it allows (%s)", timeout, TimeoutHeader).Past(limitTimeout)
}

// TooLate is the fault of a request of the caller whose timeout is over.
func (c *Caller) TooLate() error { return tooLate(c.Timeout) }

// TimedOut reports whether an error is that of a request whose own timeout is over. On a stream and a WebSocket its answer says so, and
// the requests beside it go on.
func TimedOut(err error) bool {
	return err != nil && fault.Of(err).Limit == limitTimeout
}

// Allow bounds ctx by the caller's timeout for a request that arrived then. When it is over, the context's cause is the
// fault of it.
func (c *Caller) Allow(ctx context.Context, arrived time.Time) (context.Context, context.CancelFunc) {
	if c.Timeout <= 0 {
		return ctx, func() {}
	}
	return context.WithDeadlineCause(ctx, arrived.Add(c.Timeout), tooLate(c.Timeout))
}

// bound ends ctx at the first of three times: the transport's own deadline; what the request allows, by the caller's header
// or by its parameter; and the flow's timeout_send. late is the fault when it is one of the last two, else nil.
func (x *Executor) bound(ctx context.Context, c *Call, own time.Duration, began time.Time, most time.Duration) (_ context.Context, late *fault.Error, end context.CancelFunc) {
	until, has := ctx.Deadline()
	earlier := func(at time.Time, f func() *fault.Error) {
		if !has || at.Before(until) {
			until, has, late = at, true, f()
		}
	}
	if most > 0 {
		earlier(began.Add(most), func() *fault.Error {
			return fault.New(fault.Deadline, "executor %s did not answer within %v (timeout_send)", x.name, most).Past("timeout_send")
		})
	}
	if c.Timeout > 0 && (own == 0 || c.Timeout < own) {
		own = c.Timeout
	}
	if own > 0 {
		since := c.Since
		if since.IsZero() {
			since = c.Arrived
		}
		earlier(since.Add(own), func() *fault.Error { return tooLate(own) })
	}
	if late == nil {
		return ctx, nil, func() {}
	}
	ctx, end = context.WithDeadline(ctx, until)
	return ctx, late, end
}
