package preprocess

import (
	"bytes"
	"errors"
	"image"
	"slices"
	"strings"
	"testing"
)

// TestPNGTexts has texts of 1 MiB, unpacked. Pillow takes 64 of them in a file and refuses the 65th.
func TestPNGTexts(t *testing.T) {
	plain := bytes.Repeat([]byte{'a'}, 1<<20)
	packed := deflated(t, plain)
	texts := map[string][]byte{
		"tEXt":                 encodeChunk("tEXt", append([]byte("key\x00"), plain...)),
		"zTXt":                 encodeChunk("zTXt", append([]byte("key\x00\x00"), packed...)),
		"iTXt":                 encodeChunk("iTXt", append([]byte("key\x00\x01\x00en\x00key\x00"), packed...)),
		"iTXt, not compressed": encodeChunk("iTXt", append([]byte("key\x00\x00\x00en\x00key\x00"), plain...)),
	}
	picture := encodePNG(t, image.NewGray(image.Rect(0, 0, 4, 4)))
	const head, tail = 8 + 12 + 13, 12 // behind IHDR, before IEND
	decode := func(before, after []byte) error {
		data := slices.Concat(picture[:head], before, picture[head:len(picture)-tail], after, picture[len(picture)-tail:])
		return Image(make([]byte, 3), data, 1, Limits{MaxBytes: 1 << 30})
	}
	for name, text := range texts {
		check := func(where string, before, after int) {
			t.Helper()
			err := decode(bytes.Repeat(text, before), bytes.Repeat(text, after))
			var refused *Error
			switch {
			case before+after <= 64 && err != nil:
				t.Errorf("%d %s %s: %v", before+after, name, where, err)
			case before+after > 64 && (!errors.As(err, &refused) || !strings.Contains(err.Error(), "more than 67108864 bytes")):
				t.Errorf("%d %s %s: got %v, want an *Error with the limit", before+after, name, where, err)
			}
		}
		check("before the pixels", 64, 0)
		check("around the pixels", 32, 33)
	}
	long := append([]byte("key\x00\x00"), deflated(t, make([]byte, 1<<20+1))...)
	if err := decode(encodeChunk("zTXt", long), nil); err == nil || !strings.Contains(err.Error(), "unpacks to more than 1048576 bytes") {
		t.Errorf("a text of more than 1 MiB: %v", err)
	}
}
