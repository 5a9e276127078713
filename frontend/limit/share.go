package limit

import (
	"container/list"
	"context"
	"fmt"
	"sync"

	"clipd/frontend/fault"
)

// defaultPart of the budget is what a stream holds at most when nothing is said: eight greedy streams fit beside each
// other.
const defaultPart = 8

// Share is the part of a budget that one stream may hold. A stream that reads ahead is held back by it rather than
// refused for what it sent itself. Its methods may be called from several goroutines; who comes first is served first.
//
// A request takes its bytes in one piece, before its work begins: one that took some, and then waited for more, could
// wait for itself.
type Share struct {
	whole *Bytes
	max   int64

	mu      sync.Mutex
	used    int64     // taken or promised to a waiter that was woken
	waiting list.List // of *waiter, first come first
}

// waiter is a Take that waits for room.
type waiter struct {
	bytes int64
	ready chan struct{} // closed when the bytes are its own
}

// Share returns a stream's part of the budget, max bytes at most; with max ≤ 0 an eighth of the budget. It holds nothing
// by itself, and needs no closing when all that was taken is given back.
func (b *Bytes) Share(max int64) *Share {
	if b != nil {
		if max <= 0 {
			max = (b.max + defaultPart - 1) / defaultPart
		}
		max = min(max, b.max)
	}
	return &Share{whole: b, max: max}
}

// Take waits until what the stream holds leaves room for n bytes more, and takes them from the whole budget, which fails
// as Bytes.Take does. More bytes than the share has are let through when the stream holds nothing else. When ctx ends
// first, that is a fault.Deadline and nothing is taken.
func (s *Share) Take(ctx context.Context, n int64) error {
	if err := s.whole.Admissible(n); err != nil {
		return err
	}
	if err := s.enter(ctx, n); err != nil {
		return err
	}
	if err := s.whole.Take(n); err != nil {
		s.leave(n)
		return err
	}
	return nil
}

// Give gives n bytes back, to the whole budget and to those who wait for the share.
func (s *Share) Give(n int64) {
	s.whole.Give(n)
	s.leave(n)
}

// enter waits for room in the share and takes it.
func (s *Share) enter(ctx context.Context, n int64) error {
	if ctx.Err() != nil {
		return ended(ctx, n)
	}
	s.mu.Lock()
	if s.waiting.Len() == 0 && s.fits(n) {
		s.used += n
		s.mu.Unlock()
		return nil
	}
	w := &waiter{n, make(chan struct{})}
	place := s.waiting.PushBack(w)
	s.mu.Unlock()
	select {
	case <-w.ready:
		return nil
	case <-ctx.Done():
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-w.ready: // at the same moment
		s.used -= n
	default:
		s.waiting.Remove(place)
	}
	s.admit() // those behind may be smaller
	return ended(ctx, n)
}

// leave gives n bytes of the share back.
func (s *Share) leave(n int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.used -= n; n < 0 || s.used < 0 {
		panic(fmt.Sprintf("BUG: %d bytes given back, which leaves %d of the share in use", n, s.used))
	}
	s.admit()
}

// fits says whether the share has room for n bytes. s.mu is held.
func (s *Share) fits(n int64) bool {
	return s.max <= 0 || s.used == 0 || n <= s.max-s.used
}

// admit wakes waiters, in their order, while they fit. s.mu is held.
func (s *Share) admit() {
	for first := s.waiting.Front(); first != nil; first = s.waiting.Front() {
		w := first.Value.(*waiter)
		if !s.fits(w.bytes) {
			return
		}
		s.used += w.bytes
		s.waiting.Remove(first)
		close(w.ready)
	}
}

func ended(ctx context.Context, n int64) error {
	return &fault.Error{Code: fault.Deadline, Message: fmt.Sprintf("waiting for room for %d bytes of the stream's own requests", n), Err: context.Cause(ctx)}
}
