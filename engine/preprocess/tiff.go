package preprocess

import "encoding/binary"

// decodeTIFF reads the first directory of a file. The pixels are unpacked as a whole, as strips and tiles come in any
// order and the orientation tag may turn the picture.
func decodeTIFF(j *job, data []byte) error {
	d, err := readTIFFDirectory(j, data)
	if err != nil {
		return err
	}
	if err := j.checkSize(d.width, d.height); err != nil {
		return err
	}
	if d.orientation >= 5 {
		j.width, j.height = d.height, d.width
	}
	layout, err := d.chooseLayout(j)
	if err != nil {
		return err
	}
	if err := d.checkBlocks(j, len(data)); err != nil {
		return err
	}
	size := layout.bytes()
	whole := make([]byte, d.width*d.height*size)
	if err := d.readBlocks(j, data, layout, whole); err != nil {
		return err
	}
	if layout.premult {
		unmultiply(whole)
	}
	switch {
	case layout.bilevel:
		err = j.openIndexed(j.width, j.height, &bilevel)
	case layout.mode == indexed:
		err = j.openIndexed(j.width, j.height, &d.colours)
	default:
		err = j.open(j.width, j.height, layout.mode)
	}
	if err != nil {
		return err
	}
	if err := turnedRows(j, d, whole, size); err != nil {
		return err
	}
	return j.finish()
}

// turnedRows hands on the rows of the picture as the orientation tag wants it seen. Directions are from the tag's
// definition: where row 0 and column 0 of the stored picture lie.
func turnedRows(j *job, d *tiffDirectory, whole []byte, size int) error {
	if d.orientation <= 1 {
		return j.rows(0, j.height, whole, d.width*size)
	}
	row := make([]byte, j.width*size)
	first, end := j.span()
	for y := first; y < end; y++ {
		for x := range j.width {
			fromX, fromY := x, y
			if d.orientation >= 5 {
				fromX, fromY = y, x
			}
			switch d.orientation {
			case 2, 3:
				fromX = d.width - 1 - fromX
			case 7, 8:
				fromX = d.width - 1 - fromX
			}
			switch d.orientation {
			case 3, 4, 6, 7:
				fromY = d.height - 1 - fromY
			}
			copy(row[x*size:(x+1)*size], whole[(fromY*d.width+fromX)*size:])
		}
		if err := j.rows(y, 1, row, len(row)); err != nil {
			return err
		}
	}
	return nil
}

// tiffDirectory is what the tags of the first directory say.
type tiffDirectory struct {
	order           binary.ByteOrder
	width, height   int
	bits            []uint32 // of each sample
	samples         int
	compression     uint32
	photometric     uint32
	fillOrder       uint32
	planar          bool // samples lie in planes, not side by side
	predictor       uint32
	orientation     uint32
	extra           []uint32
	format          []uint32
	colours         palette
	rowsPerStrip    int
	tileWidth       int
	tileHeight      int // 0: strips
	offsets, counts []uint32
	faxOptions      uint32
}

// tags that are read, by number.
const (
	tiffWidth           = 256
	tiffHeight          = 257
	tiffBits            = 258
	tiffCompression     = 259
	tiffPhotometric     = 262
	tiffFillOrder       = 266
	tiffStripOffsets    = 273
	tiffOrientation     = 274
	tiffSamples         = 277
	tiffRowsPerStrip    = 278
	tiffStripCounts     = 279
	tiffPlanar          = 284
	tiffT4Options       = 292
	tiffPredictor       = 317
	tiffColorMap        = 320
	tiffTileWidth       = 322
	tiffTileHeight      = 323
	tiffTileOffsets     = 324
	tiffTileCounts      = 325
	tiffExtraSamples    = 338
	tiffSampleFormat    = 339
	tiffLargestValues   = 1 << 22 // values of one tag, at most: offsets of strips and tiles
	tiffLargestFewTimes = 768
)

// readTIFFDirectory reads the tags. Values that do not fit are errors; unknown tags are passed over.
func readTIFFDirectory(j *job, data []byte) (*tiffDirectory, error) {
	d := &tiffDirectory{order: binary.LittleEndian}
	if data[0] == 'M' {
		d.order = binary.BigEndian
	}
	if len(data) < 8 {
		return nil, j.fail("data ends early, within the header")
	}
	at := int64(d.order.Uint32(data[4:]))
	if at+2 > int64(len(data)) {
		return nil, j.fail("data ends early, before the directory")
	}
	entries := int64(d.order.Uint16(data[at:]))
	at += 2
	if at+entries*12 > int64(len(data)) {
		return nil, j.fail("data ends early, within the directory")
	}
	// The last entry of a tag counts, as in Pillow. Others are not read: thousands could name the same values.
	last := map[uint16]int64{}
	for i := range entries {
		last[d.order.Uint16(data[at+i*12:])] = i
	}
	tags := map[uint16][]uint32{}
	for i := range entries {
		entry := data[at+i*12 : at+i*12+12]
		tag := d.order.Uint16(entry)
		if !tiffWanted(tag) || last[tag] != i {
			continue
		}
		values, err := d.values(j, data, entry)
		if err != nil {
			return nil, err
		}
		tags[tag] = values
	}
	return d, d.take(j, tags)
}

func tiffWanted(tag uint16) bool {
	switch tag {
	case tiffWidth, tiffHeight, tiffBits, tiffCompression, tiffPhotometric, tiffFillOrder, tiffStripOffsets,
		tiffOrientation, tiffSamples, tiffRowsPerStrip, tiffStripCounts, tiffPlanar, tiffT4Options, tiffPredictor,
		tiffColorMap, tiffTileWidth, tiffTileHeight, tiffTileOffsets, tiffTileCounts, tiffExtraSamples, tiffSampleFormat:
		return true
	}
	return false
}

// values reads the values of one entry: bytes, 16-bit or 32-bit numbers.
func (d *tiffDirectory) values(j *job, data, entry []byte) ([]uint32, error) {
	tag := d.order.Uint16(entry)
	sizes := map[uint16]int64{1: 1, 3: 2, 4: 4}
	size := sizes[d.order.Uint16(entry[2:])]
	count := int64(d.order.Uint32(entry[4:]))
	if size == 0 {
		return nil, j.fail("tag %d has type %d; 1, 3 and 4 are supported there", tag, d.order.Uint16(entry[2:]))
	}
	most := int64(tiffLargestFewTimes)
	switch tag {
	case tiffStripOffsets, tiffStripCounts, tiffTileOffsets, tiffTileCounts:
		most = tiffLargestValues
	}
	if count > most {
		return nil, j.fail("tag %d has %d values; at most %d are taken", tag, count, most)
	}
	raw := entry[8:12]
	if count*size > 4 {
		at := int64(d.order.Uint32(raw))
		if at+count*size > int64(len(data)) {
			return nil, j.fail("data ends early, within the values of tag %d", tag)
		}
		raw = data[at : at+count*size]
	}
	values := make([]uint32, count)
	for i := range values {
		switch size {
		case 1:
			values[i] = uint32(raw[i])
		case 2:
			values[i] = uint32(d.order.Uint16(raw[2*i:]))
		case 4:
			values[i] = d.order.Uint32(raw[4*i:])
		}
	}
	return values, nil
}
