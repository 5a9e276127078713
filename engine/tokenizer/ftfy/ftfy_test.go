package ftfy

import (
	"strings"
	"testing"
)

// TestFix has an example for each fix; most are from the library's documentation, the oddities were tried with it.
func TestFix(t *testing.T) {
	check := func(in, want string) {
		t.Helper()
		if got := Fix(in); got != want {
			t.Errorf("Fix(%+q) = %+q, want %+q", in, got, want)
		}
	}
	check("", "")
	check("plain text\n", "plain text\n")

	// Character references.
	check("P&EACUTE;REZ &Ntilde; &nTILDE; &amp", "PÉREZ Ñ &nTILDE; &amp")
	check("BUNDESSTRA&SZLIG;E", "BUNDESSTRASSE")
	check("&lt;p&gt;", "<p>")
	check("&eacute;<\n&eacute;\n", "&eacute;<\n&eacute;\n")
	check("&eacute;\n<&eacute;\n&eacute;", "é\n<&eacute;\n&eacute;")
	check("&#x3b;&#65a;&#xZ;&#65;&#150;", "&#x3b;&#65a;&#xZ;A–")

	// Mojibake.
	check("âœ” No problems", "✔ No problems")
	check("&macr;\\_(ã\u0083\u0084)_/&macr;", "¯\\_(ツ)_/¯")
	check("voilÃ le travail", "voilà le travail")
	check("Ã la carte, Ã s", "à la carte, à s")
	check("â€œ like this â€\uFFFD", "\" like this \uFFFD")
	check("\u00ED\u00A0\u00BD\u00ED\u00B2\u00A9", "💩")
	check("l’humanitÃ© 日本", "l'humanité 日本")
	check("Ã©À\n", "é")
	check("\u0085 and \u0081", "… and \u0081")

	// Characters.
	check("ﬂuﬃeﬆ ŉ", "fluffiest 'n")
	check("ＬＯＵＤ　ＮＯＩＳＥＳ Ｕﾀｰﾝ ﾊﾟ", "LOUD NOISES Uターン パ")
	check("\u201Chere\u2019s a test\u201D", "\"here's a test\"")
	check("a\r\nb\rc\u2028d\u2029e", "a\nb\nc\nd\ne")
	check("\x1B[36;44mI'm blue\x1B[0m\x1B[", "I'm blue[")
	check("\uFEFFa\x00b\x7F\u206Ac\u200D", "abc\u200D")

	// Normalization.
	check("e\u0301\u0323 \u1112\u1161\u11AB \u212B", "ẹ\u0301 한 Å")
}

// TestLongMarks checks runs of combining marks beyond what the norm package leaves whole.
func TestLongMarks(t *testing.T) {
	check := func(in, want string) {
		t.Helper()
		if got := Fix(in); got != want {
			t.Errorf("Fix(%+q) = %+q, want %+q", in, got, want)
		}
	}
	const below, above = "\u0316", "\u0301"
	check("a"+strings.Repeat(below+above, 40), "á"+strings.Repeat(below, 40)+strings.Repeat(above, 39))
	check("가"+strings.Repeat(above, 40)+"\u11A8", "가"+strings.Repeat(above, 40)+"\u11A8")
	check("가\u11A8"+strings.Repeat(above, 40), "각"+strings.Repeat(above, 40))
	check(strings.Repeat(above, 40)+"e\u0301", strings.Repeat(above, 40)+"é")
	check(strings.Repeat("\u0344", 20)+"\u0340", strings.Repeat("\u0308\u0301", 20)+"\u0300")
}

// TestUnassigned checks that characters newer than Unicode 14.0 stay as and where they are: U+10EFD is a mark since 15.0.
func TestUnassigned(t *testing.T) {
	const text = "a\u0301\U00010EFD\u0316\u0301"
	if got, want := Fix(text), "á\U00010EFD\u0316\u0301"; got != want {
		t.Errorf("Fix(%+q) = %+q, want %+q", text, got, want)
	}
}

// TestSegments checks where lines and parts of lines end.
func TestSegments(t *testing.T) {
	check := func(text string, want ...int) {
		t.Helper()
		var got []int
		segments := NewSegments(text)
		for segment, ok := segments.Next(); ok; segment, ok = segments.Next() {
			got = append(got, len([]rune(segment)))
		}
		if len(got) != len(want) {
			t.Fatalf("segments of %v characters, want %v", got, want)
		}
		for i := range got {
			if got[i] != want[i] {
				t.Fatalf("segments of %v characters, want %v", got, want)
			}
		}
	}
	check("")
	check("a\n\nb", 2, 1, 1)
	check(strings.Repeat("a", maxSegment), maxSegment)
	check(strings.Repeat("é", maxSegment+5)+"\nab", maxSegment, 6, 2)
}

// TestPasses checks that repetitions end: at once for ordinary texts, at the budget for endlessly nested ones.
func TestPasses(t *testing.T) {
	spent := func(text string) int {
		f := fixer{unescape: true, passes: newPasses(len(text))}
		before := f.passes.left
		f.segment(text)
		return before - f.passes.left
	}
	if n := spent("a photo of a café"); n != 0 {
		t.Errorf("an ordinary text is gone through again over %d bytes", n)
	}
	nested := "&" + strings.Repeat("amp;", 200)
	if got := Fix(nested); got != "&" {
		t.Errorf("a reference in 200 others gives %q", got)
	}
	hostile := "&" + strings.Repeat("amp;", 1<<16)
	if n, most := spent(hostile), basePasses+(passesPerByte+1)*len(hostile); n > most {
		t.Errorf("%d bytes are gone through again over %d bytes, want at most %d", len(hostile), n, most)
	}
}

// TestBadnessRules checks that the window is long enough and that no rule has only ordinary characters.
func TestBadnessRules(t *testing.T) {
	for i, rule := range badness {
		named := false
		for _, c := range rule {
			if c == 0 {
				t.Errorf("rule %d has an empty category", i)
			}
			named = named || c&generalCategories == 0
		}
		if !named || len(rule) > windowSize {
			t.Errorf("rule %d: named %v, %d characters", i, named, len(rule))
		}
	}
}

func TestIsBad(t *testing.T) {
	check := func(text string, want bool) {
		t.Helper()
		if got := isBad(text); got != want {
			t.Errorf("isBad(%+q) = %v, want %v", text, got, want)
		}
	}
	check("", false)
	check("un café très agréable – déjà vu… 30 °C, £5", false)
	check("Привет, мир; Ελληνικά; Łódź", false)
	check("Ã©", true)
	check("\u0080", true)
	check("Â x", true)   // at the start
	check(" Â x", false) // not at the start, not after a letter
	check("x Â x", true)
	check("ГўВЂВ™s", true)
	check("вЂ", true)
	check("œ.", true)
	check("œuvre", false)
	check("œ", false)
	check("é™a", true)
	check("é™ a", false)
}
