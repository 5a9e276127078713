package jinajson

import (
	"encoding/binary"
	"fmt"
)

// base64Bits holds the six bits of a character of the standard alphabet at each of the four places of a group, and
// notBase64 for every other character.
var base64Bits = makeBase64Bits()

const notBase64 = 1 << 31

func makeBase64Bits() *[4][256]uint32 {
	t := new([4][256]uint32)
	for place := range t {
		for c := range t[place] {
			t[place][c] = notBase64
		}
		for v, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/") {
			t[place][c] = uint32(v) << (18 - 6*place)
		}
	}
	return t
}

// decodeBase64 decodes text in place, in the way of Python's b64decode: characters outside of the standard alphabet are
// skipped, the text ends where padding completes a group, and what follows is ignored. It returns the part of text
// that the bytes now lie in; text is spoilt when it returns an error.
func decodeBase64(text []byte) ([]byte, error) {
	t := base64Bits
	n, at := 0, 0
	for {
		// Groups of four characters: three bytes each. Four are written, the last of them over a character that was read.
		for at+4 <= len(text) {
			group := text[at : at+4 : at+4]
			v := t[0][group[0]] | t[1][group[1]] | t[2][group[2]] | t[3][group[3]]
			if v >= notBase64 {
				break
			}
			binary.BigEndian.PutUint32(text[n:], v<<8)
			n, at = n+3, at+4
		}
		written, read, done, err := decodeGroup(text, n, at)
		n, at = n+written, at+read
		if done || err != nil {
			return text[:n:n], err
		}
	}
}

// decodeGroup reads one group from text[at:], with whatever stands between its characters, into text[n:]. Done is true
// when nothing follows that counts.
func decodeGroup(text []byte, n, at int) (written, read int, done bool, err error) {
	var bits uint32
	have, pads := 0, 0
	for i := at; i < len(text); i++ {
		c := text[i]
		if c == '=' {
			if pads++; have >= 2 && have+pads >= 4 {
				return have - 1, i + 1 - at, true, nil
			}
			continue
		}
		v := base64Bits[3][c]
		if v == notBase64 {
			continue
		}
		pads = 0
		if have++; have > 1 {
			bits |= v << (24 - 6*have)
			text[n+have-2] = byte(bits >> (16 - 8*(have-2)))
		} else {
			bits = v << 18
		}
		if have == 4 {
			return 3, i + 1 - at, false, nil
		}
	}
	switch have {
	case 0:
		return 0, len(text) - at, true, nil
	case 1:
		err = fmt.Errorf("it ends (character %d) with a single character of a group, which needs at least two", len(text))
	default:
		err = fmt.Errorf("it ends (character %d) with %d characters of a group and %d of the %d '=' that complete it",
			len(text), have, pads, 4-have)
	}
	return 0, 0, true, err
}
