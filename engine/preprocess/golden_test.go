package preprocess

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const goldenDir = "../../testdata/preprocess"

type goldenCase struct {
	File     string
	Size     int
	Notes    string
	Format   string
	SHA256   string
	Expected string // picture to compare with where a difference of 1 is allowed
	Error    bool
}

func goldenCases(t testing.TB) []goldenCase {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(goldenDir, "cases.json"))
	if err != nil {
		t.Fatal(err)
	}
	var cases []goldenCase
	if err := json.Unmarshal(raw, &cases); err != nil {
		t.Fatal(err)
	}
	if len(cases) < 100 {
		t.Fatalf("%d golden cases, want at least 100", len(cases))
	}
	return cases
}

func readGolden(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(goldenDir, name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestGolden compares with what Pillow gave, and checks that what it refused is refused.
func TestGolden(t *testing.T) {
	for _, c := range goldenCases(t) {
		name := strings.TrimPrefix(c.File, "inputs/")
		data := readGolden(t, c.File)
		dst := make([]byte, c.Size*c.Size*3)
		err := Image(dst, data, c.Size, Limits{MaxPixels: 178_956_970})
		var refused *Error
		switch {
		case errors.Is(err, ErrUnavailable):
			t.Logf("%s: %v", name, err)
		case c.Error && err == nil:
			t.Errorf("%s (%s) was taken", name, c.Notes)
		case c.Error && !errors.As(err, &refused):
			t.Errorf("%s (%s): %v is no *Error", name, c.Notes, err)
		case c.Error:
		case err != nil:
			t.Errorf("%s (%s) at %d: %v", name, c.Notes, c.Size, err)
		case c.Expected != "":
			compareGolden(t, c, dst)
		default:
			sum := sha256.Sum256(dst)
			if got := hex.EncodeToString(sum[:]); got != c.SHA256 {
				t.Errorf("%s (%s) at %d: pixels differ from Pillow's", name, c.Notes, c.Size)
			}
		}
	}
}

// compareGolden allows a difference of 1 in 1 % of the values.
func compareGolden(t *testing.T, c goldenCase, dst []byte) {
	t.Helper()
	want, err := png.Decode(bytes.NewReader(readGolden(t, c.Expected)))
	if err != nil {
		t.Fatal(err)
	}
	different := 0
	for y := range c.Size {
		for x := range c.Size {
			r, g, b, _ := want.At(x, y).RGBA()
			for channel, value := range []uint32{r, g, b} {
				got := int(dst[(y*c.Size+x)*3+channel])
				difference := max(int(value>>8)-got, got-int(value>>8))
				if difference > 1 {
					t.Fatalf("%s at %d: (%d, %d) channel %d is %d, want %d", c.File, c.Size, x, y, channel, got, value>>8)
				}
				different += difference
			}
		}
	}
	if different*100 > len(dst) {
		t.Errorf("%s at %d: %d of %d values differ from Pillow's", c.File, c.Size, different, len(dst))
	}
}

func TestFormat(t *testing.T) {
	for _, c := range goldenCases(t) {
		if c.Error {
			continue
		}
		got := Format(readGolden(t, c.File))
		if !strings.EqualFold(got, c.Format) {
			t.Errorf("Format of %s is %q, want %s", c.File, got, c.Format)
		}
	}
	for _, data := range []string{"", "P", "RIFF", "hello", "\xff\xd8"} {
		if got := Format([]byte(data)); got != "" {
			t.Errorf("Format(%q) = %q", data, got)
		}
	}
}
