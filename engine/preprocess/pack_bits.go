package preprocess

import (
	"io"
	"math/bits"
)

// packBits decompresses TIFF's run lengths: a count n, then n+1 bytes as they are (0 to 127) or one byte 1-n times
// (-1 to -127).
type packBits struct {
	data  []byte
	at    int
	left  int  // bytes of the current run
	same  bool // the run repeats value
	value byte
}

func (p *packBits) Read(dst []byte) (int, error) {
	n := 0
	for n < len(dst) {
		if p.left == 0 {
			if p.at >= len(p.data) {
				break
			}
			count := int(int8(p.data[p.at]))
			p.at++
			switch {
			case count >= 0:
				p.left, p.same = count+1, false
			case count > -128:
				if p.at >= len(p.data) {
					return n, io.ErrUnexpectedEOF
				}
				p.left, p.same, p.value = 1-count, true, p.data[p.at]
				p.at++
			}
			continue
		}
		take := min(p.left, len(dst)-n)
		if p.same {
			for i := range take {
				dst[n+i] = p.value
			}
		} else {
			if p.at >= len(p.data) {
				return n, io.ErrUnexpectedEOF
			}
			take = copy(dst[n:n+take], p.data[p.at:])
			p.at += take
		}
		n += take
		p.left -= take
	}
	if n == 0 && len(dst) > 0 {
		return 0, io.EOF
	}
	return n, nil
}

func reverseBits(b byte) byte { return bits.Reverse8(b) }
