package preprocess

import (
	"bytes"
	"compress/flate"
	"compress/zlib"
	"encoding/binary"
	"errors"
	"io"

	"golang.org/x/image/ccitt"
	"golang.org/x/image/tiff/lzw"
)

// tiffBlock is a strip or a tile, of one plane or of all.
type tiffBlock struct {
	x, y, width, height int // of the block as it is stored; a tile may pass the picture
	plane               int // -1: all samples side by side
}

// blockSize is the size of a strip or tile as it is stored.
func (d *tiffDirectory) blockSize() (width, height int) {
	if d.tileHeight > 0 {
		return d.tileWidth, d.tileHeight
	}
	return d.width, d.rowsPerStrip
}

// planes is how many separate planes are stored.
func (d *tiffDirectory) planes() int {
	if d.planar {
		return d.samples
	}
	return 1
}

// rowBytes is the length of a packed row of a block.
func (d *tiffDirectory) rowBytes(width int) int {
	return (width*int(d.bits[0])*d.samples/d.planes() + 7) / 8
}

// tiffLargestRatio is more than any of the compressions reaches; a file that declares more does not have its pixels.
const tiffLargestRatio = 5000

// checkBlocks refuses files whose blocks are too few, or too short for the picture, before memory is taken for it.
func (d *tiffDirectory) checkBlocks(j *job, length int) error {
	width, height := d.blockSize()
	across, down := (d.width+width-1)/width, (d.height+height-1)/height
	need := across * down * d.planes()
	if len(d.offsets) < need {
		return j.fail("%d strips or tiles are named, %d are needed", len(d.offsets), need)
	}
	if len(d.counts) == 0 && d.compression == 1 {
		d.counts = make([]uint32, len(d.offsets))
		for i := range d.counts {
			d.counts[i] = uint32(d.rowBytes(width) * height)
		}
	}
	if len(d.counts) < need {
		return j.fail("the lengths of %d strips or tiles are named, %d are needed", len(d.counts), need)
	}
	if total := d.rowBytes(d.width) * d.planes() * d.height; total/tiffLargestRatio > length {
		return j.endsEarly(0)
	}
	return nil
}

// readBlocks unpacks every block into whole.
func (d *tiffDirectory) readBlocks(j *job, data []byte, layout *tiffLayout, whole []byte) error {
	width, height := d.blockSize()
	index := 0
	for plane := range d.planes() {
		for y := 0; y < d.height; y += height {
			for x := 0; x < d.width; x += width {
				block := tiffBlock{x: x, y: y, width: width, height: height, plane: plane}
				if !d.planar {
					block.plane = -1
				}
				if d.tileHeight == 0 {
					block.height = min(height, d.height-y)
				}
				if block.plane < layout.keep {
					packed, err := d.unpackBlock(j, data, index, block)
					if err != nil {
						return err
					}
					d.place(layout, block, packed, whole)
				}
				index++
			}
		}
	}
	return nil
}

// unpackBlock decompresses block number `index` and undoes the predictor.
func (d *tiffDirectory) unpackBlock(j *job, data []byte, index int, b tiffBlock) ([]byte, error) {
	from, to := int64(d.offsets[index]), int64(d.offsets[index])+int64(d.counts[index])
	if from > int64(len(data)) {
		return nil, j.endsEarly(b.y)
	}
	stored := data[from:min(to, int64(len(data)))]
	rowBytes := d.rowBytes(b.width)
	// The rows of a tile below the picture are not needed.
	rows := min(b.height, d.height-b.y)
	packed := make([]byte, rowBytes*rows)
	reader, err := d.decompressor(j, stored, b)
	if err != nil {
		return nil, err
	}
	if n, err := io.ReadFull(reader, packed); err != nil {
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			return nil, j.endsEarly(b.y + n/rowBytes)
		}
		return nil, j.fail("the strip or tile at (%d, %d) is broken: %v", b.x, b.y, err)
	}
	// What follows the last row tells whether a checksum was wrong.
	var one [1]byte
	if n, err := reader.Read(one[:]); n == 0 && (errors.Is(err, zlib.ErrChecksum) || isCorrupt(err)) {
		return nil, j.fail("the strip or tile at (%d, %d) is broken: %v", b.x, b.y, err)
	}
	if d.fillOrder == 2 && d.compression == 1 {
		for i := range packed {
			packed[i] = reverseBits(packed[i])
		}
	}
	if d.predictor == 2 && (d.compression == 5 || d.compression == 8 || d.compression == 32946) {
		return packed, d.undoPredictor(j, packed, rowBytes)
	}
	if d.predictor > 2 {
		return nil, j.fail("predictor %d; 1 (none) and 2 (horizontal) are supported", d.predictor)
	}
	return packed, nil
}

