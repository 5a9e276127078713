package fetch

import (
	"bytes"
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
)

func TestReadBody(t *testing.T) {
	check := func(length int, claimed, most int64, want string) {
		t.Helper()
		content := bytes.Repeat([]byte("0123456789"), length/10+1)[:length]
		for _, r := range []io.Reader{bytes.NewReader(content), iotest.DataErrReader(bytes.NewReader(content)), iotest.HalfReader(bytes.NewReader(content))} {
			data, err := readBody(r, claimed, most)
			if want != "" {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("%d bytes, %d claimed, %d at most: %d bytes and %v, want %q", length, claimed, most, len(data), err, want)
				}
			} else if err != nil || !bytes.Equal(data, content) || int64(cap(data)) > max(most, 0) {
				t.Errorf("%d bytes, %d claimed, %d at most: %d bytes in %d and %v", length, claimed, most, len(data), cap(data), err)
			}
		}
	}
	for _, length := range []int{0, 1, firstRead - 1, firstRead, firstRead + 1, trusted, trusted + 1, 5*trusted + 3} {
		n := int64(length)
		for _, claimed := range []int64{-1, 0, n / 2, n, 2 * n} {
			check(length, claimed, 2*n+1, "")
		}
		check(length, n, n, "")
		check(length, -1, n, "")
		if length > 0 {
			check(length, n, n-1, "more than")
			check(length, -1, n-1, "more than")
			check(length, 0, n-1, "more than")
		}
	}
	check(10, 11, 10, "more than the 10 bytes")
	if _, err := readBody(iotest.ErrReader(io.ErrUnexpectedEOF), 5, 10); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a broken reader gives %v", err)
	}
	if _, err := readBody(still{}, -1, 10); !errors.Is(err, io.ErrNoProgress) {
		t.Errorf("a reader that gives nothing gives %v", err)
	}
}

// still reads nothing, for ever.
type still struct{}

func (still) Read([]byte) (int, error) { return 0, nil }

// TestClaimedLengthIsExactAndNotTrusted counts allocated bytes.
func TestClaimedLengthIsExactAndNotTrusted(t *testing.T) {
	reading := func(length int, claimed int64) int64 {
		content := make([]byte, length)
		r := bytes.NewReader(nil)
		return allocated(func() {
			r.Reset(content)
			data, err := readBody(r, claimed, 1<<40)
			if err != nil || len(data) != length {
				t.Fatalf("%d bytes, %v", len(data), err)
			}
		})
	}
	if n := reading(600_000, 600_000); n > 620_000 {
		t.Errorf("600,000 bytes of a claimed length take %d", n)
	}
	if n := reading(10, 1<<35); n > trusted+trusted/2 {
		t.Errorf("a claimed length of 32 GiB takes %d bytes before they came", n)
	}
	if n := reading(3<<20, 3<<20); n > 5<<20 {
		t.Errorf("3 MiB of a claimed length take %d", n)
	}
}

// allocated returns how many bytes a call of f allocates, as the mean of a few.
func allocated(f func()) int64 {
	const calls = 20
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range calls {
		f()
	}
	runtime.ReadMemStats(&after)
	return int64(after.TotalAlloc-before.TotalAlloc) / calls
}
