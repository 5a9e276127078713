// Package tokenizer turns text to the token ids of CLIP: the text cleaning of the reference and byte-pair encoding, with the
// same ids for every text.
//
// Its steps are: ftfy's repairs, HTML unescaping twice, white space, full lower-casing (all in Clean), splitting to pieces,
// merging the UTF-8 bytes of each piece. Plain ASCII text, which no repair can touch, goes straight to splitting.
package tokenizer

import "fmt"

// Tokenizer turns texts to ids. It is safe for concurrent use.
type Tokenizer struct {
	encoder encoder
	cache   pieceCache
	start   int32
	end     int32
	// longest is the length in bytes of the longest symbol.
	longest int
}

// New returns the tokenizer of a model whose token embedding has vocabSize rows: 49408 is CLIP's; a smaller one (at least
// 514) uses only the first vocabSize-514 merges, and its two markers are the last two ids.
func New(vocabSize int) (*Tokenizer, error) {
	if vocabSize < minVocabulary || vocabSize > maxVocabulary {
		return nil, fmt.Errorf("cannot make a tokenizer for a token embedding of %d rows: CLIP's vocabulary, whole or cut, has %d to %d",
			vocabSize, minVocabulary, maxVocabulary)
	}
	v, err := readVocabulary()
	if err != nil {
		return nil, err
	}
	merges := vocabSize - minVocabulary
	t := &Tokenizer{
		encoder: encoder{merges: newMergeTable(v.merges[:merges])},
		start:   int32(vocabSize - 2),
		end:     int32(vocabSize - 1),
		longest: int(v.longest[merges]),
	}
	for b, id := range byteIDs() {
		t.encoder.byteID[b] = uint16(id)
	}
	return t, nil
}

// Start returns the id of the marker at the start of a text.
func (t *Tokenizer) Start() int32 { return t.start }

// End returns the id of the marker at the end of a text.
func (t *Tokenizer) End() int32 { return t.end }

// VocabSize returns the number of ids, which are 0 to VocabSize()-1.
func (t *Tokenizer) VocabSize() int { return int(t.end) + 1 }

// Append appends the ids of text to dst: start marker, ids, end marker, cut to contextLength with the end marker kept last.
// With a contextLength of 1 only the end marker is left, with 0 or less nothing. Bytes that are not UTF-8 count as U+FFFD each. It is
// safe for concurrent use.
func (t *Tokenizer) Append(dst []int32, text string, contextLength int) []int32 {
	if contextLength <= 0 {
		return dst
	}
	if contextLength > 1 {
		dst = append(dst, t.start)
		limit := len(dst) + contextLength - 2
		if ids, ok := t.appendPlain(dst, text, limit); ok {
			dst = ids
		} else {
			dst = t.appendCleaned(dst, text, limit)
		}
	}
	return append(dst, t.end)
}

// appendCleaned appends the ids of text after cleaning it, until dst has limit ids.
func (t *Tokenizer) appendCleaned(dst []int32, text string, limit int) []int32 {
	lines := newLines(text)
	return t.appendLines(dst, &lines, limit)
}

// appendLines appends the ids of lines, of which it takes no more than it needs, until dst has limit ids.
func (t *Tokenizer) appendLines(dst []int32, lines *lines, limit int) []int32 {
	buffer := lineBuffers.Get().(*[]byte)
	for len(dst) < limit {
		line, ok := lines.next()
		if !ok {
			break
		}
		*buffer = appendLower((*buffer)[:0], line)
		dst = t.appendPieces(dst, *buffer, limit)
	}
	if cap(*buffer) <= maxPooledLine {
		lineBuffers.Put(buffer)
	}
	return dst
}

// appendPiece appends the ids of a piece of clean text until dst has limit ids.
func (t *Tokenizer) appendPiece(dst []int32, piece string, limit int) []int32 {
	if len(piece) <= keyBytes {
		key := newPieceKey(piece, false)
		return t.appendKey(dst, &key, limit)
	}
	room := limit - len(dst)
	kept := t.decidingPrefix(piece, room)
	var few [maxShortPiece]uint16
	ids := t.encoder.appendIDs(few[:0], kept, len(kept) < len(piece), room)
	return appendInt32(dst, ids, limit)
}

// farthestMerge is how far back from the end of a cut piece the cut may reach in its ids, in bytes.
//
// A merge waits only for merges of lower rank to its right, so the cut's effect goes left in steps of one symbol and ever
// rising ranks. In the golden texts and in repetitions it never went further than four symbols (TestCutReach).
const farthestMerge = 1 << 16

// decidingPrefix returns the start of a piece that decides its first count ids.
func (t *Tokenizer) decidingPrefix(piece string, count int) string {
	if decided := count*t.longest + farthestMerge; count < len(piece) && decided < len(piece) {
		return piece[:decided]
	}
	return piece
}

// appendKey appends the ids of the piece of a key until dst has limit ids.
func (t *Tokenizer) appendKey(dst []int32, key *pieceKey, limit int) []int32 {
	if p := t.cache.get(key); p != nil {
		return appendInt32(dst, p.ids[:p.count], limit)
	}
	return t.appendNewKey(dst, key, limit)
}

// appendNewKey is appendKey for a piece that is not in the cache.
func (t *Tokenizer) appendNewKey(dst []int32, key *pieceKey, limit int) []int32 {
	var piece [keyBytes]byte
	var few [keyBytes]uint16
	ids := t.encoder.appendIDs(few[:0], string(key.bytes(&piece)), false, keyBytes)
	t.cache.put(key, ids)
	return appendInt32(dst, ids, limit)
}

func appendInt32(dst []int32, ids []uint16, limit int) []int32 {
	for _, id := range ids {
		if len(dst) >= limit {
			break
		}
		dst = append(dst, int32(id))
	}
	return dst
}