func isCorrupt(err error) bool {
	var corrupt flate.CorruptInputError
	return errors.As(err, &corrupt)
}

// decompressor by the numbers of the compression tag.
func (d *tiffDirectory) decompressor(j *job, stored []byte, b tiffBlock) (io.Reader, error) {
	switch d.compression {
	case 1:
		return bytes.NewReader(stored), nil
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
		return ccitt.NewReader(bytes.NewReader(stored), order, format, b.width, min(b.height, d.height-b.y), &ccitt.Options{Invert: true}), nil
	case 5:
		return lzw.NewReader(bytes.NewReader(stored), lzw.MSB, 8), nil
	case 8, 32946:
		r, err := zlib.NewReader(bytes.NewReader(stored))
		if err != nil {
			return nil, j.fail("the strip or tile at (%d, %d) is no zlib stream", b.x, b.y)
		}
		return r, nil
	case 32773:
		return &packBits{data: stored}, nil
	}
	return nil, j.fail("compression %d; 1 (none), 3 and 4 (fax), 5 (LZW), 8 (deflate) and 32773 (pack bits) are supported", d.compression)
}

// undoPredictor adds to each sample the one a pixel before.
func (d *tiffDirectory) undoPredictor(j *job, packed []byte, rowBytes int) error {
	step := d.samples / d.planes()
	for ; len(packed) >= rowBytes && rowBytes > 0; packed = packed[rowBytes:] {
		row := packed[:rowBytes]
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
	}
	return nil
}

// place writes the unpacked samples of a block where they belong.
func (d *tiffDirectory) place(l *tiffLayout, b tiffBlock, packed, whole []byte) {
	rowBytes := d.rowBytes(b.width)
	width := min(b.width, d.width-b.x)
	size := l.bytes()
	for y := range min(b.height, d.height-b.y) {
		to := whole[((b.y+y)*d.width+b.x)*size:][:width*size]
		d.unpackRow(l, b, packed[y*rowBytes:(y+1)*rowBytes], to, width)
	}
}

func (d *tiffDirectory) unpackRow(l *tiffLayout, b tiffBlock, row, to []byte, width int) {
	switch bits := d.bits[0]; {
	case bits < 8:
		switch {
		case bits == 1:
			unpackBits1(to, row, width)
		case bits == 2 && l.mode == gray:
			scaled(unpackBits2, 85)(to, row, width)
		case bits == 2:
			unpackBits2(to, row, width)
		case l.mode == gray:
			scaled(unpackBits4, 17)(to, row, width)
		default:
			unpackBits4(to, row, width)
		}
	case l.mode == gray16:
		for x := range width {
			binary.NativeEndian.PutUint16(to[2*x:], d.order.Uint16(row[2*x*d.samples/d.planes():]))
		}
	default:
		d.copySamples(l, b, row, to, width)
	}
	if l.invert {
		white := byte(255)
		if l.bilevel {
			white = 1
		}
		for i := range to {
			to[i] = white - to[i]
		}
	}
}

// copySamples keeps the high bytes of the first samples, or puts a plane between the others.
func (d *tiffDirectory) copySamples(l *tiffLayout, b tiffBlock, row, to []byte, width int) {
	size := int(d.bits[0] / 8)
	high := 0
	if size == 2 && d.order == binary.LittleEndian {
		high = 1
	}
	if b.plane >= 0 {
		for x := range width {
			to[x*l.keep+b.plane] = row[x*size+high]
		}
		return
	}
	for x := range width {
		for s := range l.keep {
			to[x*l.keep+s] = row[(x*d.samples+s)*size+high]
		}
	}
}

// unmultiply divides the colours of RGBA pixels by alpha, as Pillow does on loading.
func unmultiply(pixels []byte) {
	for ; len(pixels) >= 4; pixels = pixels[4:] {
		alpha := int(pixels[3])
		if alpha == 0 || alpha == 255 {
			continue
		}
		for c := range 3 {
			pixels[c] = byte(min(255, 255*int(pixels[c])/alpha))
		}
	}
}
