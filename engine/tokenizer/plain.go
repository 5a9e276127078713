package tokenizer

import "strings"

// asciiClass is what an ASCII character is to the split pattern.
type asciiClass uint8

const (
	// notPlain are the bytes that a repair or unescaping may act on or by: above ASCII, control characters, the ampersand.
	notPlain asciiClass = iota
	asciiSpace
	asciiLetter
	asciiDigit
	asciiSymbol
)

var asciiClasses = newASCIIClasses()

func newASCIIClasses() (classes [256]asciiClass) {
	for b := byte('!'); b <= '~'; b++ {
		switch {
		case '0' <= b && b <= '9':
			classes[b] = asciiDigit
		case 'a' <= b|0x20 && b|0x20 <= 'z':
			classes[b] = asciiLetter
		case b != '&':
			classes[b] = asciiSymbol
		}
	}
	for _, b := range []byte("\t\n\f\r ") {
		classes[b] = asciiSpace
	}
	return classes
}

// appendPlain appends the ids of text until dst has limit ids, if what it reads for that is plain ASCII, and returns false
// if not. Cleaning would leave such a text as it is but for case and white space, and what comes after a piece and the plain character
// behind it changes nothing in it.
func (t *Tokenizer) appendPlain(dst []int32, text string, limit int) ([]int32, bool) {
	for i := 0; i < len(text) && len(dst) < limit; {
		first := i
		class := asciiClasses[text[i]]
		i++
		switch class {
		case notPlain:
			return nil, false
		case asciiSpace:
			continue
		case asciiLetter:
			for i < len(text) && asciiClasses[text[i]] == asciiLetter {
				i++
			}
		case asciiSymbol:
			id, length, isMarker := t.marker(text[first:])
			if isMarker {
				i = first + length
				if i < len(text) && asciiClasses[text[i]] == notPlain {
					return nil, false
				}
				dst = append(dst, id)
				continue
			}
			if n := contractionASCII(text[first:]); n > 0 {
				class = asciiLetter
				i = first + n
				break
			}
			for i < len(text) && asciiClasses[text[i]] == asciiSymbol {
				i++
			}
		}
		if i < len(text) && asciiClasses[text[i]] == notPlain {
			return nil, false
		}
		dst = t.appendPlainPiece(dst, text[first:i], class == asciiLetter, limit)
	}
	return dst, true
}

// appendPlainPiece appends the ids of a piece of plain text. With fold, its letters are made small.
func (t *Tokenizer) appendPlainPiece(dst []int32, piece string, fold bool, limit int) []int32 {
	if len(piece) <= keyBytes {
		key := newPieceKey(piece, fold)
		return t.appendKey(dst, &key, limit)
	}
	if fold {
		return t.appendFolded(dst, piece, limit)
	}
	return t.appendPiece(dst, piece, limit)
}

// appendFolded is appendPiece for a long piece of ASCII letters, of which it copies only what decides the ids.
func (t *Tokenizer) appendFolded(dst []int32, piece string, limit int) []int32 {
	room := limit - len(dst)
	kept := t.decidingPrefix(piece, room)
	var few [maxShortPiece]uint16
	ids := t.encoder.appendIDs(few[:0], strings.ToLower(kept), len(kept) < len(piece), room)
	return appendInt32(dst, ids, limit)
}
