package auth

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
)

const (
	// secretPrefix makes a key recognisable to people, and to scanners that look for secrets in public places.
	secretPrefix = "clipd_"
	secretBytes  = 32 // of a new key, before base64

	leastSecret   = 16  // characters of a secret from elsewhere: 64 bits even when they are only hexadecimal digits
	leastDistinct = 8   // different characters in it, so that "aaaaaaaaaaaaaaaa" is none
	mostSecret    = 512 // characters, far below what the doors take for a header
)

// NewSecret makes a key of 256 random bits, in letters, digits, - and _.
func NewSecret() string {
	b := make([]byte, secretBytes)
	rand.Read(b) // never fails: it ends the program when the system has no randomness
	return secretPrefix + base64.RawURLEncoding.EncodeToString(b)
}

// Hash returns what is stored of a secret. It refuses one that could be guessed, or that cannot travel in a header; the
// error does not repeat it.
func Hash(secret string) ([sha256.Size]byte, error) {
	fail := func(format string, args ...any) ([sha256.Size]byte, error) {
		return [sha256.Size]byte{}, fmt.Errorf(format, args...)
	}
	distinct := map[byte]bool{}
	for i := range len(secret) {
		if c := secret[i]; c <= ' ' || c > '~' {
			return fail("character %d of the secret is a blank or not printable ASCII, and cannot travel in a header as it is", i+1)
		}
		distinct[secret[i]] = true
	}
	switch {
	case len(secret) < leastSecret:
		return fail("the secret has %d characters; it needs at least %d, because it is stored with a fast hash and shorter ones can be guessed; `clipd key new` makes a good one",
			len(secret), leastSecret)
	case len(secret) > mostSecret:
		return fail("the secret has %d characters; it may have %d", len(secret), mostSecret)
	case len(distinct) < leastDistinct:
		return fail("the secret has only %d different characters; it needs at least %d, because it is stored with a fast hash and simple ones can be guessed; `clipd key new` makes a good one",
			len(distinct), leastDistinct)
	}
	return sha256.Sum256([]byte(secret)), nil
}
