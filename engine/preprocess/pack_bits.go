package preprocess

import (
	"bytes"
	"io"
	"math/bits"
)

// packBits decompresses TIFF's run lengths: a count n, then n+1 bytes as they are (0 to 127) or one byte 1-n times
// (-1 to -127).
type packBits struct {
	stored *bytes.Reader
	left   int  // bytes of the current run
	same   bool // the run repeats value
	value  byte
}

func (p *packBits) Read(dst []byte) (int, error) {
	n := 0
	for n < len(dst) {
		if p.left == 0 {
			code, err := p.stored.ReadByte()
			if err != nil {
				break
			}
			count := int(int8(code))
			switch {
			case count >= 0:
				p.left, p.same = count+1, false
			case count > -128:
				if p.value, err = p.stored.ReadByte(); err != nil {
					return n, io.ErrUnexpectedEOF
				}
				p.left, p.same = 1-count, true
			}
			continue
		}
		take := min(p.left, len(dst)-n)
		if p.same {
			for i := range take {
				dst[n+i] = p.value
			}
		} else {
			var err error
			if take, err = p.stored.Read(dst[n : n+take]); err != nil {
				return n, io.ErrUnexpectedEOF
			}
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
