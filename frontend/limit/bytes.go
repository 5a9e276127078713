package limit

import (
	"fmt"
	"sync/atomic"
	"time"

	"clipd/frontend/fault"
)

// option is the flow's key for the size of the budget, as errors name it.
const option = "max_inflight_bytes"

// retry is what a caller past the budget is told to wait: requests end within fractions of a second, and which of
// them ends next is not known.
const retry = time.Second

// Bytes is a budget of the bytes of all requests in progress. It hands out no more than Max at any time. A nil *Bytes
// has no end.
type Bytes struct {
	max  int64
	used atomic.Int64
}

// NewBytes makes a budget of max bytes. With max ≤ 0 it is a quarter of the memory that the process may use, and at
// least 256 MiB.
func NewBytes(max int64) *Bytes {
	if max <= 0 {
		max = defaultMax()
	}
	return &Bytes{max: max}
}

// Max returns the size of the budget in bytes; 0 for a nil *Bytes.
func (b *Bytes) Max() int64 {
	if b == nil {
		return 0
	}
	return b.max
}

// Used returns the bytes that are handed out now.
func (b *Bytes) Used() int64 {
	if b == nil {
		return 0
	}
	return b.used.Load()
}

// Take takes n bytes at once or fails: with fault.TooLarge when the whole budget is smaller than n, with
// fault.Overloaded when other requests hold too much of it now. What was taken is to be given back with Give, in one
// piece or in several.
func (b *Bytes) Take(n int64) error {
	if err := b.Admissible(n); err != nil || b == nil {
		return err
	}
	for {
		used := b.used.Load()
		if n > b.max-used { // so that nothing overflows
			e := fault.New(fault.Overloaded, "the requests in progress hold %d of the %d bytes that %s allows, and this one needs %d; try again later",
				used, b.max, option, n).Past(option)
			e.RetryAfter = retry
			return e
		}
		if b.used.CompareAndSwap(used, used+n) {
			return nil
		}
	}
}

// Give gives n bytes back.
func (b *Bytes) Give(n int64) {
	if b == nil {
		return
	}
	if left := b.used.Add(-n); n < 0 || left < 0 {
		panic(fmt.Sprintf("BUG: %d bytes given back, which leaves %d of the budget in use", n, left))
	}
}

// Admissible says whether the budget can ever give n bytes.
func (b *Bytes) Admissible(n int64) error {
	switch {
	case n < 0: // a length that was never known; it must not widen the budget
		return fault.New(fault.Internal, "a request asks for %d bytes of %s; it must be 0 or more", n, option)
	case b != nil && n > b.max:
		return fault.New(fault.TooLarge, "the request needs %d bytes, and all requests in progress together may hold %d (%s); send it in smaller parts",
			n, b.max, option).Past(option)
	}
	return nil
}
