package preprocess

import (
	"encoding/binary"
	"io"
)

// pngHeader is what the chunks before the image data say.
type pngHeader struct {
	width, height  int
	depth, colour  byte
	interlaced     bool
	colours        palette
	frame          *pngFrame // of the last fcTL chunk before the image data: the first frame of an animation
	lastSequence   int64     // number of that chunk, -1 without one
	haveDimensions bool
}

// pngFrame is the part of the canvas that a frame of an animation covers.
type pngFrame struct{ x, y, width, height int }

func decodePNG(j *job, data []byte) error {
	chunks := &pngChunks{job: j, data: data, at: len("\x89PNG\r\n\x1a\n")}
	h, idat, err := chunks.readHeader()
	if err != nil {
		return err
	}
	layout, err := newPNGLayout(j, h)
	if err != nil {
		return err
	}
	idat.chunks = chunks
	if err := layout.open(j, h); err != nil {
		return err
	}
	pixels := &pngPixels{job: j, header: h, layout: layout, idat: idat}
	if err := pixels.decode(); err != nil {
		return err
	}
	if err := chunks.checkTail(idat); err != nil {
		return err
	}
	return j.finish()
}

// readHeader reads up to the first chunk of image data.
func (c *pngChunks) readHeader() (*pngHeader, *pngData, error) {
	h := &pngHeader{lastSequence: -1}
	for {
		chunk, err := c.next()
		if err != nil {
			return nil, nil, err
		}
		switch chunk.kind {
		case "IDAT":
			if !h.haveDimensions {
				return nil, nil, c.job.fail("image data comes before the IHDR chunk")
			}
			return h, &pngData{left: chunk.length}, nil
		case "fdAT":
			return nil, nil, c.job.fail("animation data comes before the image data")
		case "IEND":
			return nil, nil, c.job.fail("the file ends without image data")
		}
		body, err := c.body(chunk)
		if err != nil {
			return nil, nil, err
		}
		if err := c.checkSum(chunk, body); err != nil {
			return nil, nil, err
		}
		if err := c.take(h, chunk.kind, body); err != nil {
			return nil, nil, err
		}
	}
}

// take reads what matters here from one chunk before the image data.
func (c *pngChunks) take(h *pngHeader, kind string, body []byte) error {
	if err := c.checkLength(h, kind, body); err != nil {
		return err
	}
	switch kind {
	case "IHDR":
		return c.takeDimensions(h, body)
	case "PLTE":
		if len(body) > 3*256 {
			return c.job.fail("palette of %d bytes; at most 768 are allowed", len(body))
		}
		for i := 0; i+3 <= len(body); i += 3 {
			copy(h.colours[i/3][:], body[i:])
		}
	case "fcTL":
		return c.takeFrame(h, body)
	default:
		return c.checkText(kind, body)
	}
	return nil
}

func (c *pngChunks) takeDimensions(h *pngHeader, body []byte) error {
	width, height := binary.BigEndian.Uint32(body), binary.BigEndian.Uint32(body[4:])
	if width > 1<<31-1 || height > 1<<31-1 {
		return c.job.fail("%d×%d declared; a side has at most 2147483647 pixels", width, height)
	}
	if err := c.job.checkSize(int(width), int(height)); err != nil {
		return err
	}
	if body[11] != 0 {
		return c.job.fail("filter method %d; only 0 is known", body[11])
	}
	h.width, h.height = int(width), int(height)
	h.depth, h.colour, h.interlaced = body[8], body[9], body[12] != 0
	h.haveDimensions = true
	return nil
}

func (c *pngChunks) takeFrame(h *pngHeader, body []byte) error {
	sequence := int64(binary.BigEndian.Uint32(body))
	if sequence != h.lastSequence+1 {
		return c.job.fail("animation chunk %d comes after chunk %d", sequence, h.lastSequence)
	}
	h.lastSequence = sequence
	field := func(at int) int { return int(binary.BigEndian.Uint32(body[at:])) }
	f := &pngFrame{width: field(4), height: field(8), x: field(12), y: field(16)}
	if f.width < 1 || f.height < 1 || f.x+f.width > h.width || f.y+f.height > h.height {
		return c.job.fail("the first frame, %d×%d at (%d, %d), is not inside the picture", f.width, f.height, f.x, f.y)
	}
	h.frame = f
	return nil
}

