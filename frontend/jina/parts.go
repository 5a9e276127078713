package jina

import (
	"sync/atomic"

	"google.golang.org/grpc/mem"
)

// parts is the pool that the parts of one buffer go back to.
type parts struct {
	whole   *[]byte
	pool    mem.BufferPool // of whole
	left    atomic.Int32   // parts that are not back
	written func(bytes int)
	hold    *hold
}

// divide cuts b, which lies in whole, into buffers of partBytes or a little more. The transport frees each when it is
// written, and written is told its size; the last one ends the hold.
func divide(b []byte, whole *[]byte, pool mem.BufferPool, written func(bytes int), hold *hold) mem.BufferSlice {
	n := max(1, len(b)/partBytes) // the last one takes the rest: tiny buffers are never given back
	p := &parts{whole: whole, pool: pool, written: written, hold: hold}
	p.left.Store(int32(n))
	slices := make([][]byte, n)
	buffers := make(mem.BufferSlice, n)
	for i := range slices {
		end := (i + 1) * partBytes
		if i == n-1 {
			end = len(b)
		}
		slices[i] = b[i*partBytes : end : end]
		buffers[i] = mem.NewBuffer(&slices[i], p)
	}
	return buffers
}

// Get implements mem.BufferPool; nobody asks for a buffer here.
func (p *parts) Get(length int) *[]byte { return p.pool.Get(length) }

// Put takes a part back.
func (p *parts) Put(part *[]byte) {
	if p.hold != nil {
		p.hold.progress.Add(1)
	}
	if p.written != nil {
		p.written(len(*part))
	}
	if p.left.Add(-1) == 0 {
		p.pool.Put(p.whole)
		p.hold.end()
	}
}
