package jina

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/metadata"

	"clipd/frontend/fault"
	"clipd/frontend/jina/pb"
)

// slowStream is a stream whose client takes one part of an answer now and then.
type slowStream struct {
	ctx   context.Context
	every time.Duration // for a part; 0 = takes nothing
	sent  int
}

func (s *slowStream) SetHeader(metadata.MD) error  { return nil }
func (s *slowStream) SendHeader(metadata.MD) error { return nil }
func (s *slowStream) SetTrailer(metadata.MD)       {}
func (s *slowStream) Context() context.Context     { return s.ctx }
func (s *slowStream) RecvMsg(any) error            { <-s.ctx.Done(); return s.ctx.Err() }

func (s *slowStream) SendMsg(m any) error {
	parts, err := codec{}.Marshal(m)
	if err != nil {
		return err
	}
	for _, p := range parts {
		var taken <-chan time.Time
		if s.every > 0 {
			taken = time.After(s.every)
		}
		select {
		case <-taken:
			p.Free()
		case <-s.ctx.Done():
			return s.ctx.Err()
		}
	}
	s.sent++
	return nil
}

func TestASlowClientThatTakesSomethingGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream := &slowStream{ctx: t.Context(), every: 7 * time.Second}
		s := newSender(stream, nil, 10*time.Second, func() { t.Error("stalled") })
		for range 3 { // each of 33 parts, and so of 4 minutes
			if _, err := s.send(answerOf(256)); err != nil {
				t.Fatal(err)
			}
		}
		if stream.sent != 3 {
			t.Errorf("%d answers were sent", stream.sent)
		}
	})
}

func TestAClientThatTakesNothingIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		stream := &slowStream{ctx: ctx}
		s := newSender(stream, nil, 10*time.Second, func() {})
		done, second := make(chan error, 1), make(chan error, 1)
		go func() { _, err := s.send(answerOf(256)); done <- err }()
		<-s.stalled
		go func() { _, err := s.send(&pb.DataRequestProto{}); second <- err }()
		cancel() // as gRPC does when the handler returns
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("the answer under way ended with %v", err)
		}
		if err := <-second; fault.Of(err).Code != fault.Deadline {
			t.Errorf("the next answer ended with %v", err)
		}
	})
}
