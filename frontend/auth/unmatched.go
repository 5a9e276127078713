package auth

// Unmatched is a key that may use only models that nobody serves.
type Unmatched struct {
	Key    string
	At     string // where its line stands, such as keys.txt:3
	Models []string
}

// Unmatched returns the keys whose models= names none of the names by which models are chosen. Every request with such a
// key is refused: a misspelt name looks like that, but so does a line for another server that shares the file.
func (k *Keys) Unmatched(names []string) []Unmatched {
	if k == nil {
		return nil
	}
	var all []Unmatched
	for _, key := range k.set.Load().keys {
		if models := *key.models.Load(); len(models) > 0 && key.MayUseAny(names...) != nil {
			all = append(all, Unmatched{Key: key.name, At: *key.at.Load(), Models: models})
		}
	}
	return all
}
