package bench

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// server is a scripted target whose connections live in this process; with testing/synctest its time is not real.
type server struct {
	streams int // of each connection; 0: 1
	mixed   bool
	answer  func(ctx context.Context, n int64, items int) error // n counts exchanges from 0

	exchanges atomic.Int64
	underWay  atomic.Int64
	most      atomic.Int64
	dialed    atomic.Int64
	closed    atomic.Int64
}

func (s *server) Encode(items []Item) ([]byte, error) { return make([]byte, len(items)), nil }

func (s *server) Mixed() bool { return s.mixed }

func (s *server) Dial() (Conn, error) {
	s.dialed.Add(1)
	return &serverConn{s}, nil
}

type serverConn struct{ s *server }

func (c *serverConn) Streams() int { return max(c.s.streams, 1) }

func (c *serverConn) Close() error {
	c.s.closed.Add(1)
	return nil
}

func (c *serverConn) Exchange(ctx context.Context, request []byte, items int) error {
	if len(request) != items {
		return errors.New("BUG: the request holds other items than were announced")
	}
	now := c.s.underWay.Add(1)
	defer c.s.underWay.Add(-1)
	for most := c.s.most.Load(); now > most && !c.s.most.CompareAndSwap(most, now); most = c.s.most.Load() {
	}
	return c.s.answer(ctx, c.s.exchanges.Add(1)-1, items)
}

// takes answers after a time, or fails when the context ends.
func takes(d time.Duration) func(context.Context, int64, int) error {
	return func(ctx context.Context, _ int64, _ int) error { return wait(ctx, d) }
}

func wait(ctx context.Context, d time.Duration) error {
	if !sleep(ctx, d) {
		return ctx.Err()
	}
	return nil
}

// worker is a server that works on one request at a time, each item for a while, with room for so many requests to
// wait; others are refused at once.
type worker struct {
	item time.Duration
	room int

	once    sync.Once
	turn    chan struct{} // a mutex would keep time from passing in a bubble of testing/synctest
	waiting atomic.Int64
}

func (w *worker) answer(ctx context.Context, _ int64, items int) error {
	w.once.Do(func() { w.turn = make(chan struct{}, 1) })
	defer w.waiting.Add(-1)
	if w.waiting.Add(1) > int64(w.room) {
		return refused("%d requests are waiting", w.room)
	}
	select {
	case w.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	err := wait(ctx, time.Duration(items)*w.item)
	<-w.turn
	return err
}
