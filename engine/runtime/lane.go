package runtime

/*
#include "loader.h"

// The batch is put together on the stack of C: a struct in Go's memory may not point to Go's memory.
static clip_status run(const clip_runtime_api* api, clip_lane* lane, uint32_t rows, uint32_t length,
                       const void* input, float* output, char* error, size_t error_capacity) {
  clip_batch batch = {sizeof(batch), rows, length, input, output};
  return clip_loader_lane_run(api, lane, &batch, error, error_capacity);
}
*/
import "C"

import (
	"fmt"
	"math"
	"sync"
	"unsafe"
)

// Lane is an execution context of a Session. It runs one batch at a time: a second call from another goroutine waits.
type Lane struct {
	session *Session

	mu   sync.Mutex
	c    *C.clip_lane // nil once it is closed
	text errorText
}

// RunImages embeds pixels [rows, size, size, 3], RGB, into out [rows, Dim]. Both are the caller's and are not
// referred to after the call.
func (l *Lane) RunImages(pixels []byte, rows, size int, out []float32) error {
	if l.session.tower != Image {
		return l.fail("pictures given to a text tower")
	}
	if err := l.check("pixels", len(pixels), rows, size, out); err != nil {
		return err
	}
	// In 64 bits, rows * size * size * 3 overflows for values that check lets through.
	if perRow := uint64(size) * uint64(size); perRow > math.MaxInt64/3 || uint64(len(pixels))/(3*perRow) != uint64(rows) ||
		uint64(len(pixels))%(3*perRow) != 0 {
		return l.fail(fmt.Sprintf("%d bytes of pixels; %d rows of %dx%d pixels have 3 bytes for each", len(pixels), rows, size, size))
	}
	return l.run(rows, size, unsafe.Pointer(&pixels[0]), out)
}

// RunTexts embeds ids [rows, length] into out [rows, Dim]. Both are the caller's and are not referred to after the
// call.
func (l *Lane) RunTexts(ids []int32, rows, length int, out []float32) error {
	if l.session.tower != Text {
		return l.fail("texts given to an image tower")
	}
	if err := l.check("ids", len(ids), rows, length, out); err != nil {
		return err
	}
	if uint64(len(ids)) != uint64(rows)*uint64(length) {
		return l.fail(fmt.Sprintf("%d ids; %d rows of length %d have %d", len(ids), rows, length, uint64(rows)*uint64(length)))
	}
	return l.run(rows, length, unsafe.Pointer(&ids[0]), out)
}

// check looks at what both kinds of batch have in common. After it, rows and length fit uint32 and are not 0.
func (l *Lane) check(what string, given, rows, length int, out []float32) error {
	if rows < 1 || length < 1 || rows > math.MaxInt32 || length > math.MaxInt32 {
		return l.fail(fmt.Sprintf("%d rows of length %d; both must be at least 1", rows, length))
	}
	if given == 0 {
		return l.fail(fmt.Sprintf("no %s for %d rows of length %d", what, rows, length))
	}
	if dim := l.session.info.Dim; uint64(len(out)) != uint64(rows)*uint64(dim) {
		return l.fail(fmt.Sprintf("room for %d numbers; %d rows of %d have %d", len(out), rows, dim, uint64(rows)*uint64(dim)))
	}
	return nil
}

func (l *Lane) run(rows, length int, input unsafe.Pointer, out []float32) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.c == nil {
		return l.fail("the lane is closed")
	}
	status := C.run(l.session.runtime.api, l.c, C.uint32_t(rows), C.uint32_t(length), input,
		(*C.float)(&out[0]), &l.text[0], errorBytes)
	if status != C.CLIP_OK {
		return l.session.runtime.fail(Status(status), l.text.String())
	}
	return nil
}

func (l *Lane) fail(text string) error { return l.session.runtime.fail(StatusInvalid, text) }

// Close frees the lane; it waits for a batch that is running. A second call does nothing.
func (l *Lane) Close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.c == nil {
		return
	}
	C.clip_loader_lane_destroy(l.session.runtime.api, l.c)
	l.c = nil
	l.session.laneClosed()
}
