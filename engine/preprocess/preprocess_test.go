package preprocess

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"image/png"
	"runtime"
	"strings"
	"sync"
	"testing"
)

func encodePNG(t testing.TB, m image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// testPixels fills count bytes with numbers that look random.
func testPixels(count int) []byte {
	pixels := make([]byte, count)
	state := uint32(1)
	for i := range pixels {
		state = state*1664525 + 1013904223
		pixels[i] = byte(state >> 24)
	}
	return pixels
}

// TestTensor holds raw pixels against the same pixels in a PNG.
func TestTensor(t *testing.T) {
	const width, height, size = 61, 47, 32
	check := func(channels int, m image.Image, pixels []byte) {
		t.Helper()
		got, want := make([]byte, size*size*3), make([]byte, size*size*3)
		if err := Tensor(got, pixels, height, width, channels, size, Limits{}); err != nil {
			t.Fatal(err)
		}
		if err := Image(want, encodePNG(t, m), size, Limits{}); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%d channels: a tensor and a PNG of the same pixels differ", channels)
		}
	}
	grayPixels := testPixels(width * height)
	check(1, &image.Gray{Pix: grayPixels, Stride: width, Rect: image.Rect(0, 0, width, height)}, grayPixels)

	rgbaPixels := testPixels(width * height * 4)
	check(4, &image.NRGBA{Pix: rgbaPixels, Stride: width * 4, Rect: image.Rect(0, 0, width, height)}, rgbaPixels)

	opaque := image.NewNRGBA(image.Rect(0, 0, width, height))
	rgbPixels := testPixels(width * height * 3)
	for i := range width * height {
		copy(opaque.Pix[4*i:], rgbPixels[3*i:3*i+3])
		opaque.Pix[4*i+3] = 255
	}
	check(3, opaque, rgbPixels)
}

func TestTensorRefusals(t *testing.T) {
	dst := make([]byte, 8*8*3)
	check := func(want string, pixels, height, width, channels int, l Limits) {
		t.Helper()
		err := Tensor(dst, make([]byte, pixels), height, width, channels, 8, l)
		var refused *Error
		if !errors.As(err, &refused) || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an *Error with %q", err, want)
		}
	}
	check("2 channels", 200, 10, 10, 2, Limits{})
	check("299 bytes, but height 10 × width 10 × channels 3 are 300", 299, 10, 10, 3, Limits{})
	check("10×0", 0, 0, 10, 3, Limits{})
	check("at least one pixel", 0, -1, 10, 3, Limits{})
	check("more than the limit of 99 pixels", 300, 10, 10, 3, Limits{MaxPixels: 99})
	check("more than the limit of 100000000 pixels", 3, 1<<31, 1<<31, 3, Limits{})
}

// TestCallerMistakes are no *Error: the sender of the picture cannot mend them.
func TestCallerMistakes(t *testing.T) {
	check := func(dst, size int) {
		t.Helper()
		err := Image(make([]byte, dst), nil, size, Limits{})
		var refused *Error
		if err == nil || errors.As(err, &refused) {
			t.Errorf("destination of %d bytes for size %d: %v", dst, size, err)
		}
	}
	check(10, 8)
	check(0, 0)
	check(3, -1)
	check(5000*5000*3, 5000)
}

// encodeChunk is a chunk of a PNG.
func encodeChunk(kind string, body []byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(body)))
	b = append(append(b, kind...), body...)
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b[4:]))
}

// pngWithSize is a PNG that declares a size and has next to no data.
func pngWithSize(width, height uint32, interlace byte) []byte {
	head := binary.BigEndian.AppendUint32(nil, width)
	head = binary.BigEndian.AppendUint32(head, height)
	head = append(head, 8, 6, 0, 0, interlace)
	data := []byte("\x89PNG\r\n\x1a\n")
	data = append(data, encodeChunk("IHDR", head)...)
	data = append(data, encodeChunk("IDAT", []byte{0x78, 0x9c, 0x03, 0, 0, 0, 0, 1})...)
	return append(data, encodeChunk("IEND", nil)...)
}

