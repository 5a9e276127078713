package preprocess

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"errors"
	"runtime"
	"strings"
	"testing"
)

// tiffTag is one entry of a directory; its values are stored as 32-bit numbers.
type tiffTag struct {
	number uint16
	values []uint32
}

// buildTIFF writes a little-endian file: the header, stored from byte 8 on, the values, then the directory.
func buildTIFF(stored []byte, tags ...tiffTag) []byte {
	b := append([]byte("II\x2a\x00\x00\x00\x00\x00"), stored...)
	directory := binary.LittleEndian.AppendUint16(nil, uint16(len(tags)))
	for _, tag := range tags {
		directory = binary.LittleEndian.AppendUint16(directory, tag.number)
		directory = binary.LittleEndian.AppendUint16(directory, 4)
		directory = binary.LittleEndian.AppendUint32(directory, uint32(len(tag.values)))
		if len(tag.values) == 1 {
			directory = binary.LittleEndian.AppendUint32(directory, tag.values[0])
			continue
		}
		directory = binary.LittleEndian.AppendUint32(directory, uint32(len(b)))
		for _, value := range tag.values {
			b = binary.LittleEndian.AppendUint32(b, value)
		}
	}
	binary.LittleEndian.PutUint32(b[4:], uint32(len(b)))
	return append(append(b, directory...), 0, 0, 0, 0)
}

// repeated is a tag with the same value count times.
func repeated(number uint16, value uint32, count int) tiffTag {
	values := make([]uint32, count)
	for i := range values {
		values[i] = value
	}
	return tiffTag{number, values}
}

func tag(number uint16, values ...uint32) tiffTag { return tiffTag{number, values} }

func deflated(t testing.TB, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zlib.NewWriter(&b)
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// decodeCounting decodes and counts the memory that was allocated for it.
func decodeCounting(t *testing.T, data []byte, l Limits) (took uint64, err error) {
	t.Helper()
	dst := make([]byte, 16*16*3)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	err = Image(dst, data, 16, l)
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc, err
}

// TestTIFFBlocksBeyondPicture has small files whose blocks would cost far more than their pictures.
func TestTIFFBlocksBeyondPicture(t *testing.T) {
	check := func(name, want string, data []byte) {
		t.Helper()
		took, err := decodeCounting(t, data, Limits{})
		if most := uint64(len(data)*8 + 1<<20); took > most {
			t.Errorf("%s: %d bytes of input took %d bytes of memory, want at most %d", name, len(data), took, most)
		}
		var refused *Error
		if !errors.As(err, &refused) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want an *Error with %q", name, err, want)
		}
	}
	// All tiles are the same stored bytes, each 65536 pixels wide for a column of 25.
	pixels := deflated(t, make([]byte, 65536*3))
	check("wide tiles", "strips or tiles of 65536×1 unpack to 196608000 bytes, but the picture has 75000", buildTIFF(pixels,
		tag(tiffWidth, 25), tag(tiffHeight, 1000), repeated(tiffBits, 8, 3), tag(tiffCompression, 8), tag(tiffPhotometric, 2),
		tag(tiffSamples, 3), tag(tiffTileWidth, 65536), tag(tiffTileHeight, 1),
		repeated(tiffTileOffsets, 8, 1000), repeated(tiffTileCounts, uint32(len(pixels)), 1000)))
	check("tiny tiles", "strips or tiles of 1×1 cut the picture into 90000; at most 66239 are taken", buildTIFF([]byte{1},
		tag(tiffWidth, 300), tag(tiffHeight, 300), tag(tiffBits, 8), tag(tiffCompression, 5), tag(tiffPhotometric, 1),
		tag(tiffTileWidth, 1), tag(tiffTileHeight, 1), repeated(tiffTileOffsets, 8, 90000), repeated(tiffTileCounts, 1, 90000)))

	row := buildTIFF(make([]byte, 120_000),
		tag(tiffWidth, 20_000_000), tag(tiffHeight, 1), repeated(tiffBits, 16, 3), tag(tiffCompression, 8), tag(tiffPhotometric, 2),
		tag(tiffSamples, 3), tag(tiffStripOffsets, 8), tag(tiffStripCounts, 120_000))
	check("long row", "rows of 120000000 bytes; at most 67108864 are unpacked at a time", row)

	// Bytes without effect before the pixel, in each of the strips. 128 is no operation.
	idle := append(bytes.Repeat([]byte{128}, 1<<20), 0, 77)
	check("shared bytes", "share stored bytes too often", buildTIFF(idle,
		tag(tiffWidth, 1), tag(tiffHeight, 1000), tag(tiffBits, 8), tag(tiffCompression, 32773), tag(tiffPhotometric, 1),
		tag(tiffRowsPerStrip, 1), repeated(tiffStripOffsets, 8, 1000), repeated(tiffStripCounts, uint32(len(idle)), 1000)))

	// A directory that names the same many values again and again.
	const times = 5000
	data := buildTIFF(nil, tag(tiffWidth, 1), tag(tiffHeight, 1), tag(tiffCompression, 5), repeated(tiffStripOffsets, 8, 20000))
	at := binary.LittleEndian.Uint32(data[4:])
	binary.LittleEndian.PutUint16(data[at:], 3+times)
	data = data[:len(data)-4]
	data = append(data, bytes.Repeat(data[len(data)-12:], times-1)...)
	check("repeated tags", "the lengths of 0 strips or tiles are named", data)
}

