package limit

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"clipd/frontend/fault"
)

// refused checks that err has the code and that its message holds all of the words.
func refused(t *testing.T, err error, code fault.Code, words ...string) {
	t.Helper()
	var e *fault.Error
	if !errors.As(err, &e) || e.Code != code {
		t.Fatalf("got %v, want a fault of the code %v", err, code)
	}
	for _, w := range words {
		if !strings.Contains(e.Error(), w) {
			t.Errorf("%q does not say %q", e, w)
		}
	}
	if (code == fault.Overloaded) != (e.RetryAfter > 0) {
		t.Errorf("%v: RetryAfter is %v", e, e.RetryAfter)
	}
}

func TestBytes(t *testing.T) {
	b := NewBytes(100)
	take := func(n int64, used int64) {
		t.Helper()
		if err := b.Take(n); err != nil || b.Used() != used {
			t.Errorf("taking %d: %v, %d in use, want %d", n, err, b.Used(), used)
		}
	}
	take(0, 0)
	take(60, 60)
	take(40, 100)
	take(0, 100)
	refused(t, b.Take(1), fault.Overloaded, "hold 100 of the 100 bytes", "max_inflight_bytes", "needs 1;")
	refused(t, b.Take(101), fault.TooLarge, "needs 101 bytes", "may hold 100", "max_inflight_bytes")
	refused(t, b.Take(math.MaxInt64), fault.TooLarge)
	refused(t, b.Take(-1), fault.Internal, "-1")
	b.Give(30)
	b.Give(30)
	refused(t, b.Take(61), fault.Overloaded, "hold 40 of the 100 bytes")
	take(60, 100)
	b.Give(100)
	if b.Used() != 0 || b.Max() != 100 {
		t.Errorf("%d of %d in use after all was given back", b.Used(), b.Max())
	}
}

func TestBytesOfTheLargestSizeDoNotOverflow(t *testing.T) {
	b := NewBytes(math.MaxInt64)
	if err := b.Take(math.MaxInt64 - 1); err != nil {
		t.Fatal(err)
	}
	refused(t, b.Take(2), fault.Overloaded)
	if err := b.Take(1); err != nil || b.Used() != math.MaxInt64 {
		t.Error(err, b.Used())
	}
}

func TestGivingMoreThanWasTakenIsABug(t *testing.T) {
	check := func(give func()) {
		t.Helper()
		defer func() {
			if r, _ := recover().(string); !strings.HasPrefix(r, "BUG: ") {
				t.Errorf("no panic of a bug, but %q", r)
			}
		}()
		give()
	}
	b := NewBytes(10)
	if err := b.Take(5); err != nil {
		t.Fatal(err)
	}
	check(func() { b.Give(6) })
	check(func() { NewBytes(10).Give(-1) })
	check(func() { (*Bytes)(nil).Share(10).Give(1) })
}

func TestNoBudgetHasNoEnd(t *testing.T) {
	var b *Bytes
	if err := b.Take(math.MaxInt64); err != nil || b.Used() != 0 || b.Max() != 0 {
		t.Error(err, b.Used(), b.Max())
	}
	b.Give(math.MaxInt64)
	s := b.Share(0)
	for range 3 {
		if err := s.Take(t.Context(), 1<<60); err != nil {
			t.Error(err)
		}
	}
}

func TestDefaultSize(t *testing.T) {
	size := func(n uint64) func() (uint64, error) { return func() (uint64, error) { return n, nil } }
	none := func() (uint64, error) { return 0, errors.New("no control group") }
	check := func(want int64, sizes ...func() (uint64, error)) {
		t.Helper()
		if got := shareOf(sizes...); got != want {
			t.Errorf("%d bytes, want %d", got, want)
		}
	}
	check(2<<30, size(8<<30), size(64<<30))
	check(2<<30, size(64<<30), size(8<<30))
	check(4<<30, none, size(16<<30))
	check(256<<20, size(64<<20), size(64<<30))
	check(256<<20, none, none)
	check(math.MaxInt64/2, none, size(math.MaxUint64-1))
	// Whatever this machine has: the default is there.
	if b := NewBytes(0); b.Max() < 256<<20 {
		t.Errorf("%d bytes by default", b.Max())
	}
	if b := NewBytes(-1); b.Max() != NewBytes(0).Max() {
		t.Errorf("%d bytes for -1, %d for 0", b.Max(), NewBytes(0).Max())
	}
}

// Many goroutines take and give sizes by chance. The sum that they hold by their own count never passes the budget.
func TestBytesNeverPassTheirMax(t *testing.T) {
	const size = 1000
	b := NewBytes(size)
	var held, peak, refusals atomic.Int64
	var all sync.WaitGroup
	for seed := range uint64(8) {
		all.Go(func() {
			r := rand.New(rand.NewPCG(seed, 1))
			var mine []int64
			for range 3000 {
				if n := r.Int64N(400); b.Take(n) == nil {
					// Counted after the taking and uncounted before the giving, so that it is never above the true sum.
					if now := held.Add(n); now > size {
						t.Errorf("%d bytes are held", now)
					} else if now > peak.Load() {
						peak.Store(now)
					}
					mine = append(mine, n)
				} else {
					refusals.Add(1)
				}
				for len(mine) > 0 && r.IntN(3) > 0 {
					n := mine[len(mine)-1]
					mine = mine[:len(mine)-1]
					held.Add(-n)
					b.Give(n)
				}
			}
			for _, n := range mine {
				held.Add(-n)
				b.Give(n)
			}
		})
	}
	all.Wait()
	if b.Used() != 0 {
		t.Errorf("%d bytes are left in use", b.Used())
	}
	if peak.Load() == 0 || refusals.Load() == 0 {
		t.Errorf("peak %d, %d refused; the test did not test", peak.Load(), refusals.Load())
	}
}

func TestShareHoldsItsStreamBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBytes(100)
		s := b.Share(40)
		var mu sync.Mutex
		var taken []int64 // sorted
		take := func(n int64) {
			if err := s.Take(t.Context(), n); err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			taken = append(taken, n)
			slices.Sort(taken)
		}
		check := func(used int64, want ...int64) {
			t.Helper()
			synctest.Wait()
			if b.Used() != used || !slices.Equal(taken, want) {
				t.Fatalf("%d bytes in use, taken %v; want %d, %v", b.Used(), taken, used, want)
			}
		}
		take(25)
		take(15)
		go take(16)
		synctest.Wait()
		go take(0) // behind the 16, though it would fit
		check(40, 15, 25)
		s.Give(15)
		check(25, 15, 25)
		s.Give(25)
		check(16, 0, 15, 16, 25)
		go take(90) // more than the share: when the stream holds nothing else
		synctest.Wait()
		go take(1)
		check(16, 0, 15, 16, 25)
		s.Give(10)
		check(6, 0, 15, 16, 25)
		s.Give(6)
		check(90, 0, 15, 16, 25, 90)
		s.Give(90)
		check(1, 0, 1, 15, 16, 25, 90)
		s.Give(1)
		check(0, 0, 1, 15, 16, 25, 90)
	})
}

func TestShareIsRefusedWhatTheWholeDoesNotHave(t *testing.T) {
	b := NewBytes(100)
	s, other := b.Share(40), b.Share(1000)
	if err := other.Take(t.Context(), 90); err != nil {
		t.Fatal(err)
	}
	refused(t, s.Take(t.Context(), 11), fault.Overloaded, "hold 90 of the 100 bytes")
	refused(t, s.Take(t.Context(), 101), fault.TooLarge)
	refused(t, s.Take(t.Context(), -1), fault.Internal)
	// The refused ones left nothing in the share.
	if err := s.Take(t.Context(), 10); err != nil || s.used != 10 {
		t.Error(err, s.used)
	}
	if other.max != 100 || b.Share(0).max != 13 || NewBytes(5).Share(0).max != 1 {
		t.Errorf("shares of %d, %d, %d bytes", other.max, b.Share(0).max, NewBytes(5).Share(0).max)
	}
}

func TestShareEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBytes(100)
		s := b.Share(40)
		if err := s.Take(t.Context(), 30); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		failed, small := make(chan error, 1), make(chan error, 1)
		go func() { failed <- s.Take(ctx, 20) }()
		synctest.Wait()
		go func() { small <- s.Take(t.Context(), 10) }()
		synctest.Wait()
		cancel()
		err := <-failed
		refused(t, err, fault.Deadline, "20 bytes")
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%v is no cancellation", err)
		}
		if err := <-small; err != nil { // fits as soon as the large one is gone
			t.Error(err)
		}
		refused(t, s.Take(ctx, 0), fault.Deadline)
		s.Give(40)
		if b.Used() != 0 || s.used != 0 || s.waiting.Len() != 0 {
			t.Errorf("%d and %d in use, %d waiting", b.Used(), s.used, s.waiting.Len())
		}
	})
}

// Streams take by chance, some of them give up; no stream passes its share, and nothing is left afterwards.
func TestSharesNeverPassTheirMax(t *testing.T) {
	const size, part = 1000, 300
	b := NewBytes(size)
	for stream := range uint64(4) {
		s := b.Share(part)
		var held, large atomic.Int64 // large: requests above the share that are in progress
		t.Run("", func(t *testing.T) {
			t.Parallel()
			var all sync.WaitGroup
			for worker := range uint64(4) {
				all.Go(func() {
					r := rand.New(rand.NewPCG(stream, worker))
					for range 1000 {
						ctx, cancel := context.WithCancel(t.Context())
						if r.IntN(4) == 0 {
							go cancel()
						}
						n := r.Int64N(part + 30)
						if s.Take(ctx, n) == nil {
							now := held.Add(n)
							if n > part && (now > n || large.Add(1) > 1) || n <= part && now > part {
								t.Errorf("the stream holds %d bytes with a request of %d", now, n)
							}
							if n > part {
								large.Add(-1)
							}
							held.Add(-n)
							s.Give(n)
						}
						cancel()
					}
				})
			}
			all.Wait()
			if s.used != 0 || s.waiting.Len() != 0 {
				t.Errorf("%d bytes in use, %d waiting", s.used, s.waiting.Len())
			}
		})
	}
	t.Cleanup(func() {
		if b.Used() != 0 {
			t.Errorf("%d bytes are left in use", b.Used())
		}
	})
}