// TestBombs declares huge pictures in a few bytes. They must be refused without memory for their pixels.
func TestBombs(t *testing.T) {
	var animated bytes.Buffer
	if err := gif.Encode(&animated, image.NewPaletted(image.Rect(0, 0, 3, 3), color.Palette{color.Black, color.White}), nil); err != nil {
		t.Fatal(err)
	}
	hugeGIF := append([]byte(nil), animated.Bytes()...)
	copy(hugeGIF[6:], "\xff\xff\xff\xff")
	bmp := make([]byte, 60)
	copy(bmp, "BM")
	binary.LittleEndian.PutUint32(bmp[10:], 54)
	binary.LittleEndian.PutUint32(bmp[14:], 40)
	binary.LittleEndian.PutUint32(bmp[18:], 60000)
	binary.LittleEndian.PutUint32(bmp[22:], 60000)
	binary.LittleEndian.PutUint16(bmp[28:], 24)
	smaller := append([]byte(nil), bmp...)
	binary.LittleEndian.PutUint32(smaller[18:], 9000)
	binary.LittleEndian.PutUint32(smaller[22:], 9000)
	webp := []byte("RIFF\x16\x00\x00\x00WEBPVP8X\x0a\x00\x00\x00\x00\x00\x00\x00\xff\x3f\x00\xff\x3f\x00")
	tiff := tinyTIFF(50000, 50000)

	check := func(name, want string, data []byte) {
		t.Helper()
		dst := make([]byte, 16*16*3)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		err := Image(dst, data, 16, Limits{})
		runtime.ReadMemStats(&after)
		if took := after.TotalAlloc - before.TotalAlloc; took > 4<<20 {
			t.Errorf("%s: %d bytes of input took %d bytes of memory", name, len(data), took)
		}
		var refused *Error
		if !errors.As(err, &refused) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want an *Error with %q", name, err, want)
		}
	}
	limit := "more than the limit of 100000000 pixels"
	check("PNG", limit, pngWithSize(50000, 50000, 0))
	check("PNG of 31 bits", limit, pngWithSize(1<<31-1, 1<<31-1, 0))
	check("PNG within the limit", "data ends early", pngWithSize(9000, 9000, 0))
	check("interlaced PNG within the limit", "data ends early after row 0", pngWithSize(9000, 9000, 1))
	check("GIF", limit, hugeGIF)
	check("BMP", limit, bmp)
	check("BMP within the limit", "data ends early after row 0", smaller)
	check("WebP", limit, webp)
	check("TIFF", limit, tiff)
	check("TIFF within the limit", "data ends early", tinyTIFF(9000, 9000))
	check("PPM", limit, []byte("P6 50000 50000 255 "))
	check("PPM within the limit", "data ends early after row 0", []byte("P6 9000 9000 255 xyz"))
}

// tinyTIFF declares one uncompressed strip of gray pixels that is not there.
func tinyTIFF(width, height uint32) []byte {
	b := []byte("II\x2a\x00\x08\x00\x00\x00")
	tags := [][3]uint32{{256, 4, width}, {257, 4, height}, {258, 3, 8}, {259, 3, 1}, {262, 3, 1}, {273, 4, 8}, {278, 4, height}, {279, 4, width * height}}
	b = binary.LittleEndian.AppendUint16(b, uint16(len(tags)))
	for _, tag := range tags {
		b = binary.LittleEndian.AppendUint16(b, uint16(tag[0]))
		b = binary.LittleEndian.AppendUint16(b, uint16(tag[1]))
		b = binary.LittleEndian.AppendUint32(b, 1)
		b = binary.LittleEndian.AppendUint32(b, tag[2])
	}
	return append(b, 0, 0, 0, 0)
}

func TestLimitOfBytes(t *testing.T) {
	data := readGolden(t, "inputs/jpeg_420.jpg")
	err := Image(make([]byte, 3), data, 1, Limits{MaxBytes: int64(len(data)) - 1})
	if err == nil || !strings.Contains(err.Error(), "JPEG: ") || !strings.Contains(err.Error(), "more than the limit") {
		t.Errorf("got %v", err)
	}
	if err := Image(make([]byte, 3), data, 1, Limits{MaxBytes: int64(len(data))}); err != nil {
		t.Error(err)
	}
}

func TestErrorNamesFormatAndReason(t *testing.T) {
	err := Image(make([]byte, 224*224*3), readGolden(t, "inputs/jpeg_trunc_half.jpg"), 224, Limits{})
	if err == nil || !strings.HasPrefix(err.Error(), "JPEG 320×240: data ends early after row ") {
		t.Errorf("got %v", err)
	}
	err = Image(make([]byte, 224*224*3), []byte("hello, this is no picture"), 224, Limits{})
	if err == nil || !strings.Contains(err.Error(), `"hello, t"`) {
		t.Errorf("got %v", err)
	}
}

// TestEveryCut cuts small files at every byte: each one is refused or gives a picture, and none panics.
func TestEveryCut(t *testing.T) {
	for _, name := range []string{"png_palette_4bit.png", "gif_interlaced.gif", "bmp_1bit.bmp", "size_2x3.png", "webp_exif_3.webp", "bad_gif_truncated.gif"} {
		data := readGolden(t, "inputs/"+name)
		dst := make([]byte, 16*16*3)
		step := max(1, len(data)/500)
		for n := 0; n < len(data); n += step {
			err := Image(dst, data[:n], 16, Limits{})
			var refused *Error
			if err != nil && !errors.As(err, &refused) {
				t.Fatalf("%s cut to %d bytes: %v is no *Error", name, n, err)
			}
		}
	}
}

func TestConcurrentUse(t *testing.T) {
	cases := goldenCases(t)[:40]
	want := make([][]byte, len(cases))
	for i, c := range cases {
		want[i] = make([]byte, 64*64*3)
		_ = Image(want[i], readGolden(t, c.File), 64, Limits{})
	}
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() {
			for i, c := range cases {
				got := make([]byte, 64*64*3)
				if err := Image(got, readGolden(t, c.File), 64, Limits{}); err == nil && !bytes.Equal(got, want[i]) {
					t.Errorf("%s differs when others run", c.File)
				}
			}
		})
	}
	wait.Wait()
}
