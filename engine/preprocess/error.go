package preprocess

import "fmt"

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
