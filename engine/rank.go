package engine

import (
	"math"
	"sort"
)

// Rank is the standing of one candidate among those of its query.
type Rank struct {
	Index   int     // of the candidate
	Cosine  float32 // of query and candidate, -1..1
	Softmax float64 // over all candidates, of the model's logit scale times the cosine
}

// rankEpsilon keeps the cosine of zero vectors defined; CLIP-as-service adds it to product and norms alike.
const rankEpsilon = 1e-7

// Cosine returns clamp((q·c + ε) / (|q||c| + ε), -1, 1). Sums are taken in float64, so that their order does not matter,
// and the result goes through the float32 distance 1 - cosine, as in the reference: candidates that
// differ by a factor only are then equal instead of being ordered by what ε adds.
func Cosine(q, c []float32) float32 {
	var dot, qq, cc float64
	for i, v := range q {
		x, y := float64(v), float64(c[i])
		dot += x * y
		qq += x * x
		cc += y * y
	}
	cosine := (dot + rankEpsilon) / (math.Sqrt(qq)*math.Sqrt(cc) + rankEpsilon)
	return 1 - float32(1-max(-1, min(1, cosine)))
}

// Order ranks candidates against a query, best first; equal ones keep their order. The softmax is taken in
// float64 with the maximum subtracted, and sorted by before any rounding: in float32 small values become 0 and tie.
func Order(query []float32, candidates [][]float32, logitScale float32) []Rank {
	ranks := make([]Rank, len(candidates))
	top := math.Inf(-1)
	for i, c := range candidates {
		ranks[i] = Rank{Index: i, Cosine: Cosine(query, c)}
		top = max(top, float64(logitScale)*float64(ranks[i].Cosine))
	}
	sum := 0.0
	for i := range ranks {
		ranks[i].Softmax = math.Exp(float64(logitScale)*float64(ranks[i].Cosine) - top)
		sum += ranks[i].Softmax
	}
	for i := range ranks {
		ranks[i].Softmax /= sum
	}
	sort.SliceStable(ranks, func(i, j int) bool { return ranks[i].Softmax > ranks[j].Softmax })
	return ranks
}
