package ftfy

import "strings"

// fixer repairs the segments of one text in turn.
type fixer struct {
	// unescape says whether character references are replaced. A "<" switches it off for its segment and those after it:
	// the text may be HTML, whose references are meant.
	unescape bool
	passes   passes
}

// segment applies every fix to a segment until none changes it.
func (f *fixer) segment(text string) string {
	if f.unescape && strings.IndexByte(text, '<') >= 0 {
		f.unescape = false
	}
	for {
		fixed := f.round(text)
		if fixed == text {
			return text
		}
		text = fixed
		if !f.passes.spend(len(text)) {
			return text
		}
	}
}

// round applies each fix once, in the library's order.
func (f *fixer) round(text string) string {
	found := scan(text)
	if found == 0 {
		return text
	}
	apply := func(needs finding, fix func(string) string) {
		if found&needs == 0 {
			return
		}
		if fixed := fix(text); fixed != text {
			text, found = fixed, anything // a fix may make what a later one repairs
		}
	}
	if f.unescape {
		apply(hasReference, unescapeEntities)
	}
	apply(hasMojibake, func(text string) string { return fixEncoding(text, &f.passes) })
	apply(hasC1, fixC1Controls)
	apply(hasVariant, replaceVariants)
	apply(hasEscape, removeTerminalEscapes)
	apply(hasControl, removeControls)
	apply(hasUnstable, composeNFC)
	return text
}

// passes is a budget of repetitions, counted in bytes of text gone through again.
type passes struct {
	left int
}

// The budget of a text: 4 MiB and 16 times its length. A text of up to 2 KiB can't need more, as every repetition makes
// it shorter or is among the few that do not.
const (
	basePasses    = 4 << 20
	passesPerByte = 16
)

func newPasses(textBytes int) passes {
	return passes{left: basePasses + passesPerByte*textBytes}
}

// spend takes a repetition over n bytes from the budget, and says whether it allowed that.
func (p *passes) spend(n int) bool {
	p.left -= n
	return p.left >= 0
}
