package runes

const (
	maxRune   = 0x10FFFF
	blockBits = 8
	blockSize = 1 << blockBits
)

// Table gives each code point a value of type V by two array look-ups. Code points that were never set have V's zero value.
type Table[V comparable] struct {
	blocks [][blockSize]V
	block  [(maxRune + 1) >> blockBits]uint16 // of each page of blockSize code points, the index in blocks

	uniform map[V]uint16 // blocks that hold one value only; they are shared between pages
}

// NewTable returns a table in which every code point has the zero value.
func NewTable[V comparable]() *Table[V] {
	var zero V
	return &Table[V]{
		blocks:  make([][blockSize]V, 1),
		uniform: map[V]uint16{zero: 0},
	}
}

// Set gives the code points from first up to, not including, end the value v.
func (t *Table[V]) Set(first, end rune, v V) {
	for r := first; r < end; {
		page := r >> blockBits
		pageEnd := (page + 1) << blockBits
		if r&(blockSize-1) == 0 && pageEnd <= end {
			t.block[page] = t.uniformBlock(v)
			r = pageEnd
			continue
		}
		block := t.ownBlock(page)
		for ; r < pageEnd && r < end; r++ {
			block[r&(blockSize-1)] = v
		}
	}
}

// At returns the value of r, and the zero value for what is no code point.
func (t *Table[V]) At(r rune) V {
	if uint32(r) > maxRune {
		var zero V
		return zero
	}
	return t.blocks[t.block[r>>blockBits]][r&(blockSize-1)]
}

func (t *Table[V]) uniformBlock(v V) uint16 {
	index, ok := t.uniform[v]
	if !ok {
		var block [blockSize]V
		for i := range block {
			block[i] = v
		}
		t.blocks = append(t.blocks, block)
		index = uint16(len(t.blocks) - 1)
		t.uniform[v] = index
	}
	return index
}

// ownBlock returns the block of a page for writing, after making it a copy of its own if it is a shared one.
func (t *Table[V]) ownBlock(page rune) *[blockSize]V {
	index := t.block[page]
	for _, shared := range t.uniform {
		if shared == index {
			t.blocks = append(t.blocks, t.blocks[index])
			index = uint16(len(t.blocks) - 1)
			t.block[page] = index
			break
		}
	}
	return &t.blocks[index]
}
