package tokenizer

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"clipd/engine/tokenizer/runes"
)

// addSeeds adds texts that reach every fix.
func addSeeds(add func(text string)) {
	for _, text := range []string{
		"", " ", "a photo of a cat", "It's THEY'LL we've 3rd", "<|startoftext|>x<|EndOfText|>", "'\u017Fa <|\u017Ftartoftext|>",
		"&amp;lt;b&gt; &EACUTE; &#x41; &#150; &notit; &", "<b>&eacute;</b>\n&eacute;", "schÃ¶n dÃ©jÃ  vu â€œquotedâ€\u009D", "\u0081 ÐŸÑ€Ð¸Ð²ÐµÑ‚",
		"\u00ED\u00A0\u00BD\u00ED\u00B2\u00A9", "Ã©À\n", "\u0132\uFB03\uFF21\uFF76\uFF9E\u3000\u2018\u201F", "\r\n\u2028\u0085", "\x1B[31mred\x1B[0m\x00\uFEFF",
		"e\u0301\u0323", "\u1112\u1161\u11AB", "ΟΔΥΣΣΕΥΣ ΑΣ'Β \u0130", "a" + strings.Repeat("\u0316\u0301", 40), "\xFF\xED\xA0\x80", "日本語 1２3 👍🏽",
		strings.Repeat("x", 200), strings.Repeat("?!", 60), "a\u0345b",
	} {
		add(text)
	}
}

func FuzzAppend(f *testing.F) {
	addSeeds(func(text string) { f.Add(text, uint8(clipContext)) })
	f.Add("a photo of a cat", uint8(3))
	tok, err := New(clipVocabulary)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string, length uint8) {
		contextLength := int(length)
		ids := tok.Append(nil, text, contextLength)
		checkIDs(t, tok, text, contextLength, ids)
		if again := tok.Append(nil, text, contextLength); !slices.Equal(again, ids) {
			t.Errorf("%q gives %v, then %v", text, ids, again)
		}
		if contextLength < 2 {
			return
		}
		// The short way gives the same as the long one, and what line by line gives is what the whole text gives.
		long := tok.appendCleaned([]int32{tok.Start()}, text, contextLength-1)
		whole := tok.appendPieces([]int32{tok.Start()}, []byte(Clean(text)), contextLength-1)
		if !slices.Equal(long, ids[:len(ids)-1]) || !slices.Equal(whole, long) {
			t.Errorf("%q gives %v, line by line %v, as a whole %v", text, ids, long, whole)
		}
		// A longer context only adds ids.
		more := tok.Append(nil, text, contextLength+10)
		if !slices.Equal(more[:len(ids)-1], ids[:len(ids)-1]) {
			t.Errorf("%q gives %v, in a longer context %v", text, ids, more)
		}
	})
}

func FuzzClean(f *testing.F) {
	addSeeds(func(text string) { f.Add(text) })
	f.Fuzz(func(t *testing.T, text string) {
		clean := Clean(text)
		if !utf8.ValidString(clean) {
			t.Errorf("%q is clean %q, which is not UTF-8", text, clean)
		}
		if strings.TrimSpace(clean) != clean || strings.Contains(clean, "  ") {
			t.Errorf("%q is clean %q, with white space left", text, clean)
		}
		for _, r := range clean {
			if r != ' ' && runes.Is(r, runes.Space) {
				t.Errorf("%q is clean %q, with %U left", text, clean, r)
			}
		}
		if lower := string(appendLower(nil, clean)); lower != clean {
			t.Errorf("%q is clean %q, in lower case %q", text, clean, lower)
		}
		if again := Clean(text); again != clean {
			t.Errorf("%q is clean %q, then %q", text, clean, again)
		}
		// Cleaning twice changes nothing where no repair and no reference is at work; elsewhere lower case may make either.
		if isPlain(text) && Clean(clean) != clean {
			t.Errorf("%q is clean %q, cleaned twice %q", text, clean, Clean(clean))
		}
	})
}

// isPlain tells whether text has only characters that no repair touches.
func isPlain(text string) bool {
	for i := 0; i < len(text); i++ {
		if asciiClasses[text[i]] == notPlain {
			return false
		}
	}
	return true
}
