package tokenizer

// mergeTable maps a pair of ids to the id of what they merge to: a hash table with linear probing, at most half full.
type mergeTable struct {
	slots []mergeSlot
	mask  uint32
}

type mergeSlot struct {
	pair   uint32 // left id << 16 | right id
	merged uint16 // 0, which no merge makes, in an empty slot
}

// noMerge is what pairs without a merge give. It is above every id, so that the least of several is the merge to do first.
const noMerge = 1<<16 - 1

func newMergeTable(merges []merge) mergeTable {
	size := 16
	for size < 2*len(merges) {
		size *= 2
	}
	t := mergeTable{slots: make([]mergeSlot, size), mask: uint32(size - 1)}
	for i, m := range merges {
		pair := pairOf(m.left, m.right)
		slot := t.home(pair)
		for t.slots[slot].merged != 0 {
			slot = (slot + 1) & t.mask
		}
		t.slots[slot] = mergeSlot{pair, uint16(byteSymbols + i)}
	}
	return t
}

// lookup returns the id that left and right merge to, or noMerge.
func (t *mergeTable) lookup(left, right uint16) uint16 {
	pair := pairOf(left, right)
	for slot := t.home(pair); ; slot = (slot + 1) & t.mask {
		switch s := t.slots[slot]; {
		case s.merged == 0:
			return noMerge
		case s.pair == pair:
			return s.merged
		}
	}
}

// home returns the slot where the search for a pair starts.
func (t *mergeTable) home(pair uint32) uint32 {
	const golden = 0x9E3779B1 // 2^32 / golden ratio: Fibonacci hashing
	h := pair * golden
	return (h ^ h>>15) & t.mask
}

func pairOf(left, right uint16) uint32 { return uint32(left)<<16 | uint32(right) }
