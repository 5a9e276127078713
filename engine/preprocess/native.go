package preprocess

/*
#cgo CFLAGS: -I${SRCDIR}/../../csrc/include
#cgo LDFLAGS: -L${SRCDIR}/../../build/lib -lclip_image -ljpeg -lwebpdemux -lwebp -ldl -lm -lstdc++
#cgo noescape clip_image_jpeg
#cgo noescape clip_image_webp
#cgo noescape clip_image_avif
#cgo noescape clip_image_resizer_push
#cgo noescape clip_image_resizer_finish
#cgo nocallback clip_image_jpeg
#cgo nocallback clip_image_webp
#cgo nocallback clip_image_avif
#cgo nocallback clip_image_resizer_push
#cgo nocallback clip_image_resizer_finish
#include "clip_image.h"
*/
import "C"

import (
	"fmt"
	"unsafe"
)

// SIMD names the instruction set that resizing runs on: "avx512", "avx2" or "scalar".
func SIMD() string { return C.GoString(C.clip_image_simd()) }

// errorText receives a sentence from the C side.
type errorText [320]C.char

func (t *errorText) String() string { return C.GoString(&t[0]) }

func bytePointer(b []byte) *C.uint8_t { return (*C.uint8_t)(unsafe.Pointer(unsafe.SliceData(b))) }

func (j *job) options() C.clip_image_options {
	return C.clip_image_options{
		size:       C.sizeof_clip_image_options,
		output:     C.uint32_t(j.size),
		max_pixels: C.int64_t(j.limits.MaxPixels),
	}
}

// failure turns a status of the C side into an error: the sender's only where the picture is at fault.
func (j *job) failure(status C.clip_image_status, text *errorText) error {
	switch status {
	case C.CLIP_IMAGE_OK:
		return nil
	case C.CLIP_IMAGE_INVALID, C.CLIP_IMAGE_TOO_LARGE:
		return &Error{Format: j.format, Reason: text.String()}
	case C.CLIP_IMAGE_UNAVAILABLE:
		return fmt.Errorf("%w: %s: %s", ErrUnavailable, j.format, text)
	default:
		return fmt.Errorf("preprocess: cannot decode a %s picture: %s", j.format, text)
	}
}

func decodeJPEG(j *job, data []byte) error {
	options := j.options()
	var text errorText
	return j.failure(C.clip_image_jpeg(bytePointer(data), C.size_t(len(data)), &options, bytePointer(j.dst), &text[0], C.size_t(len(text))), &text)
}

func decodeWebP(j *job, data []byte) error {
	options := j.options()
	var text errorText
	return j.failure(C.clip_image_webp(bytePointer(data), C.size_t(len(data)), &options, bytePointer(j.dst), &text[0], C.size_t(len(text))), &text)
}

func decodeAVIF(j *job, data []byte) error {
	options := j.options()
	var text errorText
	return j.failure(C.clip_image_avif(bytePointer(data), C.size_t(len(data)), &options, bytePointer(j.dst), &text[0], C.size_t(len(text))), &text)
}

var nativeModes = map[mode]C.clip_image_mode{
	gray:      C.CLIP_IMAGE_GRAY,
	grayAlpha: C.CLIP_IMAGE_GRAY_ALPHA,
	rgb:       C.CLIP_IMAGE_RGB,
	rgba:      C.CLIP_IMAGE_RGBA,
	rgbx:      C.CLIP_IMAGE_RGBX,
	cmyk:      C.CLIP_IMAGE_CMYK,
	gray16:    C.CLIP_IMAGE_GRAY16,
	gray32:    C.CLIP_IMAGE_GRAY32,
}

// resizer is the painter that resizes bicubic, in C.
type resizer struct {
	job        *job
	native     *C.clip_image_resizer
	pixel      int // bytes
	first, end int
}

func newResizer(j *job, m mode) (*resizer, error) {
	r := &resizer{job: j, pixel: bytesPerPixel[m]}
	options := j.options()
	var text errorText
	var first, end C.int32_t
	status := C.clip_image_resizer_open(C.int32_t(j.width), C.int32_t(j.height), nativeModes[m], &options, &r.native, &first, &end, &text[0], C.size_t(len(text)))
	if err := j.failure(status, &text); err != nil {
		return nil, err
	}
	r.first, r.end = int(first), int(end)
	return r, nil
}

func (r *resizer) span() (first, end int) { return r.first, r.end }

func (r *resizer) rows(y, count int, pix []byte, stride int) error {
	if count == 0 {
		return nil
	}
	if need := (count-1)*stride + r.job.width*r.pixel; len(pix) < need {
		panic(fmt.Sprintf("BUG: %d rows of %d pixels need %d bytes, got %d", count, r.job.width, need, len(pix)))
	}
	var text errorText
	status := C.clip_image_resizer_push(r.native, C.int32_t(y), C.int32_t(count), unsafe.Pointer(unsafe.SliceData(pix)), C.size_t(stride), &text[0], C.size_t(len(text)))
	return r.job.failure(status, &text)
}

func (r *resizer) finish(dst []byte) error {
	var text errorText
	return r.job.failure(C.clip_image_resizer_finish(r.native, bytePointer(dst), &text[0], C.size_t(len(text))), &text)
}

func (r *resizer) close() { C.clip_image_resizer_close(r.native) }
