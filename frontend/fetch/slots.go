package fetch

import (
	"context"
	"errors"
	"sync"
)

// errNoTurn means that a load's time was over before its turn came.
var errNoTurn = errors.New("no turn")

// slots bounds the loads under way, in all and for each host.
type slots struct {
	all     chan struct{} // one element for each load under way
	perHost int

	mu    sync.Mutex
	hosts map[string]*hostSlots // those with loads under way or waiting
}

type hostSlots struct {
	taken chan struct{}
	users int // under way or waiting; guarded by slots.mu
}

func newSlots(all, perHost int) *slots {
	return &slots{all: make(chan struct{}, all), perHost: perHost, hosts: map[string]*hostSlots{}}
}

// take waits for a turn and returns what ends it. The host's own slot comes first: whoever waits for a slow host
// keeps no place that others could have.
func (s *slots) take(ctx context.Context, host string) (give func(), err error) {
	h := s.enter(host)
	select {
	case h.taken <- struct{}{}:
	case <-ctx.Done():
		s.leave(host, h)
		return nil, errNoTurn
	}
	select {
	case s.all <- struct{}{}:
	case <-ctx.Done():
		<-h.taken
		s.leave(host, h)
		return nil, errNoTurn
	}
	return func() {
		<-s.all
		<-h.taken
		s.leave(host, h)
	}, nil
}

func (s *slots) enter(host string) *hostSlots {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.hosts[host]
	if h == nil {
		h = &hostSlots{taken: make(chan struct{}, s.perHost)}
		s.hosts[host] = h
	}
	h.users++
	return h
}

func (s *slots) leave(host string, h *hostSlots) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if h.users--; h.users == 0 {
		delete(s.hosts, host)
	}
}
