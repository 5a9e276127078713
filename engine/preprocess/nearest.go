package preprocess

// nearest is the painter of palette and 1-bit pictures: nearest neighbour, then the palette. Only the samples that are
// wanted are kept, so it needs size × size bytes whatever the picture.
type nearest struct {
	size    int
	columns []int // source column of each column that comes out
	lines   []int // source row of each row that comes out, rising
	next    int   // first row that is still to come
	indices []byte
	colours *palette
}

func newNearest(width, height, size int, colours *palette) *nearest {
	longer := func(short, long int) int {
		if short == size {
			return long
		}
		return int(float64(size*long) / float64(short))
	}
	resizedWidth, resizedHeight := size, size
	if width <= height {
		resizedHeight = longer(width, height)
	} else {
		resizedWidth = longer(height, width)
	}
	return &nearest{
		size:    size,
		columns: nearestIndices(width, resizedWidth, size),
		lines:   nearestIndices(height, resizedHeight, size),
		indices: make([]byte, size*size),
		colours: colours,
	}
}

// nearestIndices gives the sources of the middle `size` of `out` samples. Pillow adds up the step instead of
// multiplying, which matters in the last bit.
func nearestIndices(in, out, size int) []int {
	offset := cropOffset(out, size)
	step := float64(in) / float64(out)
	at := step * 0.5
	if offset < longestSum {
		for range offset {
			at += step
		}
	} else {
		at += step * float64(offset)
	}
	indices := make([]int, size)
	for i := range indices {
		indices[i] = min(int(at), in-1)
		at += step
	}
	return indices
}

// longestSum bounds the steps that are added up. A picture of one pixel by millions would take minutes; Pillow needs
// gigabytes for it and fails.
const longestSum = 1 << 24

// cropOffset is (n − size) / 2, halves rounded to even.
func cropOffset(n, size int) int {
	half := (n - size) / 2
	if (n-size)%2 != 0 && half%2 != 0 {
		half++
	}
	return half
}

func (p *nearest) span() (first, end int) { return p.lines[0], p.lines[p.size-1] + 1 }

func (p *nearest) rows(y, count int, pix []byte, stride int) error {
	for i := range count {
		for p.next < p.size && p.lines[p.next] == y+i {
			line := p.indices[p.next*p.size:][:p.size]
			for x, column := range p.columns {
				line[x] = pix[i*stride+column]
			}
			p.next++
		}
	}
	return nil
}

func (p *nearest) finish(dst []byte) error {
	for i, index := range p.indices {
		copy(dst[3*i:], p.colours[index][:])
	}
	return nil
}

func (p *nearest) close() {}
