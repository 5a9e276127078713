package preprocess

import (
	"errors"
	"strings"
	"testing"
)

// TestStatusOfNative tells the sender's faults from the machine's. The numbers are those of clip_image_status in
// csrc/include/clip_image.h.
func TestStatusOfNative(t *testing.T) {
	j := &job{format: "AVIF"}
	text := &errorText{'n', 'o', ' ', 'l', 'i', 'b', 'r', 'a', 'r', 'y'}
	if err := j.failure(0, text); err != nil {
		t.Errorf("success: %v", err)
	}
	check := func(name string, err error, sender, unavailable bool) {
		t.Helper()
		var refused *Error
		if errors.As(err, &refused) != sender || errors.Is(err, ErrUnavailable) != unavailable {
			t.Errorf("%s: %v (%T): *Error must be %v, ErrUnavailable %v", name, err, err, sender, unavailable)
		}
		if err == nil || !strings.Contains(err.Error(), "AVIF: no library") && !strings.Contains(err.Error(), "AVIF picture: no library") {
			t.Errorf("%s: %v does not say what failed", name, err)
		}
	}
	check("invalid", j.failure(1, text), true, false)
	check("too large", j.failure(2, text), true, false)
	check("unavailable", j.failure(3, text), false, true)
	check("out of memory", j.failure(4, text), false, false)
	check("internal", j.failure(5, text), false, false)
}
