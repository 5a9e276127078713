package auth

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Entry is one line of a keys file.
type Entry struct {
	Name string
	Hash [sha256.Size]byte
	Limits

	at string // where the line stands, such as keys.txt:3; "" outside of a file or variable
}

// Limits are what a key may do.
type Limits struct {
	Rate       Rate     // of requests
	Documents  Rate     // of documents in them
	Concurrent int      // requests in progress; 0 = no limit
	Models     []string // by the names that requests choose them with; none = every model
	Priority   Priority // of requests
}

var keyName = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,64}$`)

// CheckName says whether a key may have the name.
func CheckName(name string) error {
	if !keyName.MatchString(name) {
		return errors.New("a key's name has 1 to 64 characters out of letters, digits, _, . and -")
	}
	return nil
}

// hashForm is how a stored hash begins.
const hashForm = "sha256:"

// plainForm stands before a secret itself, in the environment only.
const plainForm = "plain:"

// String returns the line of a keys file.
func (e Entry) String() string {
	line := e.Name + " " + hashForm + hex.EncodeToString(e.Hash[:])
	if limits := e.Limits.String(); limits != "" {
		line += " " + limits
	}
	return line
}

// String returns the limits as they stand in a keys file; nothing when there are none.
func (l Limits) String() string {
	var words []string
	if l.Rate.Count > 0 {
		words = append(words, "rate="+l.Rate.String())
	}
	if l.Documents.Count > 0 {
		words = append(words, "documents="+l.Documents.String())
	}
	if l.Concurrent > 0 {
		words = append(words, "concurrent="+strconv.Itoa(l.Concurrent))
	}
	if len(l.Models) > 0 {
		words = append(words, "models="+strings.Join(l.Models, ","))
	}
	if l.Priority != AlwaysNormal {
		words = append(words, "priority="+l.Priority.String())
	}
	return strings.Join(words, " ")
}

// Set sets one limit by its name in a keys file.
func (l *Limits) Set(option, value string) (err error) {
	switch option {
	case "rate":
		l.Rate, err = ParseRate(value)
	case "documents":
		l.Documents, err = ParseRate(value)
	case "concurrent":
		n, bad := strconv.Atoi(value)
		if bad != nil || n < 1 || n > maxCount {
			return fmt.Errorf("concurrent is a number of requests from 1 to %d, not %q", maxCount, shorten(value))
		}
		l.Concurrent = n
	case "models":
		names := strings.Split(value, ",")
		for i, name := range names {
			if name == "" || strings.ContainsAny(name, " \t#") {
				return fmt.Errorf("models is a list of names with commas and no blanks, such as a,b; name %d of %q is none", i+1, shorten(value))
			}
		}
		slices.Sort(names)
		l.Models = slices.Compact(names)
	case "priority":
		l.Priority, err = ParsePriority(value)
	default:
		return errUnknownLimit
	}
	if err != nil {
		return fmt.Errorf("%s is %w", option, err)
	}
	return nil
}

var errUnknownLimit = errors.New("the limits of a key are rate=, documents=, concurrent=, models= and priority=")

// parseEntry reads a line, which holds something. Its errors repeat nothing that could be a secret in the wrong place.
func parseEntry(line string, plain bool) (Entry, error) {
	var e Entry
	words := strings.Fields(line)
	if i := slices.IndexFunc(words, func(w string) bool { return strings.HasPrefix(w, "#") }); i >= 0 {
		words = words[:i]
	}
	e.Name = words[0]
	if err := CheckName(e.Name); err != nil {
		return e, fmt.Errorf("the line begins with no name: %w", err)
	}
	if len(words) < 2 {
		return e, fmt.Errorf("the line has one word; it must be a name and a hash, as in: web %s<64 hexadecimal digits>; `clipd key new` prints it", hashForm)
	}
	hash, err := parseHash(words[1], plain)
	if err != nil {
		return e, err
	}
	e.Hash = hash
	seen := map[string]bool{}
	for i, word := range words[2:] {
		option, value, found := strings.Cut(word, "=")
		if seen[option] {
			return e, fmt.Errorf("%s= stands twice in the line", option)
		}
		if !found {
			option = ""
		}
		if err := e.Limits.Set(option, value); errors.Is(err, errUnknownLimit) {
			return e, fmt.Errorf("word %d of the line is no limit: %w", i+3, err)
		} else if err != nil {
			return e, err
		}
		seen[option] = true
	}
	return e, nil
}

// parseHash reads the second word of a line.
func parseHash(word string, plain bool) ([sha256.Size]byte, error) {
	var hash [sha256.Size]byte
	if secret, found := strings.CutPrefix(word, plainForm); found {
		if !plain {
			return hash, errors.New("plain: is read from the environment only, so that no file holds a secret; `clipd key hash NAME` makes the line for a file")
		}
		return Hash(secret)
	}
	digits, found := strings.CutPrefix(word, hashForm)
	if !found {
		return hash, fmt.Errorf("the second word must be %s and 64 hexadecimal digits, not the key itself; `clipd key hash NAME` makes it from a key", hashForm)
	}
	if len(digits) != hex.EncodedLen(len(hash)) {
		return hash, fmt.Errorf("%s must be followed by 64 hexadecimal digits; there are %d characters", hashForm, len(digits))
	}
	if _, err := hex.Decode(hash[:], []byte(digits)); err != nil {
		return hash, fmt.Errorf("%s must be followed by 64 hexadecimal digits (0-9, a-f); there are other characters", hashForm)
	}
	return hash, nil
}

// shorten cuts a value for an error.
func shorten(s string) string {
	const most = 64
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
