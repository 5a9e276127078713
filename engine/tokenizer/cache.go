package tokenizer

import (
	"math/bits"
	"sync/atomic"
)

const (
	cacheBits = 14 // of the number of pieces kept: at most 1 MiB in all
	keyWords  = 3
	keyBytes  = 8 * keyWords // length of the longest piece kept
	keptIDs   = 8            // number of ids of the pieces kept
)

// pieceKey is a piece of up to keyBytes bytes, padded with zeros.
type pieceKey struct {
	words  [keyWords]uint64 // little-endian
	length uint8
}

// foldBit makes a small ASCII letter of a capital one, in each byte of a word.
const foldBit = 0x2020202020202020

// newPieceKey returns the key of a piece of at most keyBytes bytes. With fold, all of its letters must be ASCII letters, and
// its other bytes may only be the apostrophe; the key is that of the piece in small letters.
func newPieceKey(piece string, fold bool) pieceKey {
	k := pieceKey{length: uint8(len(piece))}
	for i := range k.words {
		if len(piece) < 8 {
			word := loadTail(piece)
			if fold && len(piece) > 0 {
				word |= foldBit >> (64 - 8*len(piece))
			}
			k.words[i] = word
			break
		}
		k.words[i] = load64(piece)
		if fold {
			k.words[i] |= foldBit
		}
		piece = piece[8:]
	}
	return k
}

// bytes writes the piece into buffer and returns it.
func (k *pieceKey) bytes(buffer *[keyBytes]byte) []byte {
	for i := range buffer {
		buffer[i] = byte(k.words[i/8] >> (8 * (i % 8)))
	}
	return buffer[:k.length]
}

// slot returns the index of the key in the cache.
func (k *pieceKey) slot() uint64 {
	// Odd numbers without a pattern: the fractions of pi, e and the golden ratio.
	h := k.words[0]*0x243F6A8885A308D3 ^
		bits.RotateLeft64(k.words[1]*0xB7E151628AED2A6B, 21) ^
		bits.RotateLeft64(k.words[2]*0x9E3779B97F4A7C15, 42)
	h ^= h >> 32
	h *= 0x9E3779B97F4A7C15
	return h >> (64 - cacheBits)
}

// cachedPiece is a piece with its ids.
type cachedPiece struct {
	key   pieceKey
	count uint8
	ids   [keptIDs]uint16
}

// pieceCache keeps the ids of pieces that were met lately. Each piece has one place in it, where it replaces another, so
// that its size is bounded and a look-up waits for nothing. It is safe for concurrent use.
type pieceCache struct {
	slots [1 << cacheBits]atomic.Pointer[cachedPiece]
}

// get returns the piece of the key, or nil.
func (c *pieceCache) get(key *pieceKey) *cachedPiece {
	if p := c.slots[key.slot()].Load(); p != nil && p.key == *key {
		return p
	}
	return nil
}

// put keeps the ids of a piece unless they are too many.
func (c *pieceCache) put(key *pieceKey, ids []uint16) {
	if len(ids) > keptIDs {
		return
	}
	p := &cachedPiece{key: *key, count: uint8(len(ids))}
	copy(p.ids[:], ids)
	c.slots[key.slot()].Store(p)
}

// load64 reads the first eight bytes of s.
func load64(s string) uint64 {
	_ = s[7]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

// loadTail reads the up to seven bytes of s.
func loadTail(s string) uint64 {
	n := len(s)
	switch {
	case n >= 4:
		return uint64(load32(s)) | uint64(load32(s[n-4:]))<<(8*(n-4))
	case n >= 2:
		return uint64(load16(s)) | uint64(load16(s[n-2:]))<<(8*(n-2))
	case n == 1:
		return uint64(s[0])
	}
	return 0
}

func load32(s string) uint32 {
	_ = s[3]
	return uint32(s[0]) | uint32(s[1])<<8 | uint32(s[2])<<16 | uint32(s[3])<<24
}

func load16(s string) uint16 { return uint16(s[0]) | uint16(s[1])<<8 }
