package ftfy

// windowSize is a power of two above the length of every badness rule.
const windowSize = 8

// isBad tells whether text contains a sequence that is likely mojibake.
func isBad(text string) bool {
	var window [windowSize]category // of the last characters, a ring
	window[0] = textStart
	// Every rule has a named character, so that nothing needs checking once the last of them has left the window.
	sinceNamed := windowSize
	n := 1
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

// endsBadSequence tells whether one of the rules fits the characters up to number n of the window.
func endsBadSequence(window *[windowSize]category, n int) bool {
	last := window[n%windowSize]
nextRule:
	for _, rule := range badness {
		if last&rule[len(rule)-1] == 0 || len(rule) > n+1 {
			continue
		}
		for i, want := range rule[:len(rule)-1] {
			if window[(n-len(rule)+1+i)%windowSize]&want == 0 {
				continue nextRule
			}
		}
		return true
	}
	return false
}
