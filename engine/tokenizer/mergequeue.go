package tokenizer

// queuedMerge is a merge's id in the upper and its position in the lower 32 bits: the order is by rank, then from the left.
type queuedMerge uint64

func newQueuedMerge(merged uint16, position int) queuedMerge {
	return queuedMerge(merged)<<32 | queuedMerge(position)
}

func (m queuedMerge) merged() uint16 { return uint16(m >> 32) }
func (m queuedMerge) position() int  { return int(uint32(m)) }

// mergeQueue is a binary heap of merges, the least one first.
type mergeQueue []queuedMerge

// order makes a heap of merges in any order.
func (q mergeQueue) order() {
	for i := len(q)/2 - 1; i >= 0; i-- {
		q.sink(i)
	}
}

func (q *mergeQueue) push(m queuedMerge) {
	*q = append(*q, m)
	heap := *q
	for i := len(heap) - 1; i > 0; {
		parent := (i - 1) / 2
		if heap[parent] <= heap[i] {
			return
		}
		heap[parent], heap[i] = heap[i], heap[parent]
		i = parent
	}
}

// pop takes the least merge out of a queue that is not empty.
func (q *mergeQueue) pop() queuedMerge {
	heap := *q
	least := heap[0]
	last := len(heap) - 1
	heap[0] = heap[last]
	*q = heap[:last]
	q.sink(0)
	return least
}

// sink moves the merge at index i down to where the order is right.
func (q mergeQueue) sink(i int) {
	for {
		child := 2*i + 1
		if child >= len(q) {
			return
		}
		if child+1 < len(q) && q[child+1] < q[child] {
			child++
		}
		if q[i] <= q[child] {
			return
		}
		q[i], q[child] = q[child], q[i]
		i = child
	}
}
