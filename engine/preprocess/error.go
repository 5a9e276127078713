package preprocess

import (
	"errors"
	"fmt"
)

// ErrUnavailable is in the chain of errors about pictures that may well be right, in a format that this machine lacks
// the library for (AVIF without libavif). The server's operator can mend it, not the sender.
var ErrUnavailable = errors.New("preprocess: this server cannot decode the picture's format")

// Error says why a picture was refused. It is the sender's to mend; other errors of this package are not.
type Error struct {
	// Format as Format names it, "tensor" for raw pixels, "" when unknown.
	Format string
	// Reason is a sentence that begins with the size of the picture where that is known, such as
	// "640×480: data ends early after row 211 of 480".
	Reason string
}

func (e *Error) Error() string {
	switch {
	case e.Format == "":
		return "picture: " + e.Reason
	case e.Reason != "" && e.Reason[0] >= '0' && e.Reason[0] <= '9':
		return e.Format + " " + e.Reason
	default:
		return e.Format + ": " + e.Reason
	}
}

func sized(width, height int, format string, args ...any) string {
	return fmt.Sprintf("%d×%d: ", width, height) + fmt.Sprintf(format, args...)
}
