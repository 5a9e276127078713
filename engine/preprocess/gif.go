package preprocess

import "encoding/binary"

// gifFrame is the first frame of a file.
type gifFrame struct {
	x, y, width, height int
	interlaced          bool
	background          byte // fills what the frame leaves free of the picture
	colours             *palette
	ramp                bool // the palette is a plain gray ramp (or missing): the picture is gray, not indexed
	codeBits            int
	codes               []byte // sub-blocks, each behind its length
}

func decodeGIF(j *job, data []byte) error {
	f, err := readGIFHeader(j, data)
	if err != nil {
		return err
	}
	// A code of 12 bits stands for at most 4,096 pixels, so a small file cannot fill a large frame.
	if f.width*f.height/4096 > len(f.codes)+1 {
		return j.endsEarly(0)
	}
	if f.ramp {
		err = j.open(j.width, j.height, gray)
	} else {
		err = j.openIndexed(j.width, j.height, f.colours)
	}
	if err != nil {
		return err
	}
	pixels := make([]byte, f.width*f.height)
	if err := decodeGIFCodes(j, f, pixels); err != nil {
		return err
	}
	row := make([]byte, j.width)
	for y := range j.height {
		for x := range row {
			row[x] = f.background
		}
		if y >= f.y && y < f.y+f.height {
			copy(row[f.x:], pixels[(y-f.y)*f.width:][:f.width])
		}
		if err := j.rows(y, 1, row, len(row)); err != nil {
			return err
		}
	}
	return j.finish()
}

// readGIFHeader reads up to the codes of the first frame and sets the size of the picture: the screen, made larger where
// the frame passes it.
func readGIFHeader(j *job, data []byte) (*gifFrame, error) {
	r := &gifReader{job: j, data: data, at: 6}
	screen, err := r.take(7)
	if err != nil {
		return nil, err
	}
	width, height := int(binary.LittleEndian.Uint16(screen)), int(binary.LittleEndian.Uint16(screen[2:]))
	f := &gifFrame{ramp: true}
	if screen[4]&0x80 != 0 {
		if f.colours, f.ramp, err = r.palette(screen[4]); err != nil {
			return nil, err
		}
	}
	for {
		introducer, err := r.take(1)
		if err != nil {
			return nil, err
		}
		switch introducer[0] {
		case '!':
			if err := r.extension(f); err != nil {
				return nil, err
			}
		case ',':
			if err := r.image(f); err != nil {
				return nil, err
			}
			width, height = max(width, f.x+f.width), max(height, f.y+f.height)
			if err := j.checkSize(width, height); err != nil {
				return nil, err
			}
			if f.width < 1 || f.height < 1 {
				return nil, j.fail("the first frame has no pixels")
			}
			return f, nil
		case ';':
			return nil, j.fail("the file ends without a picture")
		}
	}
}

// gifReader walks over the blocks before the codes.
type gifReader struct {
	job  *job
	data []byte
	at   int
}

func (r *gifReader) take(n int) ([]byte, error) {
	if n > len(r.data)-r.at {
		return nil, r.job.fail("data ends early, within the header")
	}
	taken := r.data[r.at : r.at+n]
	r.at += n
	return taken, nil
}

// palette reads the table of colours whose size is in flags. ramp says that every index is its own gray.
func (r *gifReader) palette(flags byte) (colours *palette, ramp bool, err error) {
	table, err := r.take(3 << (flags&7 + 1))
	if err != nil {
		return nil, false, err
	}
	colours, ramp = new(palette), true
	for i := range len(table) / 3 {
		copy(colours[i][:], table[3*i:])
		ramp = ramp && colours[i] == [3]byte{byte(i), byte(i), byte(i)}
	}
	return colours, ramp, nil
}

// extension reads one; only the transparent index has influence.
func (r *gifReader) extension(f *gifFrame) error {
	label, err := r.take(1)
	if err != nil {
		return err
	}
	for first := true; ; first = false {
		length, err := r.take(1)
		if err != nil {
			return err
		}
		if length[0] == 0 {
			return nil
		}
		block, err := r.take(int(length[0]))
		if err != nil {
			return err
		}
		if first && label[0] == 0xf9 && len(block) >= 4 && block[0]&1 != 0 {
			f.background = block[3]
		}
	}
}

func (r *gifReader) image(f *gifFrame) error {
	d, err := r.take(9)
	if err != nil {
		return err
	}
	f.x, f.y = int(binary.LittleEndian.Uint16(d)), int(binary.LittleEndian.Uint16(d[2:]))
	f.width, f.height = int(binary.LittleEndian.Uint16(d[4:])), int(binary.LittleEndian.Uint16(d[6:]))
	f.interlaced = d[8]&0x40 != 0
	if d[8]&0x80 != 0 {
		if f.colours, f.ramp, err = r.palette(d[8]); err != nil {
			return err
		}
	}
	bits, err := r.take(1)
	if err != nil {
		return err
	}
	f.codeBits = int(bits[0])
	f.codes = r.data[r.at:]
	if f.codeBits > 12 {
		return r.job.fail("codes of %d bits; at most 12 are allowed", f.codeBits)
	}
	return nil
}
