package tokenizer

// longPiece is a piece in the course of merging: symbols in a doubly linked list, and a heap of the merges that may be done.
// Each merge costs the logarithm of the piece's length.
type longPiece struct {
	id       []uint16
	previous []int32
	next     []int32 // len(id) after the last
	queue    mergeQueue
	queued   int // number of merges that were ever in the queue
}

// gone is the id of a position whose symbol was merged into the one before it.
const gone = noMerge

// appendLong is appendIDs for a piece of any length.
func (e *encoder) appendLong(dst []uint16, piece string, cut bool, limit int) []uint16 {
	p := e.mergeLong(piece, cut)
	for i := 0; i < len(p.id) && limit > 0; i = int(p.next[i]) {
		dst = append(dst, p.id[i])
		limit--
	}
	return dst
}

// mergeLong does every merge of a piece.
func (e *encoder) mergeLong(piece string, cut bool) *longPiece {
	n := len(piece)
	p := longPiece{
		id:       e.symbols(make([]uint16, 0, n), piece, cut),
		previous: make([]int32, n),
		next:     make([]int32, n),
		queue:    make(mergeQueue, 0, n),
	}
	for i := range n {
		p.previous[i] = int32(i) - 1
		p.next[i] = int32(i) + 1
		if merged := e.pairAt(&p, i); merged != noMerge {
			p.queue = append(p.queue, newQueuedMerge(merged, i))
			p.queued++
		}
	}
	p.queue.order()
	for len(p.queue) > 0 {
		least := p.queue.pop()
		// The pair may have gone since it was queued.
		if i := least.position(); e.pairAt(&p, i) == least.merged() {
			e.mergeAt(&p, i, least.merged())
		}
	}
	return &p
}

// pairAt returns what the symbols at position i and after it merge to.
func (e *encoder) pairAt(p *longPiece, i int) uint16 {
	next := int(p.next[i])
	if p.id[i] == gone || next == len(p.id) {
		return noMerge
	}
	return e.merges.lookup(p.id[i], p.id[next])
}

// mergeAt makes the symbols at position i and after it one, and queues the merges that this makes possible.
func (e *encoder) mergeAt(p *longPiece, i int, merged uint16) {
	second := p.next[i]
	p.id[i] = merged
	p.id[second] = gone
	p.next[i] = p.next[second]
	if after := int(p.next[i]); after < len(p.id) {
		p.previous[after] = int32(i)
	}
	for _, at := range [2]int{int(p.previous[i]), i} {
		if at < 0 {
			continue
		}
		if next := e.pairAt(p, at); next != noMerge {
			p.queue.push(newQueuedMerge(next, at))
			p.queued++
		}
	}
}
