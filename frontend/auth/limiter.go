package auth

import (
	"container/list"
	"context"
	"fmt"
	"sync"
	"time"

	"clipd/frontend/fault"
)

// concurrentRetry is what a caller is told to wait for the end of another request, which nobody can foretell.
const concurrentRetry = time.Second

// limiter counts what the requests of one key use of its limits.
type limiter struct {
	mu         sync.Mutex
	concurrent int // most requests in progress; 0 = no limit
	requests   bucket
	documents  bucket
	inProgress int
	waiting    list.List // of *turn; the first one is served before anyone else
}

// turn is a request that waits.
type turn struct {
	items int
	wake  chan struct{} // holds one when there may be a place for the first in the line
}

// set changes the limits; what is used up and in progress stays so.
func (l *limiter) set(limits Limits) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	l.concurrent = limits.Concurrent
	l.requests.set(now, limits.Rate)
	l.documents.set(now, limits.Documents)
	l.wakeFirst()
}

func (l *limiter) wake() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.wakeFirst()
}

// wakeFirst has the first in the line look for a place. l.mu is held.
func (l *limiter) wakeFirst() {
	if first := l.waiting.Front(); first != nil {
		select {
		case first.Value.(*turn).wake <- struct{}{}:
		default: // it was woken and has not looked yet
		}
	}
}

func (l *limiter) begin(k *Key, items int) (end func(), err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := k.gone(); err != nil {
		return nil, err
	}
	now := time.Now()
	if l.waiting.Len() == 0 && l.take(now, items) {
		return l.ending(), nil
	}
	return nil, l.refusal(now, k.name, items)
}

func (l *limiter) wait(ctx context.Context, k *Key, items int) (end func(), err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	t := &turn{items, make(chan struct{}, 1)}
	place := l.waiting.PushBack(t)
	defer func() {
		l.waiting.Remove(place)
		l.wakeFirst()
	}()
	for {
		if err := k.gone(); err != nil {
			return nil, err
		}
		if ctx.Err() != nil {
			return nil, &fault.Error{Code: fault.Deadline, Message: fmt.Sprintf("waiting for a place within the limits of the key %q", k.name),
				Err: context.Cause(ctx)}
		}
		var free *time.Timer // ends when the rates let the first one in; nil = another request has to end
		if place == l.waiting.Front() {
			now := time.Now()
			if l.take(now, items) {
				return l.ending(), nil
			}
			if in := l.freeIn(now, items); in > 0 {
				free = time.NewTimer(in)
			}
		}
		l.mu.Unlock()
		t.sleep(ctx, free)
		k.keys.look() // takes l.mu when the limits changed
		l.mu.Lock()
	}
}

// sleep waits until there may be a place for the first in the line, or ctx ends.
func (t *turn) sleep(ctx context.Context, free *time.Timer) {
	if free == nil {
		select {
		case <-ctx.Done():
		case <-t.wake:
		}
		return
	}
	defer free.Stop()
	select {
	case <-ctx.Done():
	case <-free.C:
	case <-t.wake:
	}
}

// take takes a place if there is one. l.mu is held.
func (l *limiter) take(now time.Time, items int) bool {
	if !l.room() || l.freeIn(now, items) > 0 {
		return false
	}
	l.requests.take(now, 1)
	l.documents.take(now, items)
	l.inProgress++
	return true
}

func (l *limiter) room() bool { return l.concurrent == 0 || l.inProgress < l.concurrent }

// freeIn is how long the rates keep a request out when none is before it.
func (l *limiter) freeIn(now time.Time, items int) time.Duration {
	return max(l.requests.freeIn(now, 0, 1), l.documents.freeIn(now, 0, items))
}

// ending returns the function that gives a place back, the first time that it is called.
func (l *limiter) ending() func() {
	var once sync.Once
	return func() {
		once.Do(func() {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.inProgress--
			l.wakeFirst()
		})
	}
}

// refusal says which limit keeps a request out, and for how long. l.mu is held.
func (l *limiter) refusal(now time.Time, name string, items int) error {
	before := 0 // documents of those who wait
	for e := l.waiting.Front(); e != nil; e = e.Next() {
		before += e.Value.(*turn).items
	}
	requests := l.requests.freeIn(now, l.waiting.Len(), 1)
	documents := l.documents.freeIn(now, before, items)
	e := &fault.Error{Code: fault.Overloaded, RetryAfter: max(requests, documents)}
	switch {
	case !l.room():
		e.RetryAfter = max(e.RetryAfter, concurrentRetry)
		e.Limit = "key_concurrent"
		e.Message = fmt.Sprintf("the key %q has %d requests in progress and may have %d (concurrent=%d); try again when one has ended",
			name, l.inProgress, l.concurrent, l.concurrent)
	case e.RetryAfter == 0: // the first of those who wait was woken and is about to begin
		e.RetryAfter, e.Limit = concurrentRetry, "key_waiting"
		e.Message = fmt.Sprintf("%d requests of the key %q wait for their turn already; try again later", l.waiting.Len(), name)
	case requests >= documents:
		e.Limit = "key_rate"
		e.Message = fmt.Sprintf("the key %q is past its rate of requests (rate=%s); try again in %s", name, l.requests.rate, shown(requests))
	default:
		e.Limit = "key_documents"
		e.Message = fmt.Sprintf("the key %q is past its rate of documents (documents=%s); try again with these %d in %s", name, l.documents.rate, items,
			shown(documents))
	}
	return e
}

// shown rounds a time up to whole milliseconds, below which nobody needs to know.
func shown(d time.Duration) time.Duration {
	if up := d.Truncate(time.Millisecond); up < d {
		return up + time.Millisecond
	}
	return d
}