// pngLayout says how the samples of a row are packed and what mode they become.
type pngLayout struct {
	mode     mode
	bits     int // of a pixel
	isBit    bool
	unpack   func(dst, src []byte, width int)
	perPixel int // bytes of an unpacked pixel
}

// newPNGLayout knows the combinations that the standard allows.
func newPNGLayout(j *job, h *pngHeader) (*pngLayout, error) {
	l := pngLayouts[[2]byte{h.depth, h.colour}]
	if l == nil {
		return nil, j.fail("bit depth %d with colour type %d is not allowed", h.depth, h.colour)
	}
	layout := *l
	layout.perPixel = bytesPerPixel[layout.mode]
	return &layout, nil
}

func (l *pngLayout) open(j *job, h *pngHeader) error {
	switch {
	case l.isBit:
		return j.openIndexed(h.width, h.height, &bilevel)
	case l.mode == indexed:
		return j.openIndexed(h.width, h.height, &h.colours)
	default:
		return j.open(h.width, h.height, l.mode)
	}
}

// pngLayouts by bit depth and colour type.
var pngLayouts = map[[2]byte]*pngLayout{
	{1, 0}:  {mode: indexed, bits: 1, isBit: true, unpack: unpackBits1},
	{2, 0}:  {mode: gray, bits: 2, unpack: scaled(unpackBits2, 85)},
	{4, 0}:  {mode: gray, bits: 4, unpack: scaled(unpackBits4, 17)},
	{8, 0}:  {mode: gray, bits: 8, unpack: unpackBytes(1)},
	{16, 0}: {mode: gray16, bits: 16, unpack: unpackBig16},
	{8, 2}:  {mode: rgb, bits: 24, unpack: unpackBytes(3)},
	{16, 2}: {mode: rgb, bits: 48, unpack: unpackHighBytes(3)},
	{1, 3}:  {mode: indexed, bits: 1, unpack: unpackBits1},
	{2, 3}:  {mode: indexed, bits: 2, unpack: unpackBits2},
	{4, 3}:  {mode: indexed, bits: 4, unpack: unpackBits4},
	{8, 3}:  {mode: indexed, bits: 8, unpack: unpackBytes(1)},
	{8, 4}:  {mode: grayAlpha, bits: 16, unpack: unpackBytes(2)},
	{16, 4}: {mode: grayAlpha, bits: 32, unpack: unpackHighBytes(2)},
	{8, 6}:  {mode: rgba, bits: 32, unpack: unpackBytes(4)},
	{16, 6}: {mode: rgba, bits: 64, unpack: unpackHighBytes(4)},
}

// pngData is the compressed stream, joined from its chunks.
type pngData struct {
	chunks *pngChunks
	left   int // bytes of the current chunk that were not read yet
}

// more moves on to the next chunk of image data where the current one is used up; it is false at the end.
func (d *pngData) more() bool {
	for d.left == 0 {
		d.chunks.at += 4 // the checksum; Pillow does not look at it either
		at := d.chunks.at
		chunk, err := d.chunks.next()
		if err != nil || chunk.kind != "IDAT" {
			d.chunks.at = at - 4
			return false
		}
		d.left = chunk.length
	}
	return d.chunks.at < len(d.chunks.data)
}

func (d *pngData) Read(p []byte) (int, error) {
	if !d.more() {
		return 0, io.EOF
	}
	n := copy(p, d.chunks.data[d.chunks.at:min(len(d.chunks.data), d.chunks.at+d.left)])
	d.chunks.at += n
	d.left -= n
	return n, nil
}

// ReadByte spares the decompressor a buffer of its own.
func (d *pngData) ReadByte() (byte, error) {
	if !d.more() {
		return 0, io.EOF
	}
	b := d.chunks.data[d.chunks.at]
	d.chunks.at++
	d.left--
	return b, nil
}
