// Package preprocess turns encoded pictures and raw pixels into the square of RGB pixels that an image tower takes:
// open, resize bicubic so that the shorter side fits, centre crop, convert to RGB, byte for byte as Pillow 13 does it.
//
// JPEG, WebP and AVIF are decoded by the system's libraries (csrc/image), every other format by Go code in this
// package. Animated pictures give their first frame. EXIF orientation is not applied, as in the reference; the
// orientation of TIFF is.
//
// # Memory
//
// Rows are resized as they are decoded, so most pictures are never whole in memory. For a picture of W×H, size pixels
// out, one call holds beside its input and output at most about
//
//   - JPEG, PNG, BMP, PPM: 4·W rows as many as the filter reaches over, 4·H/size: some hundred kilobytes;
//   - progressive JPEG: 2 bytes a coefficient, 3·W·H (4:2:0) to 8·W·H (CMYK);
//   - interlaced PNG: 4·W·H;
//   - TIFF: 4·W·H, one packed row (at most 64 MiB) and where its strips or tiles lie (at most 64 MiB);
//   - GIF, BMP with run lengths: W·H;
//   - WebP and AVIF: 4·W·H and as much again in the decoder (AVIF of 12 bits: twice).
//
// The worst is thus 8 bytes for each of Limits.MaxPixels, 0.8 GB by default. Sizes are checked in the header, before
// anything is allocated.
package preprocess

import "fmt"

// Default limits; a zero field of Limits means these.
const (
	DefaultMaxBytes  = 64 << 20
	DefaultMaxPixels = 100_000_000
)

// maxSize is the largest side of the square that comes out, as in csrc/include/clip_image.h.
const maxSize = 4096

// Limits bounds what one picture may cost. Zero fields mean the defaults.
type Limits struct {
	// MaxBytes is the largest encoded picture, in bytes. Default 64 MiB.
	MaxBytes int64
	// MaxPixels is the largest width × height. Default 100 million. Pillow itself refuses more than 178,956,970.
	MaxPixels int64
}

func (l Limits) withDefaults() Limits {
	if l.MaxBytes <= 0 {
		l.MaxBytes = DefaultMaxBytes
	}
	if l.MaxPixels <= 0 {
		l.MaxPixels = DefaultMaxPixels
	}
	return l
}

// Image decodes the encoded picture in data and writes size × size × 3 bytes, RGB, to dst, which has exactly that
// length. A picture that cannot be decoded, or is over a limit, gives an *Error; one in a format that needs a library which the machine lacks
// gives ErrUnavailable. Image is safe for concurrent use; data and dst are only used until it returns.
func Image(dst, data []byte, size int, l Limits) error {
	if err := checkDestination(dst, size); err != nil {
		return err
	}
	l = l.withDefaults()
	format := Format(data)
	if int64(len(data)) > l.MaxBytes {
		return &Error{Format: format, Reason: fmt.Sprintf("the file has %d bytes, more than the limit of %d", len(data), l.MaxBytes)}
	}
	decode := decoders[format]
	if decode == nil {
		return unknownFormat(data)
	}
	j := &job{dst: dst, size: size, limits: l, format: format}
	defer j.close()
	return decode(j, data)
}

// Tensor does the same for raw 8-bit pixels: height × width × channels bytes in C order, with 1 (gray), 3 (RGB) or
// 4 (RGBA, resized with the colours multiplied by alpha, then alpha is dropped) channels. Limits.MaxPixels counts,
// Limits.MaxBytes does not.
func Tensor(dst, pixels []byte, height, width, channels, size int, l Limits) error {
	if err := checkDestination(dst, size); err != nil {
		return err
	}
	m, ok := map[int]mode{1: gray, 3: rgb, 4: rgba}[channels]
	if !ok {
		return &Error{Format: "tensor", Reason: fmt.Sprintf("%d channels; 1 (gray), 3 (RGB) or 4 (RGBA) are supported", channels)}
	}
	j := &job{dst: dst, size: size, limits: l.withDefaults(), format: "tensor"}
	defer j.close()
	if err := j.checkSize(width, height); err != nil {
		return err
	}
	stride := width * channels
	if want := height * stride; len(pixels) != want {
		return j.fail("%d bytes, but height %d × width %d × channels %d are %d", len(pixels), height, width, channels, want)
	}
	if err := j.open(width, height, m); err != nil {
		return err
	}
	if err := j.rows(0, height, pixels, stride); err != nil {
		return err
	}
	return j.finish()
}

func checkDestination(dst []byte, size int) error {
	if size < 1 || size > maxSize {
		return fmt.Errorf("preprocess: picture size %d is not between 1 and %d", size, maxSize)
	}
	if len(dst) != size*size*3 {
		return fmt.Errorf("preprocess: destination has %d bytes; %d × %d × 3 = %d are needed", len(dst), size, size, size*size*3)
	}
	return nil
}

// decoders by the names that Format gives. Each one finishes the job or returns why not.
var decoders = map[string]func(j *job, data []byte) error{
	"JPEG": decodeJPEG,
	"PNG":  decodePNG,
	"GIF":  decodeGIF,
	"BMP":  decodeBMP,
	"TIFF": decodeTIFF,
	"WebP": decodeWebP,
	"PPM":  decodePPM,
	"AVIF": decodeAVIF,
}
