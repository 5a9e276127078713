package preprocess

import (
	"encoding/binary"
	"math"
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

// Blocks may be wider than the picture and may all point at the same stored bytes, so neither the size of the picture
// nor the length of the file bounds what there is to unpack. These do; usual tiles stay far below them.
const (
	tiffLargestWaste     = 4        // bytes unpacked for each byte of the picture
	tiffFreeBytes        = 16 << 20 // that pictures of every size may unpack and read besides
	tiffLeastBlock       = 128      // pixels of a block on average: a tile has at least 16×16 by the standard
	tiffFreeBlocks       = 1 << 16  // that pictures of every size may have besides
	tiffLargestRow       = 64 << 20 // bytes of one packed row, which is held beside the picture
	tiffLargestRereading = 2        // bytes read for each byte of the file
)

// checkBlocks refuses files whose blocks are too few, too many, too wide or too short for the picture, before memory is
// taken for it.
func (d *tiffDirectory) checkBlocks(j *job, length int) error {
	width, height := d.blockSize()
	across, down := (d.width+width-1)/width, (d.height+height-1)/height
	need := across * down * d.planes()
	if len(d.offsets) < need {
		return j.fail("%d strips or tiles are named, %d are needed", len(d.offsets), need)
	}
	if most := d.width*d.height/tiffLeastBlock + tiffFreeBlocks; across*down > most {
		return j.fail("strips or tiles of %d×%d cut the picture into %d; at most %d are taken", width, height, across*down, most)
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
	if row := d.rowBytes(width); row > tiffLargestRow {
		return j.fail("rows of %d bytes; at most %d are unpacked at a time", row, tiffLargestRow)
	}
	picture := d.pictureBytes()
	if picture/tiffLargestRatio > length {
		return j.endsEarly(0)
	}
	// Rows below the picture are not unpacked, columns beside it are.
	unpacked := d.rowBytes(width) * across * d.planes() * d.height
	if most := tiffLargestWaste*picture + tiffFreeBytes; unpacked > most {
		return j.fail("strips or tiles of %d×%d unpack to %d bytes, but the picture has %d; at most %d are unpacked for it", width, height, unpacked, picture, most)
	}
	return nil
}

// pictureBytes is what the rows of the picture have in all planes, packed.
func (d *tiffDirectory) pictureBytes() int { return d.rowBytes(d.width) * d.planes() * d.height }

// storedBudget is how many stored bytes are read at most. Every compression can hold bytes that give no pixels, and many
// blocks can point at them.
func (d *tiffDirectory) storedBudget(length int) int {
	if d.compression == 1 {
		return math.MaxInt // each byte read is a byte unpacked, which checkBlocks has counted
	}
	return tiffLargestRereading*length + d.pictureBytes()/4 + tiffFreeBytes
}

// readBlocks unpacks every block into whole, row by row.
func (d *tiffDirectory) readBlocks(j *job, data []byte, layout *tiffLayout, whole []byte) error {
	if d.predictor > 2 {
		return j.fail("predictor %d; 1 (none) and 2 (horizontal) are supported", d.predictor)
	}
	width, height := d.blockSize()
	r := &tiffReader{
		job: j, directory: d, layout: layout, data: data, whole: whole,
		row:  make([]byte, d.rowBytes(width)),
		left: d.storedBudget(len(data)),
	}
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
					if err := r.readBlock(index, block); err != nil {
						return err
					}
				}
				index++
			}
		}
	}
	return nil
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
