package preprocess

import "encoding/binary"

// bmpHeader is what the two headers of a file say, after Pillow's reading of them.
type bmpHeader struct {
	width, height int
	topDown       bool
	bits          int // of a pixel
	compression   uint32
	colours       palette
	ramp          bool // the palette is a plain gray ramp: the picture is gray
	black         bool // the palette is black and white: the picture is 1-bit
	layout        bmpLayout
	pixels        []byte // from the first row of the file to its end
	origin        int    // where in the file they begin
}

const (
	bmpRaw       = 0
	bmpRLE8      = 1
	bmpRLE4      = 2
	bmpBitfields = 3
)

func decodeBMP(j *job, data []byte) error {
	h, err := readBMPHeader(j, data)
	if err != nil {
		return err
	}
	switch {
	case h.bits > 8:
		err = j.open(h.width, h.height, h.layout.mode)
	case h.black:
		err = j.openIndexed(h.width, h.height, &bilevel)
	case h.ramp:
		err = j.open(h.width, h.height, gray)
	default:
		err = j.openIndexed(h.width, h.height, &h.colours)
	}
	if err != nil {
		return err
	}
	if h.compression == bmpRLE8 || h.compression == bmpRLE4 {
		err = decodeBMPRuns(j, h)
	} else {
		err = decodeBMPRows(j, h)
	}
	if err != nil {
		return err
	}
	return j.finish()
}

// decodeBMPRows hands on rows that lie in the file as they are, each a multiple of 4 bytes long.
func decodeBMPRows(j *job, h *bmpHeader) error {
	unpack := h.layout.unpack
	switch h.bits {
	case 1:
		unpack = unpackBits1
	case 4:
		unpack = unpackBits4
	case 8:
		unpack = unpackBytes(1)
	}
	size := 1
	if h.bits > 8 {
		size = bytesPerPixel[h.layout.mode]
	}
	used := (h.width*h.bits + 7) / 8
	stride := (h.width*h.bits + 31) / 32 * 4
	if complete := (len(h.pixels) + stride - used) / stride; complete < h.height {
		return j.endsEarly(complete)
	}
	row := make([]byte, h.width*size)
	first, end := j.span()
	for y := first; y < end; y++ {
		line := y
		if !h.topDown {
			line = h.height - 1 - y
		}
		unpack(row, h.pixels[line*stride:], h.width)
		if err := j.rows(y, 1, row, len(row)); err != nil {
			return err
		}
	}
	return nil
}

// readBMPHeader reads the file header, the picture header, the palette.
func readBMPHeader(j *job, data []byte) (*bmpHeader, error) {
	if len(data) < 18 {
		return nil, j.fail("data ends early, within the header")
	}
	offset := int(binary.LittleEndian.Uint32(data[10:]))
	length := int(binary.LittleEndian.Uint32(data[14:]))
	switch length {
	case 12, 40, 52, 56, 64, 108, 124:
	default:
		return nil, j.fail("header of %d bytes; 12, 40, 52, 56, 64, 108 and 124 are known", length)
	}
	if len(data) < 14+length {
		return nil, j.fail("data ends early, within the header")
	}
	body, rest := data[18:14+length], data[14+length:]
	h := &bmpHeader{}
	colours, entry := 0, 4
	if length == 12 {
		field := func(at int) int { return int(binary.LittleEndian.Uint16(body[at:])) }
		h.width, h.height, h.bits = field(0), field(2), field(6)
		entry = 3
	} else {
		field := func(at int) uint32 { return binary.LittleEndian.Uint32(body[at:]) }
		h.topDown = body[7] == 0xff
		h.width, h.height = int(field(0)), int(field(4))
		if h.topDown {
			h.height = 1<<32 - h.height
		}
		h.bits = int(binary.LittleEndian.Uint16(body[10:]))
		h.compression = field(12)
		colours = int(field(28))
	}
	if err := j.checkSize(h.width, h.height); err != nil {
		return nil, err
	}
	switch h.bits {
	case 1, 4, 8, 16, 24, 32:
	default:
		return nil, j.fail("%d bits a pixel; 1, 4, 8, 16, 24 and 32 are known", h.bits)
	}
	if colours == 0 && h.bits <= 8 {
		colours = 1 << h.bits
	}
	rest, err := h.chooseLayout(j, body, rest)
	if err != nil {
		return nil, err
	}
	if h.bits <= 8 {
		if offset == 14+length {
			offset += entry * colours
		}
		if rest, err = h.readPalette(j, rest, colours, entry); err != nil {
			return nil, err
		}
	}
	h.pixels = rest
	if offset != 0 {
		h.pixels = data[min(offset, len(data)):]
	}
	h.origin = len(data) - len(h.pixels)
	return h, nil
}

// readPalette reads entries in the order blue, green, red and, with entry 4, a byte without meaning.
func (h *bmpHeader) readPalette(j *job, rest []byte, colours, entry int) ([]byte, error) {
	if colours > 256 {
		return nil, j.fail("palette of %d colours; at most 256 are allowed", colours)
	}
	table := rest[:min(len(rest), colours*entry)]
	h.ramp = len(table) == colours*entry
	for i := range len(table) / entry {
		b, g, r := table[i*entry], table[i*entry+1], table[i*entry+2]
		h.colours[i] = [3]byte{r, g, b}
		want := byte(i)
		if colours == 2 && i == 1 {
			want = 255
		}
		h.ramp = h.ramp && b == want && g == want && r == want
	}
	h.black = h.ramp && colours <= 2
	return rest[len(table):], nil
}
