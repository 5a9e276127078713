package auth

import (
	"fmt"
	"strings"

	"clipd/frontend/fault"
)

// Priority says which priority the requests of a key have, and may ask for.
type Priority int

// The priorities of a key.
const (
	AlwaysNormal  Priority = iota // normal, and high is refused
	HighOnRequest                 // normal unless a request asks for high
	High                          // high unless a request asks for normal
)

// priorityWords are what stands in a keys file.
var priorityWords = [...]string{AlwaysNormal: "normal", HighOnRequest: "on-request", High: "high"}

// String returns the word of a keys file.
func (p Priority) String() string { return priorityWords[p] }

// ParsePriority reads the word of a keys file.
func ParsePriority(word string) (Priority, error) {
	for p, known := range priorityWords {
		if word == known {
			return Priority(p), nil
		}
	}
	return 0, fmt.Errorf("one of %s, not %q", strings.Join(priorityWords[:], ", "), shorten(word))
}

// High says whether a request with the key goes before others: as the request asks ("high" or "normal") or, when it asks
// for nothing (""), as the key's line says. A request that asks for what the key may not have is a fault.Forbidden. A nil
// *Key may have both.
func (k *Key) High(asked string) (bool, error) {
	mine := HighOnRequest
	if k != nil {
		mine = Priority(k.priority.Load())
	}
	if asked == "" {
		return mine == High, nil
	}
	if high := asked == "high"; !high || mine != AlwaysNormal {
		return high, nil
	}
	return false, fault.New(fault.Forbidden, "the key %q may not ask for high priority; leave the priority out, or give the key's line priority=on-request or priority=high",
		k.name)
}
