package preprocess

import "math"

// take puts the tags in their places, with the defaults that Pillow has.
func (d *tiffDirectory) take(j *job, tags map[uint16][]uint32) error {
	one := func(tag uint16, otherwise uint32) uint32 {
		if v := tags[tag]; len(v) > 0 {
			return v[0]
		}
		return otherwise
	}
	if len(tags[tiffWidth]) == 0 || len(tags[tiffHeight]) == 0 {
		return j.fail("the directory does not say how large the picture is")
	}
	d.width, d.height = int(one(tiffWidth, 0)), int(one(tiffHeight, 0))
	d.compression = one(tiffCompression, 1)
	d.photometric = one(tiffPhotometric, 0)
	d.fillOrder = one(tiffFillOrder, 1)
	d.planar = one(tiffPlanar, 1) == 2
	d.predictor = one(tiffPredictor, 1)
	d.orientation = one(tiffOrientation, 1)
	if d.orientation > 8 {
		d.orientation = 1
	}
	d.faxOptions = one(tiffT4Options, 0)
	d.extra = tags[tiffExtraSamples]
	d.samples = int(one(tiffSamples, 1))
	if d.samples < 1 || d.samples > 6 {
		return j.fail("%d samples a pixel; 1 to 6 are supported", d.samples)
	}
	d.format = tags[tiffSampleFormat]
	for _, f := range d.format {
		if f != 1 {
			return j.fail("sample format %d; only 1, whole numbers, is supported", f)
		}
	}
	d.bits = tags[tiffBits]
	if len(d.bits) == 0 {
		d.bits = []uint32{1}
	}
	for len(d.bits) < d.samples && d.bits[0] == d.bits[len(d.bits)-1] {
		d.bits = append(d.bits, d.bits[0])
	}
	d.bits = d.bits[:min(len(d.bits), d.samples)]
	for _, b := range d.bits {
		if b != d.bits[0] || len(d.bits) != d.samples {
			return j.fail("samples of %v bits are not supported", d.bits)
		}
	}
	d.takeColours(tags[tiffColorMap])
	return d.takeBlocks(j, tags, one)
}

// takeColours keeps the high bytes of the palette: first all reds, then greens, then blues.
func (d *tiffDirectory) takeColours(values []uint32) {
	count := len(values) / 3
	for i := range min(count, len(d.colours)) {
		d.colours[i] = [3]byte{byte(values[i] >> 8), byte(values[count+i] >> 8), byte(values[2*count+i] >> 8)}
	}
}

func (d *tiffDirectory) takeBlocks(j *job, tags map[uint16][]uint32, one func(uint16, uint32) uint32) error {
	if len(tags[tiffStripOffsets]) > 0 {
		d.offsets, d.counts = tags[tiffStripOffsets], tags[tiffStripCounts]
		d.rowsPerStrip = int(min(one(tiffRowsPerStrip, math.MaxUint32), uint32(max(d.height, 1))))
		if d.rowsPerStrip < 1 {
			return j.fail("strips of 0 rows")
		}
	} else {
		d.offsets, d.counts = tags[tiffTileOffsets], tags[tiffTileCounts]
		d.tileWidth, d.tileHeight = int(one(tiffTileWidth, 0)), int(one(tiffTileHeight, 0))
		if len(d.offsets) == 0 || d.tileWidth < 1 || d.tileHeight < 1 {
			return j.fail("the directory names neither strips nor tiles")
		}
		if d.tileWidth > 1<<16 || d.tileHeight > 1<<16 {
			return j.fail("tiles of %d×%d; a side has at most 65536 pixels", d.tileWidth, d.tileHeight)
		}
	}
	return nil
}

// tiffLayout says what mode the samples become and how a row of them is unpacked.
type tiffLayout struct {
	mode    mode
	bilevel bool
	invert  bool // 0 is white
	keep    int  // samples that are kept, from the first
	premult bool // colours are stored multiplied by alpha
}

func (l *tiffLayout) bytes() int { return bytesPerPixel[l.mode] }

// chooseLayout knows the pixels that both Pillow reads and this package has a mode for.
func (d *tiffDirectory) chooseLayout(j *job) (*tiffLayout, error) {
	bits := d.bits[0]
	unsupported := j.fail("photometric interpretation %d with %d samples of %d bits and extra samples %v is not supported", d.photometric, d.samples, bits, d.extra)
	base := 1
	switch d.photometric {
	case 2:
		base = 3
	case 5:
		base = 4
	}
	alpha := false
	l := &tiffLayout{keep: base}
	switch extra := d.samples - base; {
	case extra < 0 || extra > 0 && bits < 8:
		return nil, unsupported
	case extra == 1 && d.photometric == 2 && len(d.extra) == 0:
		alpha = true
	case extra != len(d.extra):
		return nil, unsupported
	case extra > 0:
		for _, e := range d.extra[1:] {
			if e != 0 {
				return nil, unsupported
			}
		}
		switch d.extra[0] {
		case 1:
			alpha, l.premult = true, true
		case 2, 999: // 999 is of an old drawing program
			alpha = true
		case 0:
		default:
			return nil, unsupported
		}
	}
	if alpha {
		l.keep++
	}
	switch {
	case d.photometric <= 1 && !alpha && bits == 1:
		l.mode, l.bilevel, l.invert = indexed, true, d.photometric == 0
	case d.photometric <= 1 && !alpha && (bits == 2 || bits == 4 || bits == 8):
		l.mode, l.invert = gray, d.photometric == 0
	case d.photometric <= 1 && !alpha && bits == 16:
		// Pillow does not turn 16-bit gray around, even where 0 is white.
		l.mode = gray16
	case d.photometric == 1 && alpha && !l.premult && bits == 8:
		l.mode = grayAlpha
	case d.photometric == 2 && (bits == 8 || bits == 16):
		l.mode = rgb
		if alpha {
			l.mode = rgba
		}
	case d.photometric == 3 && !alpha && (bits == 1 || bits == 2 || bits == 4 || bits == 8):
		l.mode = indexed
	case d.photometric == 3 && !alpha:
		return nil, j.fail("a palette with indices of %d bits; 1, 2, 4 and 8 are supported", bits)
	case d.photometric == 5 && !alpha && (bits == 8 || bits == 16):
		l.mode = cmyk
	default:
		return nil, unsupported
	}
	return l, nil
}
