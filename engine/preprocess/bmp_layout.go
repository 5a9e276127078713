package preprocess

import "encoding/binary"

// bmpLayout says how a pixel of 16, 24 or 32 bits is unpacked.
type bmpLayout struct {
	mode   mode
	unpack func(dst, src []byte, width int)
}

// The orders of bytes are those in the file.
var (
	bmpBGR   = bmpLayout{rgb, reordered(3, 2, 1, 0)}
	bmpBGRX  = bmpLayout{rgb, reordered(4, 2, 1, 0)}
	bmpXBGR  = bmpLayout{rgb, reordered(4, 3, 2, 1)}
	bmpBGXR  = bmpLayout{rgb, reordered(4, 3, 1, 0)}
	bmpABGR  = bmpLayout{rgba, reordered(4, 3, 2, 1, 0)}
	bmpRGBA  = bmpLayout{rgba, reordered(4, 0, 1, 2, 3)}
	bmpBGRA  = bmpLayout{rgba, reordered(4, 2, 1, 0, 3)}
	bmpBGAR  = bmpLayout{rgba, reordered(4, 3, 1, 0, 2)}
	bmpBGR15 = bmpLayout{rgb, unpackBGR16(10, 5, 31)}
	bmpBGR16 = bmpLayout{rgb, unpackBGR16(11, 5, 63)}
)

type bmpMasks struct {
	bits       int
	r, g, b, a uint32
}

// bmpBitfieldLayouts are the sets of masks that Pillow knows.
var bmpBitfieldLayouts = map[bmpMasks]bmpLayout{
	{32, 0xff0000, 0xff00, 0xff, 0}:          bmpBGRX,
	{32, 0xff000000, 0xff0000, 0xff00, 0}:    bmpXBGR,
	{32, 0xff000000, 0xff00, 0xff, 0}:        bmpBGXR,
	{32, 0xff000000, 0xff0000, 0xff00, 0xff}: bmpABGR,
	{32, 0xff, 0xff00, 0xff0000, 0xff000000}: bmpRGBA,
	{32, 0xff0000, 0xff00, 0xff, 0xff000000}: bmpBGRA,
	{32, 0xff000000, 0xff00, 0xff, 0xff0000}: bmpBGAR,
	{32, 0, 0, 0, 0}:                         bmpBGRA,
	{24, 0xff0000, 0xff00, 0xff, 0}:          bmpBGR,
	{16, 0xf800, 0x7e0, 0x1f, 0}:             bmpBGR16,
	{16, 0x7c00, 0x3e0, 0x1f, 0}:             bmpBGR15,
}

// chooseLayout picks the layout by bits and compression. body is the picture header without its length, rest what
// follows it; masks behind the header are taken off rest.
func (h *bmpHeader) chooseLayout(j *job, body, rest []byte) ([]byte, error) {
	switch h.compression {
	case bmpRaw:
		h.layout = map[int]bmpLayout{16: bmpBGR15, 24: bmpBGR, 32: bmpBGRX}[h.bits]
		return rest, nil
	case bmpRLE8, bmpRLE4:
		if h.bits > 8 {
			return nil, j.fail("run lengths with %d bits a pixel; they go with 4 and 8", h.bits)
		}
		return rest, nil
	case bmpBitfields:
	default:
		return nil, j.fail("compression %d; 0 (none), 1 and 2 (run lengths) and 3 (bit fields) are supported", h.compression)
	}
	masks := bmpMasks{bits: h.bits}
	source := body[36:]
	if len(body) < 48 {
		if len(rest) < 12 {
			return nil, j.fail("data ends early, within the masks")
		}
		source, rest = rest, rest[12:]
	} else if len(body) >= 52 && h.bits == 32 {
		masks.a = binary.LittleEndian.Uint32(source[12:])
	}
	masks.r, masks.g, masks.b = binary.LittleEndian.Uint32(source), binary.LittleEndian.Uint32(source[4:]), binary.LittleEndian.Uint32(source[8:])
	layout, ok := bmpBitfieldLayouts[masks]
	if !ok {
		return nil, j.fail("bit fields %08x %08x %08x %08x with %d bits a pixel are not supported", masks.r, masks.g, masks.b, masks.a, h.bits)
	}
	h.layout = layout
	return rest, nil
}

// reordered picks bytes of each pixel of size bytes in the given order.
func reordered(size int, order ...int) func(dst, src []byte, width int) {
	return func(dst, src []byte, width int) {
		for x := range width {
			for c, from := range order {
				dst[x*len(order)+c] = src[x*size+from]
			}
		}
	}
}

// unpackBGR16 widens pixels of 16 bits: 5 bits of red from bit `red` on, green up to `most` from bit `green` on, 5 bits
// of blue.
func unpackBGR16(red, green, most int) func(dst, src []byte, width int) {
	return func(dst, src []byte, width int) {
		for x := range width {
			v := int(binary.LittleEndian.Uint16(src[2*x:]))
			dst[3*x] = byte(v >> red & 31 * 255 / 31)
			dst[3*x+1] = byte(v >> green & most * 255 / most)
			dst[3*x+2] = byte(v & 31 * 255 / 31)
		}
	}
}
