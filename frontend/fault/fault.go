// Package fault sorts the errors that a caller can meet and says, in one place, what each is called over gRPC, HTTP
// and WebSocket.
package fault

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"clipd/engine"
)

// Error is an error of a frontend, before or beside the model's work. Message is a whole sentence for the caller.
type Error struct {
	Code       Code
	Message    string
	RetryAfter time.Duration // when trying again can help; 0 = unknown
	Err        error         // the cause, or nil
	Limit      string        // the limit that was reached, as metrics name it, such as max_documents; "" = none
}

// Code is what went wrong.
type Code int

// The codes.
const (
	Internal         Code = iota // clipd failed
	Malformed                    // bytes that are not what the protocol or the content type says
	Invalid                      // well-formed, but no request: an unknown field's type, a bad parameter
	NotFound                     // no such path, endpoint or model
	MethodNotAllowed             // the path has other methods
	MediaType                    // a content type or encoding that is not read
	TooLarge                     // a limit that trying again does not help
	Unauthenticated              // no key, or a wrong one
	Forbidden                    // the key may not do this
	Overloaded                   // a limit of now; try again later
	Unavailable                  // not ready yet, or shutting down
	Deadline                     // took too long, or the caller went away
)

// table says of each code its name in logs and what it is over HTTP, gRPC and WebSocket.
var table = [...]struct {
	name  string
	http  int
	grpc  codes.Code
	close int
}{
	Internal:         {"internal", http.StatusInternalServerError, codes.Internal, 1011},
	Malformed:        {"malformed", http.StatusBadRequest, codes.InvalidArgument, 1007},
	Invalid:          {"invalid", http.StatusUnprocessableEntity, codes.InvalidArgument, 1008},
	NotFound:         {"not found", http.StatusNotFound, codes.NotFound, 1008},
	MethodNotAllowed: {"method not allowed", http.StatusMethodNotAllowed, codes.Unimplemented, 1008},
	MediaType:        {"media type", http.StatusUnsupportedMediaType, codes.InvalidArgument, 1003},
	TooLarge:         {"too large", http.StatusRequestEntityTooLarge, codes.ResourceExhausted, 1009},
	Unauthenticated:  {"unauthenticated", http.StatusUnauthorized, codes.Unauthenticated, 1008},
	Forbidden:        {"forbidden", http.StatusForbidden, codes.PermissionDenied, 1008},
	Overloaded:       {"overloaded", http.StatusTooManyRequests, codes.ResourceExhausted, 1013},
	Unavailable:      {"unavailable", http.StatusServiceUnavailable, codes.Unavailable, 1011},
	Deadline:         {"deadline", http.StatusGatewayTimeout, codes.DeadlineExceeded, 1011},
}

// String returns the code's name as logs show it.
func (c Code) String() string { return table[c].name }

// Label returns the code's name as metrics show it.
func (c Code) Label() string { return strings.ReplaceAll(table[c].name, " ", "_") }

// Codes is how many codes there are; they count from 0.
const Codes = int(Deadline) + 1

// HTTP returns the HTTP status of the code.
func (c Code) HTTP() int { return table[c].http }

// Error implements error.
func (e *Error) Error() string {
	if e.Err != nil {
		return e.Message + ": " + e.Err.Error()
	}
	return e.Message
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// GRPCStatus makes gRPC send the error as what it is.
func (e *Error) GRPCStatus() *status.Status { return status.New(table[e.Code].grpc, e.Error()) }

// New makes an error of the code, without a cause.
func New(c Code, format string, args ...any) *Error {
	return &Error{Code: c, Message: fmt.Sprintf(format, args...)}
}

// Past says which limit was reached, and returns e.
func (e *Error) Past(limit string) *Error {
	e.Limit = limit
	return e
}

// Reason is what metrics call the error: the limit that was reached or, where there is none, the code.
func (e *Error) Reason() string {
	if e.Limit != "" {
		return e.Limit
	}
	return e.Code.Label()
}

// Of returns err as an Error: the first one in its chain, or what an error of the engine is for a caller.
func Of(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	code := Internal
	switch engine.KindOf(err) {
	case engine.Invalid:
		code = Invalid
	case engine.NotFound:
		code = NotFound
	case engine.Overloaded:
		code = Overloaded
	case engine.Deadline:
		code = Deadline
	case engine.Unavailable:
		code = Unavailable
	}
	of := &Error{Code: code, Message: err.Error()}
	if inner := new(engine.Error); errors.As(err, &inner) {
		of.RetryAfter, of.Limit = inner.RetryAfter, inner.Limit
	}
	return of
}

// retry is how long a caller is told to wait when nothing better is known.
const retry = time.Second

// RetrySeconds is the value of the HTTP header Retry-After; 0 means that the header is not sent.
func (e *Error) RetrySeconds() int {
	wait := e.RetryAfter
	switch {
	case wait > 0:
	case e.Code == Overloaded || e.Code == Unavailable:
		wait = retry
	default:
		return 0
	}
	return int((wait + time.Second - 1) / time.Second)
}

// reasonBytes is the most that the reason of a WebSocket close frame holds.
const reasonBytes = 123

// Close returns the code and the reason of the WebSocket close frame for the error.
func (e *Error) Close() (code int, reason string) {
	reason = e.Error()
	if len(reason) > reasonBytes {
		cut := reasonBytes - len("…")
		for cut > 0 && reason[cut]&0xC0 == 0x80 { // not within a character
			cut--
		}
		reason = reason[:cut] + "…"
	}
	return table[e.Code].close, reason
}
