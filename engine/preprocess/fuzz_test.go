package preprocess

import (
	"errors"
	"testing"
)

// FuzzImage feeds damaged pictures of every format. Whatever the bytes, the answer is a picture or an *Error.
func FuzzImage(f *testing.F) {
	for _, c := range goldenCases(f) {
		if data := readGolden(f, c.File); len(data) < 12_000 {
			f.Add(data, byte(c.Size))
		}
	}
	f.Add([]byte("P3 3 2 7 1 2 3 4 5 6 7 0 1 2 3 4 5 6 7 0 1 2"), byte(9))
	f.Add([]byte("P1 3 2 101 010"), byte(9))
	f.Add(tinyTIFF(4, 4), byte(3))
	for bits := range uint32(10) {
		f.Add(paletteTIFF(bits), byte(7))
	}
	limits := Limits{MaxBytes: 1 << 20, MaxPixels: 1 << 18}
	f.Fuzz(func(t *testing.T, data []byte, size byte) {
		side := 1 + int(size)%64
		err := Image(make([]byte, side*side*3), data, side, limits)
		var refused *Error
		if err != nil && !errors.As(err, &refused) && !errors.Is(err, ErrUnavailable) {
			t.Fatalf("%v is no *Error", err)
		}
	})
}

// FuzzTensor does so for raw pixels.
func FuzzTensor(f *testing.F) {
	f.Add([]byte{1, 2, 3, 4, 5, 6}, 1, 2, 3)
	f.Add([]byte{1, 2, 3, 4}, 2, 2, 1)
	f.Fuzz(func(t *testing.T, pixels []byte, height, width, channels int) {
		err := Tensor(make([]byte, 16*16*3), pixels, height, width, channels, 16, Limits{MaxPixels: 1 << 16})
		var refused *Error
		if err != nil && !errors.As(err, &refused) {
			t.Fatalf("%v is no *Error", err)
		}
		if err == nil && len(pixels) != height*width*channels {
			t.Fatalf("%d bytes were taken for %d×%d×%d", len(pixels), height, width, channels)
		}
	})
}
