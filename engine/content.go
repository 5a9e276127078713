package engine

import (
	"hash/maphash"
	"sync/atomic"

	"github.com/maypok86/otter/v2"
	"github.com/maypok86/otter/v2/stats"
)

// contentKey stands for the content of an input: 128 bits under keys that are drawn anew for each process, so that nobody
// can make two contents meet on purpose, and by chance they do not.
type contentKey [2]uint64

// The kinds of content; equal bytes of different kinds are different inputs.
const (
	textKind = iota
	encodedKind
	pixelsKind
	kinds
)

var seeds = func() (s [kinds][2]maphash.Seed) {
	for k := range s {
		s[k] = [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}
	}
	return s
}()

// key returns the key of an input.
func (in *Input) key() (k contentKey) {
	for i := range k {
		switch {
		case in.Tower == TextTower:
			k[i] = maphash.String(seeds[textKind][i], in.Text)
		case in.Pixels == nil:
			k[i] = maphash.Bytes(seeds[encodedKind][i], in.Image)
		default:
			s, p := seeds[pixelsKind][i], in.Pixels
			k[i] = maphash.Comparable(s, [2]uint64{maphash.Bytes(s, p.Data), maphash.Comparable(s, [3]int{p.Height, p.Width, p.Channels})})
		}
	}
	return k
}

// cache keeps embeddings by content. Otter was chosen for its bound by weight and its policy, W-TinyLFU, which a scan through
// many inputs that never come again does not flush.
type cache struct {
	rows         *otter.Cache[contentKey, []float32]
	hits, misses atomic.Uint64
	evicted      evictions
}

// evictions counts them as the cache's recorder.
type evictions struct {
	stats.NoopRecorder
	atomic.Uint64
}

// RecordEviction implements stats.Recorder.
func (e *evictions) RecordEviction(uint32) { e.Add(1) }

// entryBytes is what an entry takes beside its row: key, node, place in the table.
const entryBytes = 160

// newCache makes a cache of at most so many bytes; nil for 0.
func newCache(bytes int64) (*cache, error) {
	if bytes <= 0 {
		return nil, nil
	}
	c := &cache{}
	rows, err := otter.New(&otter.Options[contentKey, []float32]{
		MaximumWeight: uint64(bytes),
		StatsRecorder: &c.evicted,
		Weigher:       func(_ contentKey, row []float32) uint32 { return uint32(entryBytes + 4*len(row)) },
	})
	if err != nil {
		return nil, err
	}
	c.rows = rows
	return c, nil
}

// get copies the row of a content to dst, when it is there. A nil cache has nothing.
func (c *cache) get(k contentKey, dst []float32) bool {
	if c == nil {
		return false
	}
	row, ok := c.rows.GetIfPresent(k)
	if !ok {
		c.misses.Add(1)
		return false
	}
	c.hits.Add(1)
	copy(dst, row)
	return true
}

func (c *cache) put(k contentKey, row []float32) {
	if c != nil {
		c.rows.Set(k, append([]float32(nil), row...))
	}
}

// Stats counts since the start of the model.
type Stats struct {
	CacheHits   uint64 // inputs answered from the cache
	CacheMisses uint64 // inputs looked for in vain
	CacheBytes  uint64 // taken now
	Evicted     uint64 // embeddings that the cache dropped for others
	Joined      uint64 // inputs that were the same as one in progress, and were answered with it
}

// Stats returns the model's counters.
func (m *Model) Stats() Stats {
	s := Stats{Joined: m.joined.Load()}
	if c := m.cache; c != nil {
		s.CacheHits, s.CacheMisses, s.CacheBytes = c.hits.Load(), c.misses.Load(), c.rows.WeightedSize()
		s.Evicted = c.evicted.Load()
	}
	return s
}
