package fault

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"clipd/engine"
)

func TestOfEngineErrors(t *testing.T) {
	check := func(err error, http int, grpc codes.Code, retry int) {
		t.Helper()
		e := Of(err)
		if e.Code.HTTP() != http || status.Code(e) != grpc || e.RetrySeconds() != retry {
			t.Errorf("%v is HTTP %d, gRPC %v, Retry-After %d; want %d, %v, %d", err, e.Code.HTTP(), status.Code(e), e.RetrySeconds(), http, grpc, retry)
		}
		if e.Error() != err.Error() {
			t.Errorf("%q became %q", err, e)
		}
	}
	check(engine.Errorf(engine.Invalid, "x"), 422, codes.InvalidArgument, 0)
	check(engine.Errorf(engine.NotFound, "x"), 404, codes.NotFound, 0)
	check(engine.Errorf(engine.Overloaded, "x"), 429, codes.ResourceExhausted, 1)
	check(&engine.Error{Kind: engine.Overloaded, Message: "x", RetryAfter: 3 * time.Second}, 429, codes.ResourceExhausted, 3)
	check(engine.Errorf(engine.Unavailable, "x"), 503, codes.Unavailable, 1)
	check(fmt.Errorf("waiting: %w", context.DeadlineExceeded), 504, codes.DeadlineExceeded, 0)
	check(errors.New("x"), 500, codes.Internal, 0)
	check(&Error{Code: Overloaded, Message: "x", RetryAfter: 1500 * time.Millisecond}, 429, codes.ResourceExhausted, 2)
	check(New(TooLarge, "%d bytes", 5), 413, codes.ResourceExhausted, 0)
}

func TestCloseReasonFitsItsFrame(t *testing.T) {
	for n := range 8 {
		code, reason := New(Unavailable, "%s%s", strings.Repeat("a", n), strings.Repeat("ü", 100)).Close()
		if code != 1011 || len(reason) > 123 || !utf8.ValidString(reason) {
			t.Errorf("close %d with %d bytes %q", code, len(reason), reason)
		}
	}
}
