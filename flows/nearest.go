package flows

import "strings"

// nearest returns the candidate most like word, or "" when none is near: at most one edit for each three letters. An
// edit is a letter more, less, changed, or two neighbours exchanged.
func nearest(word string, candidates []string) string {
	word = strings.ToLower(word)
	if len(word) > 64 {
		return ""
	}
	best, bestDistance := "", 0
	for _, c := range candidates {
		d := editDistance(word, strings.ToLower(c))
		if d <= max(1, max(len(word), len(c))/3) && (best == "" || d < bestDistance) {
			best, bestDistance = c, d
		}
	}
	return best
}

// editDistance is the optimal string alignment distance of two short ASCII words.
func editDistance(a, b string) int {
	// rows[i%3][j]: edits from a[:i] to b[:j]
	var rows [3][]int
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		row, above, above2 := rows[i%3], rows[(i+2)%3], rows[(i+1)%3]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(above[j]+1, row[j-1]+1, above[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], above2[j-2]+1)
			}
		}
	}
	return rows[len(a)%3][len(b)]
}
