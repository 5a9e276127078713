package tokenizer

// The literal markers. In a text they give the ids of the markers themselves.
const (
	startMarker = "<|startoftext|>"
	endMarker   = "<|endoftext|>"
)

// marker returns the id and the length of the literal marker that text, which is not empty, starts with, capitals and
// small letters being equal.
func (t *Tokenizer) marker(text string) (id int32, length int, ok bool) {
	if text[0] != '<' {
		return 0, 0, false
	}
	if hasPrefixFold(text, startMarker) {
		return t.start, len(startMarker), true
	}
	if hasPrefixFold(text, endMarker) {
		return t.end, len(endMarker), true
	}
	return 0, 0, false
}

// hasPrefixFold tells whether text starts with prefix, which is in small letters, when its ASCII capitals count as small.
func hasPrefixFold(text, prefix string) bool {
	if len(text) < len(prefix) {
		return false
	}
	for i := 0; i < len(prefix); i++ {
		c := text[i]
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != prefix[i] {
			return false
		}
	}
	return true
}
