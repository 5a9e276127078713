package preprocess

import (
	"compress/zlib"
	"errors"
	"io"
)

// pngPixels unpacks the image data: inflate, undo the row filters, widen the samples.
type pngPixels struct {
	job      *job
	header   *pngHeader
	layout   *pngLayout
	idat     *pngData
	inflated io.ReadCloser
	raw      []byte // the filter byte and the packed samples of a row
	previous []byte // the row above likewise
	ended    bool   // the stream ended at the end of a row: the rest stays black, as in Pillow
}

// passes of Adam7: where each starts and how far apart its pixels are.
var adam7 = [7]struct{ x, y, dx, dy int }{
	{0, 0, 8, 8}, {4, 0, 8, 8}, {0, 4, 4, 8}, {2, 0, 4, 4}, {0, 2, 2, 4}, {1, 0, 2, 2}, {0, 1, 1, 2},
}

func (p *pngPixels) decode() (err error) {
	p.inflated, err = zlib.NewReader(p.idat)
	if err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return p.job.endsEarly(0)
		}
		return p.job.fail("the image data is no zlib stream")
	}
	frame := p.header.frame
	if frame == nil {
		frame = &pngFrame{width: p.header.width, height: p.header.height}
	}
	longest := 1 + (frame.width*p.layout.bits+7)/8
	p.raw = make([]byte, longest)
	p.previous = make([]byte, longest)
	if p.header.interlaced {
		err = p.decodeInterlaced(frame)
	} else {
		err = p.decodeRows(frame)
	}
	if err != nil {
		return err
	}
	return p.checkEnd()
}

// decodeRows hands rows on as they come.
func (p *pngPixels) decodeRows(frame *pngFrame) error {
	size := p.layout.perPixel
	row := make([]byte, p.header.width*size)
	first, end := p.job.span()
	for y := range p.header.height {
		wanted := y >= first && y < end
		clear(row)
		if y >= frame.y && y < frame.y+frame.height {
			if err := p.readRow(y-frame.y, frame.width); err != nil {
				return err
			}
			if wanted && !p.ended {
				p.layout.unpack(row[frame.x*size:], p.raw[1:], frame.width)
			}
			p.raw, p.previous = p.previous, p.raw
		}
		if !wanted {
			continue
		}
		if err := p.job.rows(y, 1, row, len(row)); err != nil {
			return err
		}
	}
	return nil
}

// decodeInterlaced fills the whole picture first.
func (p *pngPixels) decodeInterlaced(frame *pngFrame) error {
	size := p.layout.perPixel
	stride := p.header.width * size
	// Deflate makes at most 1032 bytes of one, so a small file cannot fill a large picture: nothing is allocated for it.
	if packed := frame.height * ((frame.width*p.layout.bits + 7) / 8); packed/1032 > len(p.idat.chunks.data) {
		return p.job.endsEarly(0)
	}
	whole := make([]byte, stride*p.header.height)
	line := make([]byte, frame.width*size)
	for _, pass := range adam7 {
		width := (frame.width - pass.x + pass.dx - 1) / pass.dx
		if width <= 0 || pass.y >= frame.height {
			continue
		}
		clear(p.previous)
		for y := pass.y; y < frame.height; y += pass.dy {
			if err := p.readRow(y, width); err != nil {
				return err
			}
			if p.ended {
				break
			}
			p.layout.unpack(line, p.raw[1:], width)
			to := whole[(frame.y+y)*stride+(frame.x+pass.x)*size:]
			for x := range width {
				copy(to[x*pass.dx*size:], line[x*size:(x+1)*size])
			}
			p.raw, p.previous = p.previous, p.raw
		}
	}
	return p.job.rows(0, p.header.height, whole, stride)
}

// readRow inflates row y, of width pixels, into p.raw and undoes its filter.
func (p *pngPixels) readRow(y, width int) error {
	if p.ended {
		return nil
	}
	length := 1 + (width*p.layout.bits+7)/8
	p.raw, p.previous = p.raw[:length], p.previous[:length]
	if n, err := io.ReadFull(p.inflated, p.raw); err != nil {
		if n == 0 && y > 0 && errors.Is(err, io.EOF) {
			p.ended = true
			return nil
		}
		return p.broken(err, y)
	}
	filter := p.raw[0]
	if filter > 4 {
		return p.job.fail("row %d has filter %d; 0 to 4 are known", y, filter)
	}
	undoPNGFilter(filter, p.raw[1:], p.previous[1:], (p.layout.bits+7)/8)
	return nil
}

func (p *pngPixels) broken(err error, y int) error {
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return p.job.endsEarly(y)
	case errors.Is(err, zlib.ErrChecksum):
		return p.job.fail("the checksum of the image data is wrong")
	default:
		return p.job.fail("the image data is broken after row %d of %d", y, p.header.height)
	}
}

// checkEnd looks at what follows the last row. More data or a missing end is no error in Pillow; a wrong checksum or
// broken bits directly behind the last row are.
func (p *pngPixels) checkEnd() error {
	if p.ended {
		return nil
	}
	var one [1]byte
	n, err := p.inflated.Read(one[:])
	if n > 0 || err == nil || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil
	}
	return p.broken(err, p.header.height)
}

// undoPNGFilter adds back what the filter took away. size is the bytes of a pixel, at least 1.
func undoPNGFilter(filter byte, row, above []byte, size int) {
	switch filter {
	case 1: // left
		for i := size; i < len(row); i++ {
			row[i] += row[i-size]
		}
	case 2: // above
		above = above[:len(row)]
		for i := range row {
			row[i] += above[i]
		}
	case 3: // average
		first := min(size, len(row))
		for i := range first {
			row[i] += above[i] / 2
		}
		for i := first; i < len(row); i++ {
			row[i] += byte((int(row[i-size]) + int(above[i])) / 2)
		}
	case 4: // Paeth
		first := min(size, len(row))
		for i := range first {
			row[i] += above[i]
		}
		for i := first; i < len(row); i++ {
			row[i] += paeth(row[i-size], above[i], above[i-size])
		}
	}
}

// paeth is whichever of left, above and upper left is nearest to left + above − upper left.
func paeth(left, above, corner byte) byte {
	a, b, c := int(left), int(above), int(corner)
	toLeft, toAbove := b-c, a-c
	toCorner := toLeft + toAbove
	toLeft, toAbove, toCorner = max(toLeft, -toLeft), max(toAbove, -toAbove), max(toCorner, -toCorner)
	switch {
	case toLeft <= toAbove && toLeft <= toCorner:
		return left
	case toAbove <= toCorner:
		return above
	default:
		return corner
	}
}
