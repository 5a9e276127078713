package tokenizer

import (
	"bufio"
	"bytes"
	"cmp"
	"compress/gzip"
	_ "embed"
	"fmt"
	"io"
	"strings"
	"sync"
	"unicode/utf8"
)

// mergesFile is CLIP's list of merges, bpe_simple_vocab_16e6.txt.gz, as open_clip distributes it (MIT). After a line with
// the version it has a merge a line, the two symbols with a space between; only the first maxMerges are in the vocabulary.
//
//go:embed bpe_simple_vocab_16e6.txt.gz
var mergesFile []byte

const (
	byteSymbols = 512 // a symbol for each byte, then one for each byte at the end of a word
	wordEnd     = "</w>"
	wordEndID   = 256 // what the id of a byte symbol grows by at the end of a word
	markers     = 2   // start and end of text, the last ids

	maxVocabulary = 49408
	minVocabulary = byteSymbols + markers
	maxMerges     = maxVocabulary - minVocabulary
)

// merge is a pair of ids that becomes one symbol: that of merge number i has the id byteSymbols + i, so that the id is the
// rank as well.
type merge struct {
	left, right uint16
}

// vocabulary is what the merges file says.
type vocabulary struct {
	merges []merge
	// longest[i] is the length in bytes of the longest symbol of the first i merges and the bytes.
	longest []uint16
}

// readVocabulary reads the embedded merges once.
var readVocabulary = sync.OnceValues(parseEmbedded)

// parseEmbedded reads the embedded merges.
func parseEmbedded() (*vocabulary, error) {
	unzipped, err := gzip.NewReader(bytes.NewReader(mergesFile))
	if err != nil {
		return nil, fmt.Errorf("cannot read the embedded merges: %w", err)
	}
	return parseMerges(bufio.NewScanner(unzipped))
}

// parseMerges resolves the symbols of the merges to ids. It reads no further than the last merge that counts.
func parseMerges(lines *bufio.Scanner) (*vocabulary, error) {
	ids := make(map[string]uint16, maxVocabulary)
	for b, id := range byteIDs() {
		symbol := string(byteSymbol(byte(b)))
		ids[symbol] = uint16(id)
		ids[symbol+wordEnd] = uint16(id) + wordEndID
	}
	v := &vocabulary{merges: make([]merge, 0, maxMerges), longest: make([]uint16, 1, maxMerges+1)}
	v.longest[0] = 1
	lines.Scan() // the version
	for number := range maxMerges {
		if !lines.Scan() {
			return nil, fmt.Errorf("the embedded merges end after %d, want %d: %w", number, maxMerges, cmp.Or(lines.Err(), io.ErrUnexpectedEOF))
		}
		line := lines.Text()
		first, second, found := strings.Cut(line, " ")
		left, knownLeft := ids[first]
		right, knownRight := ids[second]
		if !found || !knownLeft || !knownRight {
			return nil, fmt.Errorf("merge %d of the embedded merges is %q: want two symbols of earlier merges", number, line)
		}
		joined := first + second
		if _, twice := ids[joined]; twice {
			return nil, fmt.Errorf("merge %d of the embedded merges, %q, makes a symbol that an earlier merge makes", number, line)
		}
		ids[joined] = uint16(byteSymbols + number)
		v.merges = append(v.merges, merge{left, right})
		length := uint16(utf8.RuneCountInString(strings.TrimSuffix(joined, wordEnd)))
		v.longest = append(v.longest, max(v.longest[number], length))
	}
	return v, nil
}

// byteIDs returns the id of each byte's symbol: first the bytes that are printable in Latin-1, then the others.
func byteIDs() [256]int {
	var ids [256]int
	next := 0
	for _, wantPrintable := range []bool{true, false} {
		for b := range 256 {
			if isPrintable(byte(b)) == wantPrintable {
				ids[b] = next
				next++
			}
		}
	}
	return ids
}

// byteSymbol returns the character that stands for a byte in the merges file: itself in Latin-1 if that is printable, else
// one from U+0100 on.
func byteSymbol(b byte) rune {
	if isPrintable(b) {
		return rune(b)
	}
	symbol := rune(0x100)
	for other := range b {
		if !isPrintable(other) {
			symbol++
		}
	}
	return symbol
}

func isPrintable(b byte) bool {
	return '!' <= b && b <= '~' || 0xA1 <= b && b <= 0xAC || 0xAE <= b
}
