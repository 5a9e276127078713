package ftfy

// restoreByteA0 puts byte 0xA0 back where it became a space and UTF-8 would be right with it. The bytes come from a text
// that looks bad. "\xC3 " becomes a whole "à" and keeps its space, but for the Portuguese words that start with it.
func restoreByteA0(in []byte) []byte {
	in = separateGraveA(in)
	out := in
	copied := false
	for i := 0; i < len(in); {
		n := alteredUTF8(in[i:])
		if n == 0 {
			i++
			continue
		}
		if !copied {
			out = append([]byte(nil), in...)
			copied = true
		}
		for j := i; j < i+n; j++ {
			if in[j] == ' ' {
				out[j] = 0xA0
			}
		}
		i += n
	}
	return out
}

// separateGraveA replaces "\xC3 " with "\xC3\xA0 ", unless what follows makes it part of a word (A_GRAVE_WORD_RE).
func separateGraveA(in []byte) []byte {
	var out []byte
	start := 0
	for i := 0; i+1 < len(in); i++ {
		if in[i] != 0xC3 || in[i+1] != ' ' || continuesGraveA(in[i+2:]) {
			continue
		}
		out = append(out, in[start:i]...)
		out = append(out, 0xC3, 0xA0, ' ')
		i++
		start = i + 1
	}
	if out == nil {
		return in
	}
	return append(out, in[start:]...)
}

func continuesGraveA(rest []byte) bool {
	for _, word := range []string{" ", "quele", "quela", "quilo", "s "} {
		if len(rest) >= len(word) && string(rest[:len(word)]) == word {
			return true
		}
	}
	return false
}

// alteredUTF8 returns the length of the sequence at the start of in that would be UTF-8 if its one space were byte 0xA0
// (ALTERED_UTF8_RE), or 0. Sequences that give unlikely characters are left out.
func alteredUTF8(in []byte) int {
	if len(in) < 2 {
		return 0
	}
	switch lead := in[0]; {
	case lead == 0xC2 || lead == 0xC3 || lead == 0xC5 || lead == 0xCE || lead == 0xD0 || lead == 0xD9:
		if in[1] == ' ' {
			return 2
		}
	case 0xE0 <= lead && lead <= 0xE3 && len(in) >= 3:
		if lead >= 0xE2 && in[1] == ' ' && isTextContinuation(in[2]) || isTextContinuation(in[1]) && in[2] == ' ' {
			return 3
		}
	case lead == 0xF0 && len(in) >= 4:
		for space := 1; space <= 3; space++ {
			fits := true
			for i := 1; i <= 3; i++ {
				fits = fits && (i == space && in[i] == ' ' || i != space && isContinuation(in[i]))
			}
			if fits {
				return 4
			}
		}
	}
	return 0
}

// isTextContinuation excludes the continuation bytes 0x85 and 0xA0, which stand for white space themselves.
func isTextContinuation(b byte) bool { return isContinuation(b) && b != 0x85 && b != 0xA0 }

// replaceLossySequences replaces UTF-8 sequences in which a byte was lost, now a substitute or "?", with the UTF-8 of
// U+FFFD (LOSSY_UTF8_RE).
func replaceLossySequences(in []byte) []byte {
	var out []byte
	start := 0
	for i := 0; i < len(in); {
		n := lossySequence(in[i:])
		if n == 0 {
			i++
			continue
		}
		out = append(out, in[start:i]...)
		out = append(out, "\uFFFD"...)
		i += n
		start = i
	}
	if out == nil {
		return in
	}
	return append(out, in[start:]...)
}

// lossySequence returns the length of the damaged sequence at the start of in, or 0. At most one byte of it may be "?".
func lossySequence(in []byte) int {
	lead := in[0]
	switch {
	case lead == substitute:
		return 1
	case 0xC2 <= lead && lead <= 0xDF && len(in) >= 2:
		if in[1] == substitute || lead <= 0xC3 && in[1] == '?' {
			return 2
		}
	case 0xE0 <= lead && lead <= 0xEF:
		if isLossySurrogates(in) {
			return 6
		}
		if isLossy(in, 3) {
			return 3
		}
	case 0xF0 <= lead && lead <= 0xF4:
		if isLossy(in, 4) {
			return 4
		}
	}
	return 0
}

// isLossy tells whether the n-1 bytes after the lead are continuations or lost, one at least lost, and one at most "?".
func isLossy(in []byte, n int) bool {
	if len(in) < n {
		return false
	}
	lost, marks := 0, 0
	for _, b := range in[1:n] {
		switch {
		case b == '?':
			marks++
			lost++
		case b == substitute:
			lost++
		case !isContinuation(b):
			return false
		}
	}
	return lost > 0 && marks <= 1
}

// isLossySurrogates tells whether in starts with a CESU-8 pair in which the last byte of one surrogate or of both was lost.
func isLossySurrogates(in []byte) bool {
	if len(in) < 6 || in[0] != 0xED || in[1]&0xF0 != 0xA0 || in[3] != 0xED || in[4]&0xF0 != 0xB0 {
		return false
	}
	isLost := func(b byte) bool { return b == substitute || b == '?' }
	first, second := in[2], in[5]
	return isLost(first) && (isLost(second) || isContinuation(second)) || isContinuation(first) && isLost(second)
}
