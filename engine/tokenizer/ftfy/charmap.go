package ftfy

import "strings"

// charmap is a one-byte encoding. Bytes 0x00 to 0x7F are ASCII.
type charmap struct {
	name string
	// sloppy says that unassigned bytes decode to the same number, and that byte 0x1A stands for U+FFFD: a character that was lost.
	sloppy bool
	high   string // the characters of bytes 0x80 to 0xFF
}

// substitute is the byte of a lost character in a sloppy encoding.
const substitute = 0x1A

// charmapSet is a set of indices in charmaps.
type charmapSet uint16

const (
	latin1      = 0 // index in charmaps
	windows1252 = 1 // index in charmaps, the sloppy form

	everyCharmap charmapSet = 1<<len(charmaps) - 1
)

// highBytes maps each character above ASCII that is in some charmap to its byte in each; unmapped is 0.
var highBytes, sloppyCharmaps = newHighBytes()

func newHighBytes() (map[rune][len(charmaps)]byte, charmapSet) {
	bytes := make(map[rune][len(charmaps)]byte)
	var sloppy charmapSet
	for k, c := range charmaps {
		b := byte(0x80)
		for _, r := range c.high {
			row := bytes[r]
			row[k] = b
			bytes[r] = row
			b++
		}
		if c.sloppy {
			sloppy |= 1 << k
		}
	}
	return bytes, sloppy
}

// newCharmapSets maps each character above ASCII to the encodings that have it.
func newCharmapSets() map[rune]charmapSet {
	sets := make(map[rune]charmapSet)
	for r, row := range highBytes {
		for k, b := range row {
			if b != 0 {
				sets[r] |= 1 << k
			}
		}
	}
	sets['\uFFFD'] |= sloppyCharmaps
	return sets
}

// possibleCharmaps returns the encodings that can hold every character of text.
func possibleCharmaps(text string) charmapSet {
	set := everyCharmap
	for _, r := range text {
		switch {
		case r == substitute:
			set &^= sloppyCharmaps
		case r >= 0x80:
			set &= categories.At(r).charmaps
		}
		if set == 0 {
			break
		}
	}
	return set
}

// encode returns the bytes of text in charmaps[k], which must be one of its possibleCharmaps.
func encode(text string, k int) []byte {
	out := make([]byte, 0, len(text))
	for _, r := range text {
		switch {
		case r < 0x80:
			out = append(out, byte(r))
		case r == '\uFFFD':
			out = append(out, substitute)
		case k == latin1:
			out = append(out, byte(r))
		default:
			out = append(out, highBytes[r][k])
		}
	}
	return out
}

// latin1AsWindows1252 reads text, all of Latin-1, as the Windows-1252 that it was meant to be. It fails at the five bytes
// that Windows-1252 leaves unassigned.
func latin1AsWindows1252(text string) (string, bool) {
	var out strings.Builder
	for _, r := range text {
		switch r {
		case 0x81, 0x8D, 0x8F, 0x90, 0x9D:
			return "", false
		}
		out.WriteRune(windows1252Rune(r))
	}
	return out.String(), true
}

// windows1252High holds the characters of bytes 0x80 to 0xFF of sloppy Windows-1252.
var windows1252High = []rune(charmaps[windows1252].high)

// windows1252Rune returns what a Latin-1 character is if it was meant to be Windows-1252; others stay.
func windows1252Rune(r rune) rune {
	if 0x80 <= r && r <= 0xFF {
		return windows1252High[r-0x80]
	}
	return r
}

// fixC1Controls reads the control characters U+0080 to U+009F as Windows-1252, as web browsers do.
func fixC1Controls(text string) string {
	return strings.Map(func(r rune) rune {
		if 0x80 <= r && r <= 0x9F {
			return windows1252Rune(r)
		}
		return r
	}, text)
}
