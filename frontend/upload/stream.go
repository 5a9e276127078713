package upload

import "encoding/binary"

// prefixSize is the size of what each message of gRPC begins with: a byte that tells compression, four of the length.
const prefixSize = 5

// A stream is one on which the client may send.
type stream struct {
	prefix [prefixSize]byte
	have   int   // bytes of the prefix that are there
	left   int64 // bytes of the message to come, once the prefix is whole
	held   int64 // memory of the message that has not ended, bytes

	began, moved int64 // when the message did, ns of the budget's clock
}

// add takes the bytes p of a frame, which come into a buffer of cost bytes. first, the buffer is not counted yet.
func (s *stream) add(p []byte, cost int64, first bool) (began bool) {
	for len(p) > 0 {
		if s.have == 0 {
			began, first = true, true
		}
		if first {
			s.held += cost
			first = false
		}
		if s.have < prefixSize {
			n := copy(s.prefix[s.have:], p)
			p = p[n:]
			if s.have += n; s.have < prefixSize {
				break
			}
			s.left = int64(binary.BigEndian.Uint32(s.prefix[1:]))
		} else {
			n := min(s.left, int64(len(p)))
			p = p[n:]
			s.left -= n
		}
		if s.left == 0 {
			s.have, s.held = 0, 0 // the message is whole
		}
	}
	return began
}

// The sizes of the buffers that grpc-go reads DATA frames into: up to its pooling threshold they are made to measure,
// beyond come the sizes of its default pool.
const (
	madeToMeasure = 1 << 10
	smallBuffer   = 4 << 10
	largeBuffer   = 16 << 10 // as well the largest frame that it takes
)

// frameOverhead is what grpc-go keeps for each frame beside its bytes: the buffer's own record, up to 104 bytes, and its
// place in the stream's queue, 32 bytes and the slack of a growing slice.
const frameOverhead = 160

// memory is what a DATA frame of that length takes until it is read. Senders who cut their messages into tiny frames
// take far more than what they send.
func memory(length int) int64 {
	switch {
	case length <= madeToMeasure:
	case length <= smallBuffer:
		length = smallBuffer
	case length <= largeBuffer:
		length = largeBuffer
	}
	return int64(length) + frameOverhead
}
