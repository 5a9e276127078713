package fetch

import (
	"encoding/base64"
	"strings"
	"testing"
)

func TestData(t *testing.T) {
	l := &Loader{}
	gives(t, l, "data:,", "")
	gives(t, l, "data:image/png;base64,aGVsbG8=", "hello")
	gives(t, l, "Data:image/png;charset=x;BASE64,aGVsbG8", "hello")
	gives(t, l, "data:;base64,aGVs%62G8%3D", "hello")
	gives(t, l, "data:;base64,aGVs\r\nbG8=\n", "hello")
	gives(t, l, "data:;base64,-_8=", "\xfb\xff")
	gives(t, l, "data:;base64,+/8=", "\xfb\xff")
	gives(t, l, "data:text/plain,a+b%2Cc", "a+b,c")
	refuses(t, l, "data:image/png;base64", "no comma")
	refuses(t, l, "data:,%zz", "percent-encoded")
	refuses(t, l, "data:;base64,%", "percent-encoded")
	refuses(t, l, "data:;base64,a*b", "base64")
	refuses(t, l, "data:;base64,a", "base64")
}

func TestDataHasALimit(t *testing.T) {
	l := mustNew(t, Options{MaxBytes: 10}, hooks{})
	ten := strings.Repeat("x", 10)
	check := func(head, body string, fits bool) {
		t.Helper()
		if fits {
			gives(t, l, head+body, ten)
		} else {
			refuses(t, l, head+body, "more than the 10 bytes")
		}
	}
	check("data:,", ten, true)
	check("data:,", ten+"x", false)
	check("data:,", strings.Repeat("%78", 10), true)
	check("data:,", strings.Repeat("%78", 11), false)
	encoded := base64.StdEncoding.EncodeToString([]byte(ten))
	check("data:;base64,", encoded, true)
	check("data:;base64,", strings.Join(strings.Split(encoded, ""), "\r\n"), true)
	check("data:;base64,", base64.StdEncoding.EncodeToString([]byte(ten+"x")), false)
	check("data:;base64,", strings.Repeat("%41", 15), false)
	refuses(t, &Loader{}, "data:;base64,"+strings.Repeat("A", DefaultMaxBytes/3*4+8), "more than")
}

// TestTooMuchDataIsNotDecoded counts what a refusal allocates.
func TestTooMuchDataIsNotDecoded(t *testing.T) {
	l := mustNew(t, Options{MaxBytes: 1 << 10}, hooks{})
	uri := "data:;base64," + strings.Repeat("A", 1<<20)
	n := allocated(func() { l.Load(t.Context(), uri) })
	if n > 16<<10 {
		t.Errorf("a refusal of 1 MiB allocates %d bytes", n)
	}
}
