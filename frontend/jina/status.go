package jina

import (
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"clipd/engine"
	"clipd/frontend/fault"
	"clipd/frontend/jina/pb"
)

// exceptionName is the Python class that a caller of the original would have met for a fault of this code.
func exceptionName(c fault.Code) string {
	switch c {
	case fault.Malformed, fault.Invalid, fault.MediaType, fault.TooLarge:
		return "ValueError"
	case fault.NotFound, fault.MethodNotAllowed:
		return "LookupError"
	case fault.Unauthenticated, fault.Forbidden:
		return "PermissionError"
	case fault.Overloaded:
		return "BlockingIOError"
	case fault.Deadline:
		return "TimeoutError"
	case fault.Unavailable:
		return "ConnectionError"
	}
	return "RuntimeError"
}

// errorBytes is the most that an answer tells of an error, which it says seven times over.
const errorBytes = 4 << 10

// statusOf describes an error in the form that the client raises: description is ClassName('message').
func statusOf(err error) *pb.StatusProto {
	name, text := exceptionName(fault.Of(err).Code), shorten(err.Error(), errorBytes)
	return &pb.StatusProto{
		Code:        pb.StatusProto_ERROR,
		Description: name + "('" + strings.ReplaceAll(text, "'", "\\'") + "')",
		Exception: &pb.StatusProto_ExceptionProto{
			Name: name, Args: []string{text}, Stacks: []string{name + ": " + text}, Executor: "CLIPEncoder",
		},
	}
}

// StatusOf is how Jina's answers describe an error.
func StatusOf(err error) *pb.StatusProto { return statusOf(err) }

// routes say where the time of a request went. The client's profile() computes its table from the first two: the gateway
// from the arrival of the request to its answer, and the executor within it. The others, which have an entry only when
// something was embedded, are the stages within the executor; with several documents they overlap. profile() divides by the gateway's time in whole
// milliseconds, each end rounded down, so that is made at least 1.
func routes(executor string, arrived, began, ended time.Time, times engine.Times, status *pb.StatusProto) []*pb.RouteProto {
	left := time.Now()
	if first := arrived.Truncate(time.Millisecond); left.Truncate(time.Millisecond).Equal(first) {
		left = first.Add(time.Millisecond)
	}
	all := make([]*pb.RouteProto, 2, 5)
	all[0] = &pb.RouteProto{Executor: "gateway", StartTime: timestamppb.New(arrived), EndTime: timestamppb.New(left)}
	all[1] = &pb.RouteProto{Executor: executor, StartTime: timestamppb.New(began), EndTime: timestamppb.New(ended), Status: status}
	for _, stage := range []struct {
		name string
		engine.Span
	}{{"preprocess", times.Prepare}, {"queue", times.Queue}, {"inference", times.Run}} {
		if !stage.End.IsZero() {
			all = append(all, &pb.RouteProto{
				Executor: executor + "/" + stage.name, StartTime: timestamppb.New(stage.Begin), EndTime: timestamppb.New(stage.End),
			})
		}
	}
	return all
}
