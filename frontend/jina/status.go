package jina

import (
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"clipd/engine"
	"clipd/frontend/jina/pb"
)

// exceptionName is the Python class that a caller of the original would have met for an error of this kind.
func exceptionName(k engine.Kind) string {
	switch k {
	case engine.Invalid:
		return "ValueError"
	case engine.NotFound:
		return "LookupError"
	case engine.Overloaded:
		return "BlockingIOError"
	case engine.Deadline:
		return "TimeoutError"
	case engine.Unavailable:
		return "ConnectionError"
	}
	return "RuntimeError"
}

// statusOf describes an error in the form that the client raises: description is ClassName('message').
func statusOf(err error) *pb.StatusProto {
	name, text := exceptionName(engine.KindOf(err)), err.Error()
	return &pb.StatusProto{
		Code:        pb.StatusProto_ERROR,
		Description: name + "('" + strings.ReplaceAll(text, "'", "\\'") + "')",
		Exception: &pb.StatusProto_ExceptionProto{
			Name: name, Args: []string{text}, Stacks: []string{name + ": " + text}, Executor: "CLIPEncoder",
		},
	}
}

// routes are the two entries from which the client's profile() computes its table: the gateway from the arrival of the
// request to its answer, and the executor within it. profile() divides by the gateway's time in whole
// milliseconds, each end rounded down, so that is made at least 1.
func routes(executor string, arrived, began, ended time.Time, status *pb.StatusProto) []*pb.RouteProto {
	left := time.Now()
	if first := arrived.Truncate(time.Millisecond); left.Truncate(time.Millisecond).Equal(first) {
		left = first.Add(time.Millisecond)
	}
	return []*pb.RouteProto{
		{Executor: "gateway", StartTime: timestamppb.New(arrived), EndTime: timestamppb.New(left)},
		{Executor: executor, StartTime: timestamppb.New(began), EndTime: timestamppb.New(ended), Status: status},
	}
}
