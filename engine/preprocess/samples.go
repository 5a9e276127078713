package preprocess

import "encoding/binary"

// How packed samples become whole bytes (or native uint16). dst and src are rows; width is in pixels.

func unpackBits1(dst, src []byte, width int) {
	for x := range width {
		dst[x] = src[x/8] >> (7 - x%8) & 1
	}
}

func unpackBits2(dst, src []byte, width int) {
	for x := range width {
		dst[x] = src[x/4] >> (6 - 2*(x%4)) & 3
	}
}

func unpackBits4(dst, src []byte, width int) {
	for x := range width {
		dst[x] = src[x/2] >> (4 - 4*(x%2)) & 15
	}
}

// scaled multiplies what unpack gives, so that the largest sample becomes 255.
func scaled(unpack func(dst, src []byte, width int), factor byte) func(dst, src []byte, width int) {
	return func(dst, src []byte, width int) {
		unpack(dst, src, width)
		for x := range width {
			dst[x] *= factor
		}
	}
}

// unpackBytes copies whole bytes.
func unpackBytes(channels int) func(dst, src []byte, width int) {
	return func(dst, src []byte, width int) { copy(dst[:width*channels], src) }
}

// unpackHighBytes keeps the high byte of big-endian 16-bit samples.
func unpackHighBytes(channels int) func(dst, src []byte, width int) {
	return func(dst, src []byte, width int) {
		for i := range width * channels {
			dst[i] = src[2*i]
		}
	}
}

// unpackBig16 turns big-endian 16-bit samples into the machine's order.
func unpackBig16(dst, src []byte, width int) {
	for x := range width {
		binary.NativeEndian.PutUint16(dst[2*x:], binary.BigEndian.Uint16(src[2*x:]))
	}
}
