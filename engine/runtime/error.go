package runtime

import "errors"

// What kind of failure an *Error is; for errors.Is.
var (
	ErrInvalid     = errors.New("invalid argument") // the caller's fault: an option, a graph, a shape
	ErrUnavailable = errors.New("unavailable")      // a library, device or precision that this machine lacks
	ErrOutOfMemory = errors.New("out of memory")
	ErrInternal    = errors.New("internal") // the runtime failed
)

// Status is the kind of a failure as the C ABI numbers it (clip_status).
type Status int

// The values are those of clip_status.
const (
	StatusInvalid     Status = 1
	StatusUnavailable Status = 2
	StatusOutOfMemory Status = 3
	StatusInternal    Status = 4
)

// Error is a failure of a runtime, or of a call to one.
type Error struct {
	Status  Status
	Text    string // one sentence: what was tried, on what, what would be right
	Runtime string // "openvino"
}

func (e *Error) Error() string { return "runtime " + e.Runtime + ": " + e.Text }

// Is reports whether target is the sentinel of the error's kind.
func (e *Error) Is(target error) bool {
	switch e.Status {
	case StatusInvalid:
		return target == ErrInvalid
	case StatusUnavailable:
		return target == ErrUnavailable
	case StatusOutOfMemory:
		return target == ErrOutOfMemory
	}
	// A status that this program does not know is the runtime's failure.
	return target == ErrInternal
}