// TestTIFFMemory checks the promise of the package comment: 4 bytes a pixel, whatever the samples, also with all rows in
// one strip.
func TestTIFFMemory(t *testing.T) {
	const width, height, samples = 1000, 800, 6
	pixels := deflated(t, make([]byte, width*height*samples*2))
	data := buildTIFF(pixels,
		tag(tiffWidth, width), tag(tiffHeight, height), repeated(tiffBits, 16, samples), tag(tiffCompression, 8),
		tag(tiffPhotometric, 2), tag(tiffSamples, samples), tag(tiffExtraSamples, 2, 0, 0), tag(tiffRowsPerStrip, height),
		tag(tiffStripOffsets, 8), tag(tiffStripCounts, uint32(len(pixels))))
	took, err := decodeCounting(t, data, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if most := uint64(4*width*height + 1<<20); took > most {
		t.Errorf("%d×%d took %d bytes of memory, %.1f a pixel; want at most %d", width, height, took, float64(took)/(width*height), most)
	}
}

// paletteTIFF is 8 pixels wide and 4 high, uncompressed, with indices of so many bits, all ones.
func paletteTIFF(bits uint32) []byte {
	colours := make([]uint32, 3<<min(bits, 8))
	for i := range colours {
		colours[i] = uint32(i) << 8
	}
	stored := bytes.Repeat([]byte{0xff}, 4*max(int(bits), 1))
	return buildTIFF(stored, tag(tiffWidth, 8), tag(tiffHeight, 4), tag(tiffBits, bits), tag(tiffPhotometric, 3),
		tag(tiffStripOffsets, 8), tag(tiffStripCounts, uint32(len(stored))), tag(tiffColorMap, colours...))
}

// TestTIFFPaletteBits takes the widths of indices that the standard and Pillow know, and refuses others.
func TestTIFFPaletteBits(t *testing.T) {
	for bits := range uint32(18) {
		dst := make([]byte, 4*4*3)
		err := Image(dst, paletteTIFF(bits), 4, Limits{})
		switch bits {
		case 1, 2, 4, 8:
			colours := byte(1 << bits & 0xff)
			want := []byte{colours - 1, 2*colours - 1, 3*colours - 1}
			if err != nil || !bytes.Equal(dst, bytes.Repeat(want, 4*4)) {
				t.Errorf("%d bits: %v, pixel %v, want %v", bits, err, dst[:3], want)
			}
		default:
			var refused *Error
			if !errors.As(err, &refused) || !strings.Contains(err.Error(), "1, 2, 4 and 8 are supported") {
				t.Errorf("%d bits: got %v, want an *Error that says which are supported", bits, err)
			}
		}
	}
}
