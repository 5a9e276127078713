package registry

import "sort"

// nearest gives the three loadable names that take the fewest changes of a letter.
func nearest(wanted string, r *registry) []string {
	type candidate struct {
		name     string
		distance int
	}
	var all []candidate
	for _, c := range r.Checkpoints {
		if c.Unsupported == "" {
			all = append(all, candidate{c.Name, distance(wanted, key(c.Name))})
		}
	}
	sort.Slice(all, func(i, j int) bool {
		if all[i].distance != all[j].distance {
			return all[i].distance < all[j].distance
		}
		return all[i].name < all[j].name
	})
	var names []string
	for _, c := range all[:min(3, len(all))] {
		names = append(names, c.name)
	}
	return names
}

// distance is Levenshtein's. Names are compared up to 64 bytes, so that a long wrong one costs little.
func distance(a, b string) int {
	const longest = 64
	a, b = a[:min(len(a), longest)], b[:min(len(b), longest)]
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			next := min(diagonal+cost, row[j]+1, row[j+1]+1)
			diagonal, row[j+1] = row[j+1], next
		}
	}
	return row[len(b)]
}
