package upload

import "encoding/binary"

// Of HTTP/2 (RFC 9113, sections 4.1 and 6).
const (
	prefaceSize = 24
	headerSize  = 9

	frameData     = 0x0
	frameHeaders  = 0x1
	frameReset    = 0x3
	frameGoAway   = 0x7
	flagEndStream = 0x1
	flagPadded    = 0x8

	enhanceYourCalm = 0xb
)

// frames follows the frames of one direction of a connection, whose bytes come in pieces cut anywhere. It knows no wrong
// frames: those are for the server to refuse, and until it does they are skipped by the length that they give.
type frames struct {
	skip int // bytes of the preface that are to come
	have int // bytes of the frame's header that are there
	head [headerSize]byte

	length int // of the frame's payload
	left   int // of it, to come
	kind   byte
	flags  byte
	stream uint32
}

// between reports whether no frame has begun that has not ended.
func (f *frames) between() bool { return f.skip == 0 && f.have == 0 && f.left == 0 }

// next takes a piece off p: began, it is the rest of a frame's header; else it is a part of the frame's payload, or of a
// header that is not whole, when f.have says so.
func (f *frames) next(p []byte) (n int, began bool) {
	switch {
	case f.skip > 0:
		n = min(f.skip, len(p))
		f.skip -= n
		return n, false
	case f.left > 0:
		n = min(f.left, len(p))
		f.left -= n
		return n, false
	case f.have == 0 && len(p) >= headerSize:
		f.begin(p)
		return headerSize, true
	}
	n = copy(f.head[f.have:], p)
	if f.have += n; f.have < headerSize {
		return n, false
	}
	f.have = 0
	f.begin(f.head[:])
	return n, true
}

func (f *frames) begin(head []byte) {
	_ = head[headerSize-1]
	f.length = int(head[0])<<16 | int(head[1])<<8 | int(head[2])
	f.left = f.length
	f.kind, f.flags = head[3], head[4]
	f.stream = binary.BigEndian.Uint32(head[5:]) &^ (1 << 31)
}

// goAway is a frame that ends a connection and says why. last is the highest stream that may have been worked on.
func goAway(last uint32, why string) []byte {
	n := 8 + len(why)
	b := []byte{byte(n >> 16), byte(n >> 8), byte(n), frameGoAway, 0, 0, 0, 0, 0}
	b = binary.BigEndian.AppendUint32(b, last)
	b = binary.BigEndian.AppendUint32(b, enhanceYourCalm)
	return append(b, why...)
}
