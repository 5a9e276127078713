package preprocess

// decodeBMPRuns decodes run lengths (RLE8 and RLE4) into indices, as Pillow does: what escapes leave out is 0.
func decodeBMPRuns(j *job, h *bmpHeader) error {
	total := h.width * h.height
	pixels := make([]byte, 0, min(total, 1<<20))
	runs := &bmpRuns{data: h.pixels, width: h.width, total: total, nibbles: h.compression == bmpRLE4, out: pixels, origin: h.origin}
	runs.decode()
	if len(runs.out) < total {
		return j.endsEarly(len(runs.out) / h.width)
	}
	if h.black {
		for i, v := range runs.out {
			runs.out[i] = min(v, 1)
		}
	}
	first, end := j.span()
	for y := first; y < end; y++ {
		line := y
		if !h.topDown {
			line = h.height - 1 - y
		}
		if err := j.rows(y, 1, runs.out[line*h.width:][:h.width], h.width); err != nil {
			return err
		}
	}
	return nil
}

type bmpRuns struct {
	data    []byte
	at      int
	width   int
	total   int // pixels of the picture
	nibbles bool
	origin  int    // of data in the file: padding is to even places in the file
	out     []byte // indices in the order of the file
	x       int
}

func (r *bmpRuns) take(n int) []byte {
	taken := r.data[r.at:min(len(r.data), r.at+n)]
	r.at += len(taken)
	return taken
}

func (r *bmpRuns) decode() {
	for len(r.out) < r.total {
		pair := r.take(2)
		if len(pair) < 2 {
			return
		}
		switch count := int(pair[0]); {
		case count > 0:
			r.run(min(count, max(0, r.width-r.x)), pair[1])
		case pair[1] == 0: // end of the line
			r.zeros((r.width - len(r.out)%r.width) % r.width)
			r.x = 0
		case pair[1] == 1: // end of the picture
			return
		case pair[1] == 2: // move right and up
			move := r.take(2)
			if len(move) < 2 {
				return
			}
			r.zeros(int(move[0]) + int(move[1])*r.width)
			r.x = len(r.out) % r.width
		default:
			r.literal(int(pair[1]))
		}
	}
}

func (r *bmpRuns) run(count int, value byte) {
	for i := range count {
		v := value
		if r.nibbles {
			v = value >> 4
			if i%2 == 1 {
				v = value & 15
			}
		}
		r.out = append(r.out, v)
	}
	r.x += count
}

func (r *bmpRuns) zeros(count int) {
	r.out = append(r.out, make([]byte, min(count, r.total-len(r.out)))...)
}

// literal copies pixels; the file pads them to whole 16-bit words.
func (r *bmpRuns) literal(count int) {
	count = min(count, r.total-len(r.out))
	if r.nibbles {
		for i, b := range r.take((count + 1) / 2) {
			r.out = append(r.out, b>>4)
			if 2*i+1 < count {
				r.out = append(r.out, b&15)
			}
		}
	} else {
		r.out = append(r.out, r.take(count)...)
	}
	r.x += count
	if (r.origin+r.at)%2 != 0 {
		r.at++
	}
	r.at = min(r.at, len(r.data))
}
