package auth

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"clipd/frontend/fault"
)

// limited returns a key with the limits, as words of a keys file.
func limited(t *testing.T, limits string) *Key {
	t.Helper()
	_, l := line(t, "web", limits)
	t.Setenv("CLIPD_TEST_KEYS", l)
	return open(t, Options{Env: "CLIPD_TEST_KEYS"}).set.Load().keys[0]
}

// bubble runs f with such a key and a clock that only waiting moves.
func bubble(t *testing.T, limits string, f func(t *testing.T, k *Key)) {
	t.Helper()
	_, l := line(t, "web", limits)
	t.Setenv("CLIPD_TEST_KEYS", l)
	synctest.Test(t, func(t *testing.T) {
		f(t, open(t, Options{Env: "CLIPD_TEST_KEYS"}).set.Load().keys[0])
	})
}

func begin(t *testing.T, k *Key, items int) (end func()) {
	t.Helper()
	end, err := k.Begin(items)
	if err != nil {
		t.Fatal(err)
	}
	return end
}

// full checks that the key has no place, and when there will be one.
func full(t *testing.T, k *Key, items int, after time.Duration, words ...string) {
	t.Helper()
	_, err := k.Begin(items)
	if e := refused(t, err, fault.Overloaded, words...); e.RetryAfter != after {
		t.Errorf("%v: RetryAfter is %v, want %v", e, e.RetryAfter, after)
	}
}

func TestConcurrent(t *testing.T) {
	k := limited(t, "concurrent=2")
	first, second := begin(t, k, 1), begin(t, k, 1)
	full(t, k, 1, time.Second, `the key "web" has 2 requests in progress and may have 2 (concurrent=2)`)
	first()
	first() // counts once
	third := begin(t, k, 1)
	full(t, k, 1, time.Second)
	second()
	third()
	if k.limiter.inProgress != 0 {
		t.Errorf("%d in progress", k.limiter.inProgress)
	}
}

func TestRate(t *testing.T) {
	bubble(t, "rate=10/s", func(t *testing.T, k *Key) {
		for range 10 { // a second's worth at once
			begin(t, k, 1000)()
		}
		full(t, k, 1, 100*time.Millisecond, `past its rate of requests (rate=10/s)`, "in 100ms")
		time.Sleep(60 * time.Millisecond)
		full(t, k, 1, 40*time.Millisecond)
		time.Sleep(40 * time.Millisecond)
		begin(t, k, 1)()
		full(t, k, 1, 100*time.Millisecond)
		time.Sleep(time.Hour)
		for range 10 {
			begin(t, k, 1)()
		}
		full(t, k, 1, 100*time.Millisecond)
	})
	bubble(t, "rate=6/m", func(t *testing.T, k *Key) {
		begin(t, k, 1)() // less than one a second: one at once
		full(t, k, 1, 10*time.Second)
		time.Sleep(10 * time.Second)
		begin(t, k, 1)()
		full(t, k, 1, 10*time.Second)
	})
}

func TestDocuments(t *testing.T) {
	bubble(t, "documents=100/s rate=50/s", func(t *testing.T, k *Key) {
		begin(t, k, 70)()
		begin(t, k, 0)() // no documents, no wait
		full(t, k, 50, 200*time.Millisecond, "past its rate of documents (documents=100/s)", "these 50 in 200ms")
		begin(t, k, 30)()
		full(t, k, 1, 10*time.Millisecond)
		time.Sleep(time.Second)
		begin(t, k, 1000)() // more than a second's worth: the bucket is full, and owes 900 afterwards
		full(t, k, 1, 9010*time.Millisecond)
		full(t, k, 1000, 10*time.Second)
		begin(t, k, -5)()
		time.Sleep(9010 * time.Millisecond)
		begin(t, k, 1)()
		full(t, k, 1, 10*time.Millisecond)
	})
	bubble(t, "documents=1/h", func(t *testing.T, k *Key) {
		begin(t, k, 1_000_000_000)()
		full(t, k, 1, 365*24*time.Hour) // no overflow
	})
}

// Nothing is used up of one limit when another refuses.
func TestARefusalCostsNothing(t *testing.T) {
	bubble(t, "rate=2/s documents=10/s concurrent=1", func(t *testing.T, k *Key) {
		end := begin(t, k, 9)
		for range 5 {
			full(t, k, 1, time.Second, "concurrent=1")
		}
		end()
		for range 5 {
			full(t, k, 2, 100*time.Millisecond, "documents=10/s")
		}
		begin(t, k, 1)()
		full(t, k, 1, 500*time.Millisecond, "rate=2/s")
	})
}

