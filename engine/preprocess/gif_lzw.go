package preprocess

// The decompressor follows Pillow's in what it takes and refuses: it stops at the last pixel, whatever follows, and goes
// on with a full table. (compress/lzw refuses some files that Pillow takes.)

const gifTableSize = 4096

// gifCodes reads codes of growing size out of sub-blocks.
type gifCodes struct {
	data  []byte
	at    int
	block int // bytes left of the current sub-block
	bits  uint32
	count int // bits in bits
}

// next reads a code of size bits. It is false where the data ends; a sub-block counts only when it is whole.
func (c *gifCodes) next(size int) (int, bool) {
	for c.count < size {
		if c.block == 0 {
			if c.at >= len(c.data) || c.at+int(c.data[c.at])+1 > len(c.data) {
				return 0, false
			}
			c.block = int(c.data[c.at])
			c.at++
			continue
		}
		c.bits |= uint32(c.data[c.at]) << c.count
		c.count += 8
		c.at++
		c.block--
	}
	code := int(c.bits & (1<<size - 1))
	c.bits >>= size
	c.count -= size
	return code, true
}

// gifLines walks over the rows of a frame in their order in the file.
type gifLines struct {
	f       *gifFrame
	pixels  []byte
	x, y    int
	step    int
	pass    int // of an interlaced frame, 0 to 3
	written int // rows that are complete
}

// put writes a run of pixels; it is true once the last row is complete.
func (l *gifLines) put(run []byte) (done bool) {
	for len(run) > 0 {
		n := copy(l.pixels[l.y*l.f.width+l.x:(l.y+1)*l.f.width], run)
		run = run[n:]
		if l.x += n; l.x < l.f.width {
			return false
		}
		l.x = 0
		l.written++
		l.y += l.step
		for l.y >= l.f.height {
			if !l.f.interlaced || l.pass == 3 {
				return true
			}
			l.pass++
			l.y, l.step = 8>>l.pass, 16>>l.pass
		}
	}
	return false
}

// decodeGIFCodes fills pixels, width × height indices from top to bottom.
func decodeGIFCodes(j *job, f *gifFrame, pixels []byte) error {
	lines := &gifLines{f: f, pixels: pixels, step: 1}
	if f.interlaced {
		lines.step = 8
	}
	codes := &gifCodes{data: f.codes}
	clearCode := 1 << f.codeBits
	var (
		prefix [gifTableSize]uint16
		suffix [gifTableSize]byte
		stack  [gifTableSize]byte
		next   = clearCode + 2 // first free entry
		size   = f.codeBits + 1
		fresh  = true // no code came since the table was cleared
		last   int    // the code before
		first  byte   // first pixel of its run
	)
	for {
		code, ok := codes.next(size)
		switch {
		case !ok || code == clearCode+1:
			return j.endsEarly(f.y + lines.written)
		case code == clearCode:
			next, size, fresh = clearCode+2, f.codeBits+1, true
			continue
		case fresh && code > clearCode, code > next:
			return j.fail("code %d after row %d is not in the table", code, lines.written)
		case fresh:
			fresh, last, first = false, code, byte(code)
			if lines.put([]byte{first}) {
				return nil
			}
			continue
		}
		at := len(stack)
		walk := code
		if code == next {
			at--
			stack[at] = first
			walk = last
		}
		for walk >= clearCode {
			if at == 0 || walk >= gifTableSize {
				return j.fail("code %d after row %d runs in a circle", code, lines.written)
			}
			at--
			stack[at] = suffix[walk]
			walk = int(prefix[walk])
		}
		first = byte(walk)
		if next < gifTableSize {
			prefix[next], suffix[next] = uint16(last), first
			if next == 1<<size-1 && size < 12 {
				size++
			}
			next++
		}
		last = code
		if lines.put([]byte{first}) || lines.put(stack[at:]) {
			return nil
		}
	}
}
