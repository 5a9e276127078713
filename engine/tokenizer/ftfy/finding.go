package ftfy

import "clipd/engine/tokenizer/runes"

// finding is a set of things in a text that one of the fixes looks for. A fix whose thing is not there is left out, which
// makes most texts cost one scan.
type finding uint8

const (
	hasReference finding = 1 << iota // an ampersand
	hasMojibake                      // a character of a category of the badness heuristic
	hasC1                            // U+0080..U+009F
	hasVariant                       // a character that replaceVariants replaces
	hasEscape                        // U+001B
	hasControl                       // a character that removeControls removes
	hasUnstable                      // a character that composition may change

	anything finding = 1<<iota - 1
)

var findings = newFindings()

func newFindings() *runes.Table[finding] {
	found := map[rune]finding{'&': hasReference, 0x1B: hasEscape}
	for r := range characters {
		found[r] |= hasMojibake
	}
	for r := rune(0x80); r <= 0x9F; r++ {
		found[r] |= hasC1
	}
	for r := range variants {
		found[r] |= hasVariant
	}
	for _, r := range controls() {
		found[r] |= hasControl
	}
	for first, end := range runes.With(runes.Unstable) {
		for r := first; r < end; r++ {
			found[r] |= hasUnstable
		}
	}
	table := runes.NewTable[finding]()
	for r, f := range found {
		table.Set(r, r+1, f)
	}
	return table
}

// scan returns what is in text.
func scan(text string) finding {
	var found finding
	for _, r := range text {
		found |= findings.At(r)
	}
	return found
}
