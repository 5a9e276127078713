package preprocess

import (
	"bytes"
	"compress/flate"
	"compress/zlib"
	"errors"
	"io"

	"golang.org/x/image/ccitt"
	"golang.org/x/image/tiff/lzw"
)

// tiffReader unpacks blocks row by row, so that no block is ever whole in memory beside the picture.
type tiffReader struct {
	job       *job
	directory *tiffDirectory
	layout    *tiffLayout
	data      []byte // the file
	whole     []byte // the picture, layout.bytes() a pixel
	row       []byte // of a block, packed
	left      int    // stored bytes that may still be read
	inflate   io.ReadCloser
}

// readBlock decompresses block number `index`, undoes the predictor and places the rows.
func (r *tiffReader) readBlock(index int, b tiffBlock) error {
	d, j := r.directory, r.job
	from, to := int64(d.offsets[index]), int64(d.offsets[index])+int64(d.counts[index])
	if from > int64(len(r.data)) {
		return j.endsEarly(b.y)
	}
	stored := bytes.NewReader(r.data[from:min(to, int64(len(r.data)))])
	length := stored.Len()
	reader, err := r.decompressor(stored, b)
	if err != nil {
		return err
	}
	// The rows of a tile below the picture are not needed.
	for y := b.y; y < min(b.y+b.height, d.height); y++ {
		if _, err := io.ReadFull(reader, r.row); err != nil {
			if err == io.EOF || err == io.ErrUnexpectedEOF {
				return j.endsEarly(y)
			}
			return j.fail("the strip or tile at (%d, %d) is broken: %v", b.x, b.y, err)
		}
		if err := r.mendRow(); err != nil {
			return err
		}
		d.placeRow(r.layout, b, y, r.row, r.whole)
	}
	// What follows the last row tells whether a checksum was wrong.
	var one [1]byte
	if n, err := reader.Read(one[:]); n == 0 && (errors.Is(err, zlib.ErrChecksum) || isCorrupt(err)) {
		return j.fail("the strip or tile at (%d, %d) is broken: %v", b.x, b.y, err)
	}
	if r.left -= length - stored.Len(); r.left < 0 {
		return j.fail("strips or tiles share stored bytes too often: up to the one at (%d, %d) more than %d bytes were read from a file of %d", b.x, b.y, d.storedBudget(len(r.data)), len(r.data))
	}
	return nil
}

// mendRow puts the bits of a row in order and undoes the predictor.
func (r *tiffReader) mendRow() error {
	d := r.directory
	if d.fillOrder == 2 && d.compression == 1 {
		for i := range r.row {
			r.row[i] = reverseBits(r.row[i])
		}
	}
	if d.predictor == 2 && (d.compression == 5 || d.compression == 8 || d.compression == 32946) {
		return d.undoPredictor(r.job, r.row)
	}
	return nil
}

func isCorrupt(err error) bool {
	var corrupt flate.CorruptInputError
	return errors.As(err, &corrupt)
}

// decompressor by the numbers of the compression tag.
func (r *tiffReader) decompressor(stored *bytes.Reader, b tiffBlock) (io.Reader, error) {
	d, j := r.directory, r.job
	switch d.compression {
	case 1:
		return stored, nil
	case 3, 4:
		if d.bits[0] != 1 || d.samples != 1 {
			return nil, j.fail("fax compression with %d samples of %d bits", d.samples, d.bits[0])
		}
		if d.compression == 3 && d.faxOptions&1 != 0 {
			return nil, j.fail("two-dimensional group 3 fax compression is not supported")
		}
		format := ccitt.Group4
		if d.compression == 3 {
			format = ccitt.Group3
		}
		order := ccitt.MSB
		if d.fillOrder == 2 {
			order = ccitt.LSB
		}
		// The reader gives 0 for black; in the file 0 is white where the photometric interpretation says so.
		return ccitt.NewReader(stored, order, format, b.width, min(b.height, d.height-b.y), &ccitt.Options{Invert: true}), nil
	case 5:
		return lzw.NewReader(stored, lzw.MSB, 8), nil
	case 8, 32946:
		if err := r.openInflate(stored); err != nil {
			return nil, j.fail("the strip or tile at (%d, %d) is no zlib stream", b.x, b.y)
		}
		return r.inflate, nil
	case 32773:
		return &packBits{stored: stored}, nil
	}
	return nil, j.fail("compression %d; 1 (none), 3 and 4 (fax), 5 (LZW), 8 (deflate) and 32773 (pack bits) are supported", d.compression)
}

// openInflate uses one decompressor, with its window of 32 KiB, for all blocks.
func (r *tiffReader) openInflate(stored io.Reader) (err error) {
	if r.inflate == nil {
		r.inflate, err = zlib.NewReader(stored)
		return err
	}
	return r.inflate.(zlib.Resetter).Reset(stored, nil)
}

// undoPredictor adds to each sample of a row the one a pixel before.
func (d *tiffDirectory) undoPredictor(j *job, row []byte) error {
	step := d.samples / d.planes()
	switch d.bits[0] {
	case 8:
		for i := step; i < len(row); i++ {
			row[i] += row[i-step]
		}
	case 16:
		for i := 2 * step; i+2 <= len(row); i += 2 {
			d.order.PutUint16(row[i:], d.order.Uint16(row[i:])+d.order.Uint16(row[i-2*step:]))
		}
	default:
		return j.fail("a predictor with samples of %d bits; 8 and 16 are supported", d.bits[0])
	}
	return nil
}

// placeRow writes the unpacked samples of row y of the picture where they belong.
func (d *tiffDirectory) placeRow(l *tiffLayout, b tiffBlock, y int, packed, whole []byte) {
	width, size := min(b.width, d.width-b.x), l.bytes()
	d.unpackRow(l, b, packed, whole[(y*d.width+b.x)*size:][:width*size], width)
}
