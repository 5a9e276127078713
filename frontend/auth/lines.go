package auth

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// maxMistakes is how many mistakes of a keys file are told; nobody reads more at once.
const maxMistakes = 10

// ring collects entries and refuses names and secrets that stand there twice.
type ring struct {
	entries  []Entry
	names    map[string]string            // where each stands, such as keys.txt:3
	hashes   map[[sha256.Size]byte]string // the same
	mistakes []error
}

func newRing() *ring {
	return &ring{names: map[string]string{}, hashes: map[[sha256.Size]byte]string{}}
}

// clone returns a ring of its own with the same entries.
func (r *ring) clone() *ring {
	return &ring{slices.Clone(r.entries), maps.Clone(r.names), maps.Clone(r.hashes), slices.Clone(r.mistakes)}
}

// fromFile adds the lines of a keys file.
func (r *ring) fromFile(path, data string) {
	for i, line := range strings.Split(strings.TrimPrefix(data, "\ufeff"), "\n") {
		r.add(fmt.Sprintf("%s:%d", path, i+1), line, false)
	}
}

// fromEnv adds the lines of an environment variable, which a semicolon ends as well.
func (r *ring) fromEnv(name, value string) {
	for i, line := range strings.Split(strings.ReplaceAll(value, ";", "\n"), "\n") {
		r.add(fmt.Sprintf("$%s:%d", name, i+1), line, true)
	}
}

func (r *ring) add(at, line string, plain bool) {
	line = strings.TrimSpace(line)
	if line == "" || line[0] == '#' {
		return
	}
	e, err := parseEntry(line, plain)
	if err != nil {
		r.mistakes = append(r.mistakes, fmt.Errorf("%s: %w", at, err))
		return
	}
	if before, twice := r.names[e.Name]; twice {
		r.mistakes = append(r.mistakes, fmt.Errorf("%s: a key has the same name as the one on %s; every key needs a name of its own", at, before))
		return
	}
	if before, twice := r.hashes[e.Hash]; twice {
		r.mistakes = append(r.mistakes, fmt.Errorf("%s: the key is the same as the one on %s; every name needs a key of its own", at, before))
		return
	}
	r.names[e.Name], r.hashes[e.Hash], e.at = at, at, at
	r.entries = append(r.entries, e)
}

// err returns the mistakes, or nil.
func (r *ring) err() error {
	if more := len(r.mistakes) - maxMistakes; more > 0 {
		return errors.Join(append(r.mistakes[:maxMistakes:maxMistakes], fmt.Errorf("and %d more mistakes", more))...)
	}
	return errors.Join(r.mistakes...)
}
