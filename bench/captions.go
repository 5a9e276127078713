package bench

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
)

// Styles are the kinds of texts that Captions writes.
var Styles = []string{"caption", "short", "long"}

// words draws how many words a text has.
//
// Captions follow MS COCO's: ten or eleven words on average, few below eight, a tail above twenty. Short texts are like
// search queries, long ones fill CLIP's 77 tokens or nearly so.
func words(style string, rnd *rand.Rand) int {
	switch style {
	case "short":
		return 2 + rnd.IntN(4)
	case "long":
		return 45 + rnd.IntN(26)
	}
	return min(max(int(math.Round(10*math.Exp(rnd.NormFloat64()*0.22))), 6), 40)
}

var (
	subjects = list("dog|cat|man|woman|child|bird|horse|train|boat|bicycle|car|zebra|kite|bus|cow|surfer|giraffe|skier|truck|sheep|player|couple|motorcycle|plate|table|bear|elephant|chef|clock|bench")
	before   = list("a|the|one|an old|a small|a young|a wet|a large|a brown|a white|two|some|a red|a lonely")
	doing    = list("standing|sitting|running|waiting|resting|moving|looking back|lying down|parked|jumping|sleeping|walking slowly|turning")
	places   = list("on the beach|in the snow|next to a tree|near a bridge|in front of a house|on a street|behind a fence|in a field|under the sky|by the water|inside a kitchen|at a station|over the grass|beside a window|on top of a hill")
	more     = list("at night|in the rain|with other people|in black and white|on a sunny day|with a red umbrella|while somebody takes a picture|and a bottle of water|during the summer|as a crowd looks on|holding a phone|with mountains far away|and nobody else around|next to an open door|covered with leaves|that belongs to a neighbour")
)

func list(s string) []string { return strings.Split(s, "|") }

// Captions returns n texts of a style (one of Styles), different as far as the style allows. The same seed gives the
// same texts.
func Captions(n int, style string, seed uint64) ([]string, error) {
	if !slices.Contains(Styles, style) {
		return nil, fmt.Errorf("texts %q are not known; there are %s", style, strings.Join(Styles, ", "))
	}
	rnd := rand.New(rand.NewPCG(seed, 1))
	pick := func(from []string) string { return from[rnd.IntN(len(from))] }
	seen := make(map[string]bool, n)
	texts := make([]string, 0, n)
	for tries := 0; len(texts) < n; tries++ {
		want := words(style, rnd)
		said := strings.Fields(pick(before) + " " + pick(subjects) + " " + pick(doing) + " " + pick(places))
		for len(said) < want {
			said = append(said, strings.Fields(pick(more))...)
		}
		text := strings.Join(said[:want], " ")
		if seen[text] && tries < 20*n { // queries of two words are soon used up
			continue
		}
		seen[text] = true
		texts = append(texts, text)
	}
	return texts, nil
}
