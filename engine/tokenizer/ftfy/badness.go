package ftfy

// windowSize is a power of two above the length of every badness rule.
const windowSize = 8

// isBad tells whether text contains a sequence that is likely mojibake.
func isBad(text string) bool {
	var window [windowSize]category // of the last characters, a ring
	window[0] = textStart
	// Every rule has a named character, so that nothing needs checking once the last of them has left the window.
	sinceNamed := windowSize
	n := uint(1)
	for _, r := range text {
		c := categoryOf(r)
		window[n%windowSize] = c
		sinceNamed++
		if c&^generalCategories != 0 {
			sinceNamed = 0
		}
		if sinceNamed < windowSize && endsBadSequence(&window, n) {
			return true
		}
		n++
	}
	return false
}

// generalCategories are those that ordinary text is full of.
const generalCategories = asciiLower | asciiUpper | space | whiteSpace | word | notASCIILetter | notLineFeed | textStart | sentenceEnd

// badnessAfterGeneral are the rules whose last character may be an ordinary one: the only ones that need trying there.
var badnessAfterGeneral = rulesEndingIn(generalCategories)

func rulesEndingIn(last category) (rules [][]category) {
	for _, rule := range badness {
		if rule[len(rule)-1]&last != 0 {
			rules = append(rules, rule)
		}
	}
	return rules
}

// endsBadSequence tells whether one of the rules fits the characters up to number n of the window.
func endsBadSequence(window *[windowSize]category, n uint) bool {
	last := window[n%windowSize]
	rules := badness
	if last&^generalCategories == 0 {
		rules = badnessAfterGeneral
	}
	for _, rule := range rules {
		if last&rule[len(rule)-1] != 0 && uint(len(rule)) <= n+1 && fits(rule, window, n) {
			return true
		}
	}
	return false
}

// fits tells whether the characters up to number n of the window are in the categories of the rule.
func fits(rule []category, window *[windowSize]category, n uint) bool {
	for i := uint(len(rule)); i > 0; i-- {
		if window[(n+i-uint(len(rule)))%windowSize]&rule[i-1] == 0 {
			return false
		}
	}
	return true
}
