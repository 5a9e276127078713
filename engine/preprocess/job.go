package preprocess

import "fmt"

// mode says how the samples of a row lie in memory and how they are resized.
type mode int

const (
	gray      mode = iota // 1 byte a pixel
	grayAlpha             // 2 bytes
	rgb                   // 3 bytes
	rgba                  // 4 bytes
	rgbx                  // 4 bytes, the last one without meaning
	cmyk                  // 4 bytes, 255 is full ink
	gray16                // uint16 in the machine's byte order, cut at 255 after resizing
	gray32                // the same, but not cut to 16 bits between the passes
	indexed               // 1 byte, resized by nearest neighbour, then looked up in the palette
)

// bytesPerPixel of each mode.
var bytesPerPixel = [...]int{gray: 1, grayAlpha: 2, rgb: 3, rgba: 4, rgbx: 4, cmyk: 4, gray16: 2, gray32: 2, indexed: 1}

// palette maps indices to RGB. Entries that a file leaves out are black.
type palette [256][3]byte

// bilevel is the palette of 1-bit pictures.
var bilevel = palette{{0, 0, 0}, {255, 255, 255}}

// painter takes the rows of one decoded picture from top to bottom.
type painter interface {
	// span says which rows have influence, from first to end-1. Others may be left out.
	span() (first, end int)
	// rows takes count rows from row y on, stride bytes apart. It keeps no reference to pix.
	rows(y, count int, pix []byte, stride int) error
	// finish writes the square. Every row of the span has been given.
	finish(dst []byte) error
	close()
}

// job is one picture on its way: where the square goes, what it may cost, and the painter once the header is known.
type job struct {
	dst           []byte
	size          int
	limits        Limits
	format        string
	width, height int // 0 until checkSize
	painter       painter
}

// fail makes the Error of this picture; its size goes in front once it is known.
func (j *job) fail(format string, args ...any) *Error {
	if j.width > 0 && j.height > 0 {
		return &Error{Format: j.format, Reason: sized(j.width, j.height, format, args...)}
	}
	return &Error{Format: j.format, Reason: fmt.Sprintf(format, args...)}
}

// endsEarly is the most frequent of them.
func (j *job) endsEarly(row int) *Error {
	return j.fail("data ends early after row %d of %d", row, j.height)
}

// checkSize refuses pictures without pixels or with too many, and remembers the size. Decoders call it before they
// allocate anything that grows with the picture.
func (j *job) checkSize(width, height int) error {
	if width < 1 || height < 1 {
		return &Error{Format: j.format, Reason: sized(width, height, "a picture needs at least one pixel each way")}
	}
	if int64(width) > j.limits.MaxPixels/int64(height) {
		return &Error{Format: j.format, Reason: sized(width, height, "more than the limit of %d pixels", j.limits.MaxPixels)}
	}
	j.width, j.height = width, height
	return nil
}

// open makes the painter for the modes other than indexed.
func (j *job) open(width, height int, m mode) error {
	if err := j.checkSize(width, height); err != nil {
		return err
	}
	p, err := newResizer(j, m)
	if err != nil {
		return err
	}
	j.painter = p
	return nil
}

// openIndexed makes the painter for palette and 1-bit pictures.
func (j *job) openIndexed(width, height int, colours *palette) error {
	if err := j.checkSize(width, height); err != nil {
		return err
	}
	j.painter = newNearest(width, height, j.size, colours)
	return nil
}

func (j *job) span() (first, end int) { return j.painter.span() }

func (j *job) rows(y, count int, pix []byte, stride int) error {
	return j.painter.rows(y, count, pix, stride)
}

func (j *job) finish() error { return j.painter.finish(j.dst) }

func (j *job) close() {
	if j.painter != nil {
		j.painter.close()
	}
}
