package jina

import (
	"context"
	"errors"
	"strconv"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"clipd/engine"
	"clipd/frontend/fault"
)

// grpcError is err as a call ends with it. One that trying again can help says after how long, in the form that gRPC has
// for it (google.rpc.RetryInfo).
func grpcError(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if gone := ctx.Err(); gone != nil && errors.Is(gone, context.Canceled) {
		return status.FromContextError(gone).Err() // nobody is there to read it, and nothing failed
	}
	var f *fault.Error
	var e *engine.Error
	if _, ready := status.FromError(err); ready && !errors.As(err, &f) {
		return err
	}
	if !errors.As(err, &f) && !errors.As(err, &e) && errors.Is(err, context.DeadlineExceeded) {
		return status.FromContextError(err).Err()
	}
	f = fault.Of(err)
	st := f.GRPCStatus()
	if wait := f.RetrySeconds(); wait > 0 {
		delay := durationpb.New(f.RetryAfter)
		if f.RetryAfter <= 0 {
			delay.Seconds = int64(wait)
		}
		if with, err := st.WithDetails(&errdetails.RetryInfo{RetryDelay: delay}); err == nil {
			st = with
		}
	}
	return st.Err()
}

// retryAfter is the trailer that tells callers who do not read status details when to try again, in seconds.
func retryAfter(err error) metadata.MD {
	var f *fault.Error
	if errors.As(err, &f) && f.RetrySeconds() > 0 {
		return metadata.Pairs("retry-after", strconv.Itoa(f.RetrySeconds()))
	}
	return nil
}

// refuse ends a unary call.
func refuse(ctx context.Context, err error) error {
	if md := retryAfter(err); md != nil {
		grpc.SetTrailer(ctx, md) // fails only when the call has ended already
	}
	return grpcError(ctx, err)
}

// refuseStream ends a stream.
func refuseStream(stream grpc.ServerStream, err error) error {
	if md := retryAfter(err); md != nil {
		stream.SetTrailer(md)
	}
	return grpcError(stream.Context(), err)
}

// malformed is the fault of bytes that are no message.
func malformed(err error) error {
	return &fault.Error{Code: fault.Malformed, Message: "the message is no jina.DataRequestProto", Err: err}
}

var errUnimplemented = status.Error(codes.Unimplemented, "this method is not served; use /jina.JinaRPC/Call or /jina.JinaSingleDataRequestRPC/process_single_data")
