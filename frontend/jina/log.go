package jina

import (
	"context"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/status"

	"clipd/frontend/auth"
)

// logCall writes a line at the level debug about a call that has ended, whatever its service.
func (s *Service) logCall(method string, key *auth.Key, began time.Time, requests, answers int64, err error) {
	if e := s.options.Log.Debug(); e.Enabled() {
		e.Str("method", method).Stringer("code", status.Code(err)).Int64("requests", requests).Int64("answers", answers).
			Dur("took", time.Since(began)).Str("key", key.Name()).Msg("grpc")
	}
}

// countingStream counts what goes through a stream, for the log.
type countingStream struct {
	grpc.ServerStream
	received, sent atomic.Int64
}

// RecvMsg implements grpc.ServerStream.
func (s *countingStream) RecvMsg(m any) error {
	err := s.ServerStream.RecvMsg(m)
	if err == nil {
		s.received.Add(1)
	}
	return err
}

// SendMsg implements grpc.ServerStream.
func (s *countingStream) SendMsg(m any) error {
	err := s.ServerStream.SendMsg(m)
	if err == nil {
		s.sent.Add(1)
	}
	return err
}

// unary asks for a key, and logs the call.
func (s *Service) unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (answer any, err error) {
	began := time.Now()
	var key *auth.Key
	defer func() {
		answers := int64(1)
		if err != nil {
			answers = 0
		}
		s.logCall(info.FullMethod, key, began, 1, answers, err)
	}()
	if !openMethod(info.FullMethod) {
		if key, err = s.key(ctx); err != nil {
			return nil, refuse(ctx, err)
		}
	}
	return handler(ctx, req)
}

// stream is the same for streams.
func (s *Service) stream(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) (err error) {
	began, counting := time.Now(), &countingStream{ServerStream: stream}
	var key *auth.Key
	defer func() { s.logCall(info.FullMethod, key, began, counting.received.Load(), counting.sent.Load(), err) }()
	if !openMethod(info.FullMethod) {
		if key, err = s.key(stream.Context()); err != nil {
			return refuseStream(stream, err)
		}
	}
	return handler(srv, counting)
}
