package engine

import (
	"context"
	"fmt"
	"testing"
)

func TestKindOf(t *testing.T) {
	check := func(err error, want Kind) {
		t.Helper()
		if got := KindOf(err); got != want {
			t.Errorf("KindOf(%v) = %v, want %v", err, got, want)
		}
	}
	check(Errorf(Invalid, "bad %d", 1), Invalid)
	check(fmt.Errorf("outer: %w", Errorf(Overloaded, "full")), Overloaded)
	check(context.Canceled, Deadline)
	check(fmt.Errorf("other"), Internal)
}
