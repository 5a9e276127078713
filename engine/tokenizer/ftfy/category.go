package ftfy

import (
	"unicode/utf8"

	"clipd/engine/tokenizer/runes"
)

// category is a set of classes that a character is in, as the badness heuristic names them.
type category uint64

// The first are the categories of ftfy/badness.py (MOJIBAKE_CATEGORIES), the next hold for any character, and the last are
// single characters and small classes that single rules name.
const (
	common category = 1 << iota
	c1
	bad
	law
	currency
	startPunctuation
	endPunctuation
	numeric
	kaomoji
	upperAccented
	lowerAccented
	upperCommon
	lowerCommon
	box

	asciiLower
	asciiUpper
	space
	whiteSpace // `\s`
	word       // `\w`
	notASCIILetter
	notLineFeed
	textStart // no character: the place before the first

	sentenceEnd      // .,?!
	ligatureOE       // Œœ
	degree           // °
	superscript      // ²³
	multiplication   // ×
	lead1252         // ÂÃÎÐ
	trail1252        // what may follow them in Windows-1252, punctuation aside
	leadArabic       // ØÙ
	trailArabic      // ŸŠ®°µ»
	graveA           // à
	trailSouthAsian  // ²µ¹¼½¾
	squareRoot       // √
	trailSquareRoot  // ±∂†≠®™´≤≥¥µø
	almostEqual      // ≈
	trailAlmostEqual // °¢
	lowQuote         // ‚
	diaeresisA       // Ä
	trailDiaeresisA  // ìîïòôúùû†°¢π
	lowQuoteSecond   // âó
	lowQuoteThird    // àä°ê
	lead1251         // ВГРС
	micro            // µ
	smallVe          // в
	capitalVe        // В
	capitalGhe       // Г
	shortU           // ў
	dje              // Ђ
	tildeA           // Ã
	trailTildeA      // U+00A0 and ¡
	circumflexA      // Â
	smallBeta        // β
	euro             // €
	trailBeta        // ™, U+00A0, Ά, U+00AD, ®, °
	lead1253         // ΒΓΞΟ
	macronA          // ā
)

// namedCategories holds the members of each category that only some characters are in.
var namedCategories = map[category]string{
	common:           charsCommon,
	c1:               charsC1,
	bad:              charsBad,
	law:              charsLaw,
	currency:         charsCurrency,
	startPunctuation: charsStartPunctuation,
	endPunctuation:   charsEndPunctuation,
	numeric:          charsNumeric,
	kaomoji:          charsKaomoji,
	upperAccented:    charsUpperAccented,
	lowerAccented:    charsLowerAccented,
	upperCommon:      charsUpperCommon,
	lowerCommon:      charsLowerCommon,
	box:              charsBox,

	ligatureOE:       "Œœ",
	degree:           "°",
	superscript:      "²³",
	multiplication:   "×",
	lead1252:         "ÂÃÎÐ",
	trail1252:        "€œŠš¢£Ÿž\u00A0\u00AD®©°·»–—´",
	leadArabic:       "ØÙ",
	trailArabic:      "ŸŠ®°µ»",
	graveA:           "à",
	trailSouthAsian:  "²µ¹¼½¾",
	squareRoot:       "√",
	trailSquareRoot:  "±∂†≠®™´≤≥¥µø",
	almostEqual:      "≈",
	trailAlmostEqual: "°¢",
	lowQuote:         "‚",
	diaeresisA:       "Ä",
	trailDiaeresisA:  "ìîïòôúùû†°¢π",
	lowQuoteSecond:   "âó",
	lowQuoteThird:    "àä°ê",
	lead1251:         "ВГРС",
	micro:            "µ",
	smallVe:          "в",
	capitalVe:        "В",
	capitalGhe:       "Г",
	shortU:           "ў",
	dje:              "Ђ",
	tildeA:           "Ã",
	trailTildeA:      "\u00A0¡",
	circumflexA:      "Â",
	smallBeta:        "β",
	euro:             "€",
	trailBeta:        "™\u00A0Ά\u00AD®°",
	lead1253:         "ΒΓΞΟ",
	macronA:          "ā",
}

// clue says which bytes of UTF-8 a character may stand for in one of the charmaps (UTF8_CLUES).
type clue uint8

const (
	firstOf2 clue = 1 << iota
	firstOf3
	firstOf4
	continuation       // also a space, for byte 0xA0
	strictContinuation // that hardly stands for itself beside mojibake
)

// traits is what the encoding fixes know about a character.
type traits struct {
	category category
	charmaps charmapSet // the encodings that can hold it; for characters above ASCII
	clue     clue
}

// characters holds every character above ASCII that is in a named category, so that a text without any is never bad.
var characters = newCharacters()

func newCharacters() map[rune]category {
	named := make(map[rune]category)
	for c, members := range namedCategories {
		for _, r := range members {
			named[r] |= c
		}
	}
	return named
}

// categories holds the traits of each character but those that category classes like `\w` give.
var categories = newCategories()

func newCategories() *runes.Table[traits] {
	all := make(map[rune]traits)
	for r, c := range characters {
		t := all[r]
		t.category |= c
		all[r] = t
	}
	for r, set := range newCharmapSets() {
		t := all[r]
		t.charmaps = set
		all[r] = t
	}
	for c, members := range map[clue]string{
		firstOf2: utf8FirstOf2, firstOf3: utf8FirstOf3, firstOf4: utf8FirstOf4,
		continuation: utf8Continuation, strictContinuation: utf8ContinuationStrict,
	} {
		for _, r := range members {
			t := all[r]
			t.clue |= c
			all[r] = t
		}
	}
	for r := range rune(utf8.RuneSelf) {
		t := all[r]
		t.category |= asciiCategory(r)
		all[r] = t
	}
	table := runes.NewTable[traits]()
	for r, t := range all {
		table.Set(r, r+1, t)
	}
	return table
}

func asciiCategory(r rune) category {
	switch {
	case 'a' <= r && r <= 'z':
		return asciiLower
	case 'A' <= r && r <= 'Z':
		return asciiUpper
	case r == ' ':
		return space
	case r == '.' || r == ',' || r == '?' || r == '!':
		return sentenceEnd
	}
	return 0
}

// categoryOf returns every category of r.
func categoryOf(r rune) category {
	c := categories.At(r).category
	p := runes.Of(r)
	if p&runes.PythonWord != 0 {
		c |= word
	}
	if p&runes.PythonSpace != 0 {
		c |= whiteSpace
	}
	if c&(asciiLower|asciiUpper) == 0 {
		c |= notASCIILetter
	}
	if r != '\n' {
		c |= notLineFeed
	}
	return c
}