func TestWaitKeepsTheOrder(t *testing.T) {
	bubble(t, "rate=10/s", func(t *testing.T, k *Key) {
		for range 10 {
			begin(t, k, 1)()
		}
		start := time.Now()
		var mu sync.Mutex
		var order []int
		for i := range 5 {
			go func() {
				end, err := k.Wait(t.Context(), 1)
				if err != nil {
					t.Error(err)
					return
				}
				defer end()
				mu.Lock()
				defer mu.Unlock()
				order = append(order, i)
				if got, want := time.Since(start), time.Duration(i+1)*100*time.Millisecond; got != want {
					t.Errorf("%d began after %v, want %v", i, got, want)
				}
			}()
			synctest.Wait()
		}
		// Who does not wait comes behind those who do, and is told so.
		full(t, k, 1, 600*time.Millisecond, "in 600ms")
		time.Sleep(250 * time.Millisecond)
		synctest.Wait()
		full(t, k, 1, 350*time.Millisecond)
		time.Sleep(time.Second)
		synctest.Wait()
		if !slices.Equal(order, []int{0, 1, 2, 3, 4}) {
			t.Errorf("order %v", order)
		}
		if k.limiter.waiting.Len() != 0 || k.limiter.inProgress != 0 {
			t.Errorf("%d wait, %d in progress", k.limiter.waiting.Len(), k.limiter.inProgress)
		}
	})
}

func TestALargeRequestIsNotOvertaken(t *testing.T) {
	bubble(t, "documents=10/s", func(t *testing.T, k *Key) {
		begin(t, k, 10)()
		start := time.Now()
		done := make(chan time.Duration, 2)
		wait := func(items int) {
			end, err := k.Wait(t.Context(), items)
			if err != nil {
				t.Error(err)
				return
			}
			end()
			done <- time.Since(start)
		}
		go wait(25) // when the bucket is full: after 1 s, and owes 15 then
		synctest.Wait()
		go wait(1)
		synctest.Wait()
		full(t, k, 1, 2700*time.Millisecond) // behind 26
		if large, small := <-done, <-done; large != time.Second || small != 2600*time.Millisecond {
			t.Errorf("after %v and %v", large, small)
		}
	})
}

func TestWaitForTheEndOfAnother(t *testing.T) {
	bubble(t, "concurrent=1", func(t *testing.T, k *Key) {
		end := begin(t, k, 1)
		var got atomic.Int32
		ends := make(chan func(), 2)
		for range 2 {
			go func() {
				e, err := k.Wait(t.Context(), 1)
				if err != nil {
					t.Error(err)
				}
				got.Add(1)
				ends <- e
			}()
		}
		check := func(want int32) {
			t.Helper()
			synctest.Wait()
			if got.Load() != want {
				t.Fatalf("%d were let in, want %d", got.Load(), want)
			}
		}
		check(0)
		end()
		check(1)
		full(t, k, 1, time.Second, "concurrent=1")
		(<-ends)()
		check(2)
		(<-ends)()
		begin(t, k, 1)()
	})
}

func TestWaitEndsWithItsContext(t *testing.T) {
	bubble(t, "rate=1/s concurrent=1", func(t *testing.T, k *Key) {
		begin(t, k, 1)()
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		failed := make(chan error, 1)
		go func() {
			_, err := k.Wait(ctx, 1)
			failed <- err
		}()
		synctest.Wait()
		second := make(chan func(), 1)
		go func() {
			end, err := k.Wait(t.Context(), 1)
			if err != nil {
				t.Error(err)
			}
			second <- end
		}()
		err := <-failed
		refused(t, err, fault.Deadline, `limits of the key "web"`)
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v is no deadline", err)
		}
		// The one behind gets the place that the first gave up, at once when it is there: nothing is reserved any more.
		time.Sleep(700 * time.Millisecond)
		synctest.Wait()
		select {
		case end := <-second:
			end()
		default:
			t.Error("the second one still waits")
		}
		_, err = k.Wait(ctx, 1)
		refused(t, err, fault.Deadline)
		if k.limiter.waiting.Len() != 0 || k.limiter.inProgress != 0 {
			t.Errorf("%d wait, %d in progress", k.limiter.waiting.Len(), k.limiter.inProgress)
		}
		full(t, k, 1, time.Second)
	})
}

// Many goroutines begin, wait and give up by chance: never more in progress than may be, and nothing is left.
func TestLimitsHoldUnderLoad(t *testing.T) {
	const most = 3
	k := limited(t, "concurrent=3 rate=1000000/s documents=1000000000/s")
	var inProgress, let atomic.Int64
	var all sync.WaitGroup
	for seed := range uint64(8) {
		all.Go(func() {
			r := rand.New(rand.NewPCG(seed, 2))
			for range 500 {
				ctx, cancel := context.WithCancel(t.Context())
				var end func()
				var err error
				switch r.IntN(3) {
				case 0:
					end, err = k.Begin(r.IntN(9))
				case 1:
					go cancel()
					end, err = k.Wait(ctx, r.IntN(9))
				default:
					end, err = k.Wait(ctx, r.IntN(9))
				}
				if err == nil {
					let.Add(1)
					if n := inProgress.Add(1); n > most {
						t.Errorf("%d in progress", n)
					}
					inProgress.Add(-1)
					end()
				}
				cancel()
			}
		})
	}
	all.Wait()
	if k.limiter.inProgress != 0 || k.limiter.waiting.Len() != 0 || let.Load() == 0 {
		t.Errorf("%d in progress, %d wait, %d let in", k.limiter.inProgress, k.limiter.waiting.Len(), let.Load())
	}
}
