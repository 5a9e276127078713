package preprocess

import (
	"encoding/binary"
	"math"
)

// ppmReader reads the text parts of a file. Fields are parted by white space; # begins a comment that lasts to the end of
// the line.
type ppmReader struct {
	job  *job
	data []byte
	at   int
}

// longestToken is the longest number that Pillow takes.
const longestToken = 10

// token reads up to and with the white space behind the token.
func (r *ppmReader) token() ([]byte, error) {
	var token []byte
	for r.at < len(r.data) {
		b := r.data[r.at]
		r.at++
		switch {
		case isPPMSpace(b):
			if len(token) > 0 {
				return token, nil
			}
		case b == '#':
			for r.at < len(r.data) && r.data[r.at] != '\n' && r.data[r.at] != '\r' {
				r.at++
			}
			r.at++
		default:
			token = append(token, b)
			if len(token) > longestToken {
				return nil, r.job.fail("the number %q is too long", token)
			}
		}
	}
	if len(token) == 0 {
		return nil, r.job.fail("data ends early, within the numbers")
	}
	return token, nil
}

func (r *ppmReader) number(most int) (int, error) {
	token, err := r.token()
	if err != nil {
		return 0, err
	}
	n := 0
	for _, b := range token {
		if b < '0' || b > '9' {
			return 0, r.job.fail("%q is no number", token)
		}
		n = n*10 + int(b-'0')
	}
	if n > most {
		return 0, r.job.fail("the number %d is larger than %d", n, most)
	}
	return n, nil
}

func isPPMSpace(b byte) bool { return b == ' ' || b >= '\t' && b <= '\r' }

// decodePPM reads P1 to P6: bits, gray or RGB, as text or as bytes.
func decodePPM(j *job, data []byte) error {
	kind := data[1] - '0'
	r := &ppmReader{job: j, data: data, at: 2}
	if len(data) < 3 || !isPPMSpace(data[2]) && data[2] != '#' {
		return j.fail("there is no white space behind P%d", kind)
	}
	width, err := r.number(math.MaxInt32)
	if err != nil {
		return err
	}
	height, err := r.number(math.MaxInt32)
	if err != nil {
		return err
	}
	if err := j.checkSize(width, height); err != nil {
		return err
	}
	if kind == 1 || kind == 4 {
		if err := j.openIndexed(width, height, &bilevel); err != nil {
			return err
		}
		if kind == 4 {
			return r.readPackedBits()
		}
		return r.readTextBits()
	}
	most, err := r.number(math.MaxUint16)
	if err != nil {
		return err
	}
	if most == 0 {
		return j.fail("the largest sample is 0; 1 to 65535 are allowed")
	}
	m := gray
	switch {
	case kind == 3 || kind == 6:
		m = rgb
	case most > 255:
		m = gray32
	}
	if err := j.open(width, height, m); err != nil {
		return err
	}
	return r.readSamples(m, most, kind <= 3)
}

// readPackedBits reads P4: a bit a pixel, 1 is black.
func (r *ppmReader) readPackedBits() error {
	j := r.job
	stride := (j.width + 7) / 8
	rest := r.data[min(r.at, len(r.data)):]
	if len(rest)/stride < j.height {
		return j.endsEarly(len(rest) / stride)
	}
	row := make([]byte, j.width)
	first, end := j.span()
	for y := first; y < end; y++ {
		unpackBits1(row, rest[y*stride:], j.width)
		for x := range row {
			row[x] ^= 1
		}
		if err := j.rows(y, 1, row, len(row)); err != nil {
			return err
		}
	}
	return j.finish()
}

// readTextBits reads P1: the digits 0 and 1, with or without white space between them.
func (r *ppmReader) readTextBits() error {
	j := r.job
	row := make([]byte, j.width)
	for y := range j.height {
		for x := range row {
			for r.at < len(r.data) && (isPPMSpace(r.data[r.at]) || r.data[r.at] == '#') {
				if r.data[r.at] == '#' {
					for r.at < len(r.data) && r.data[r.at] != '\n' && r.data[r.at] != '\r' {
						r.at++
					}
				}
				r.at++
			}
			if r.at >= len(r.data) {
				return j.endsEarly(y)
			}
			b := r.data[r.at]
			if b != '0' && b != '1' {
				return j.fail("%q in row %d; only 0 and 1 are allowed", b, y)
			}
			row[x] = '1' - b
			r.at++
		}
		if err := j.rows(y, 1, row, len(row)); err != nil {
			return err
		}
	}
	return j.finish()
}

// readSamples reads P2, P3, P5 and P6. Samples are stretched so that `most` becomes the largest of the mode.
func (r *ppmReader) readSamples(m mode, most int, text bool) error {
	j := r.job
	channels, largest := 1, 255
	if m == rgb {
		channels = 3
	}
	if m == gray32 {
		largest = math.MaxUint16
	}
	bytesEach := 1
	if most > 255 {
		bytesEach = 2
	}
	stretched := stretch(most, largest)
	row := make([]byte, j.width*bytesPerPixel[m])
	for y := range j.height {
		for i := range j.width * channels {
			var sample int
			switch {
			case text:
				n, err := r.number(most)
				if err != nil {
					return err
				}
				sample = n
			case r.at+bytesEach > len(r.data):
				return j.endsEarly(y)
			case bytesEach == 2:
				sample = int(binary.BigEndian.Uint16(r.data[r.at:]))
				r.at += 2
			default:
				sample = int(r.data[r.at])
				r.at++
			}
			value := stretched[min(sample, most)]
			if m == gray32 {
				binary.NativeEndian.PutUint16(row[2*i:], value)
			} else {
				row[i] = byte(value)
			}
		}
		if err := j.rows(y, 1, row, len(row)); err != nil {
			return err
		}
	}
	return j.finish()
}

// stretch maps 0..most to 0..largest, rounded, halves to even.
func stretch(most, largest int) []uint16 {
	table := make([]uint16, most+1)
	for v := range table {
		table[v] = uint16(math.RoundToEven(float64(v) / float64(most) * float64(largest)))
	}
	return table
}
