package engine

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Kind sorts errors by what the caller can do about them. Frontends turn a kind into their protocol's code.
type Kind int

// The kinds of errors.
const (
	Internal    Kind = iota // clipd or a runtime failed
	Invalid                 // the input is wrong; sending it again will not help
	NotFound                // no such model, endpoint or file
	Overloaded              // a limit is reached; try again later
	Deadline                // the deadline passed, or the caller went away
	Unavailable             // not ready yet, or shutting down
)

// String returns the kind's name as logs and metrics show it.
func (k Kind) String() string {
	switch k {
	case Invalid:
		return "invalid"
	case NotFound:
		return "not found"
	case Overloaded:
		return "overloaded"
	case Deadline:
		return "deadline"
	case Unavailable:
		return "unavailable"
	}
	return "internal"
}

// Error is an error with its kind. Message is a whole sentence for the one who sent the input.
type Error struct {
	Kind    Kind
	Message string
	Err     error // what caused it, or nil

	RetryAfter time.Duration // Overloaded: about when there is room again; 0: unknown
	Limit      string        // the limit that was reached, as metrics name it, such as max_queued; "": none
}

// Error implements error.
func (e *Error) Error() string {
	if e.Err != nil {
		return e.Message + ": " + e.Err.Error()
	}
	return e.Message
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Errorf makes an Error of the kind, without a cause.
func Errorf(k Kind, format string, args ...any) *Error {
	return &Error{Kind: k, Message: fmt.Sprintf(format, args...)}
}

// KindOf returns the kind of err: that of the first Error in its chain, Deadline for the errors of a context,
// and Internal for anything else.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return Deadline
	}
	return Internal
}
