package runtime

/*
#include "loader.h"

// The batch is put together on the stack of C: a struct in Go's memory may not point to Go's memory.
static clip_status run(const clip_runtime_api* api, clip_lane* lane, uint32_t rows, uint32_t length, const void* input,
                       float* output, uint32_t lines, const int32_t* positions, const int32_t* segments,
                       const int32_t* ends, char* error, size_t error_capacity) {
  clip_batch batch = {sizeof(batch), rows, length, input, output, lines, positions, segments, ends};
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
	return l.run(rows, size, unsafe.Pointer(&pixels[0]), out, nil)
}

// Texts is a batch of texts: lines of tokens, each as long as the others. A session that packs takes several texts in a
// line, any other one in each, padded at the end.
type Texts struct {
	Rows, Length int     // texts, and tokens in a line
	IDs          []int32 // [lines, Length]
	Packing      *Packing
}

// Packing says which texts lie in the lines of a batch. A token sees those of its own text up to itself.
type Packing struct {
	Positions []int32 // [lines, Length], of each token in its text, from 0
	Segments  []int32 // [lines, Length], a number for each text of the batch, -1 for padding
	Ends      []int32 // [Rows], index in IDs of each text's last token, whose row is the embedding
}

// RunTexts embeds texts into out [Rows, Dim]. Nothing of them is referred to after the call.
func (l *Lane) RunTexts(t Texts, out []float32) error {
	if l.session.tower != Text {
		return l.fail("texts given to an image tower")
	}
	if err := l.check("ids", len(t.IDs), t.Rows, t.Length, out); err != nil {
		return err
	}
	p := t.Packing
	if p == nil {
		if uint64(len(t.IDs)) != uint64(t.Rows)*uint64(t.Length) {
			return l.fail(fmt.Sprintf("%d ids; %d rows of length %d have %d", len(t.IDs), t.Rows, t.Length, uint64(t.Rows)*uint64(t.Length)))
		}
	} else if n := len(t.IDs); n%t.Length != 0 || n/t.Length > math.MaxInt32 || len(p.Positions) != n || len(p.Segments) != n || len(p.Ends) != t.Rows {
		return l.fail(fmt.Sprintf("%d ids, %d positions, %d segments and %d ends; %d texts in lines of %d have as many of each of the first three, whole lines, and %d ends",
			n, len(p.Positions), len(p.Segments), len(p.Ends), t.Rows, t.Length, t.Rows))
	}
	return l.run(t.Rows, t.Length, unsafe.Pointer(&t.IDs[0]), out, p)
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

func (l *Lane) run(rows, length int, input unsafe.Pointer, out []float32, p *Packing) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.c == nil {
		return l.fail("the lane is closed")
	}
	var lines C.uint32_t
	var positions, segments, ends *C.int32_t
	if p != nil {
		lines = C.uint32_t(len(p.Positions) / length)
		positions, segments, ends = (*C.int32_t)(&p.Positions[0]), (*C.int32_t)(&p.Segments[0]), (*C.int32_t)(&p.Ends[0])
	}
	status := C.run(l.session.runtime.api, l.c, C.uint32_t(rows), C.uint32_t(length), input,
		(*C.float)(&out[0]), lines, positions, segments, ends, &l.text[0], errorBytes)
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
