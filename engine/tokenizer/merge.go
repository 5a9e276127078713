package tokenizer

// maxShortPiece is the length up to which a piece is merged by going through it for every merge, which is quickest for
// words and quadratic for more.
const maxShortPiece = 48

// encoder turns pieces to ids by byte-pair merges. It holds no state that changes.
type encoder struct {
	byteID [256]uint16
	merges mergeTable
}

// appendIDs appends to dst at most limit ids of a piece: a byte symbol for each byte, the last one with the end of the word
// unless the piece was cut, merged by rank, the leftmost of equal ones first.
func (e *encoder) appendIDs(dst []uint16, piece string, cut bool, limit int) []uint16 {
	if piece == "" {
		return dst
	}
	if len(piece) > maxShortPiece {
		return e.appendLong(dst, piece, cut, limit)
	}
	var symbols [maxShortPiece]uint16
	ids := e.symbols(symbols[:0], piece, cut)
	ids = e.mergeShort(ids)
	return append(dst, ids[:min(limit, len(ids))]...)
}

// symbols appends the byte symbols of a piece.
func (e *encoder) symbols(dst []uint16, piece string, cut bool) []uint16 {
	for i := 0; i < len(piece); i++ {
		dst = append(dst, e.byteID[piece[i]])
	}
	if !cut {
		dst[len(dst)-1] += wordEndID
	}
	return dst
}

// mergeShort merges ids in place and returns what is left of them.
func (e *encoder) mergeShort(ids []uint16) []uint16 {
	var merged [maxShortPiece]uint16 // merged[i] is what ids[i] and ids[i+1] merge to
	for i := 0; i+1 < len(ids); i++ {
		merged[i] = e.merges.lookup(ids[i], ids[i+1])
	}
	for len(ids) > 1 {
		best := 0
		for i := 1; i < len(ids)-1; i++ {
			if merged[i] < merged[best] {
				best = i
			}
		}
		if merged[best] == noMerge {
			break
		}
		ids[best] = merged[best]
		copy(ids[best+1:], ids[best+2:])
		copy(merged[best+1:len(ids)-1], merged[best+2:len(ids)])
		ids = ids[:len(ids)-1]
		if best+1 < len(ids) {
			merged[best] = e.merges.lookup(ids[best], ids[best+1])
		}
		if best > 0 {
			merged[best-1] = e.merges.lookup(ids[best-1], ids[best])
		}
	}
	return ids
}
