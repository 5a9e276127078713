package auth

import (
	"crypto/sha256"
	"strings"
	"testing"
)

func TestNewSecret(t *testing.T) {
	seen := map[string]bool{}
	for range 100 {
		s := NewSecret()
		if len(s) != len("clipd_")+43 || !strings.HasPrefix(s, "clipd_") || seen[s] {
			t.Fatalf("%q", s)
		}
		seen[s] = true
		if hash, err := Hash(s); err != nil || hash != sha256.Sum256([]byte(s)) {
			t.Errorf("%x, %v", hash, err)
		}
	}
}

func TestHashRefusesWeakSecrets(t *testing.T) {
	check := func(secret, want string) {
		t.Helper()
		_, err := Hash(secret)
		if err == nil || !strings.Contains(err.Error(), want) || len(secret) > 3 && strings.Contains(err.Error(), secret) {
			t.Errorf("%q: %v, want %q", secret, err, want)
		}
	}
	check("", "0 characters; it needs at least 16")
	check("0123456789abcde", "15 characters; it needs at least 16")
	check(strings.Repeat("abcdefg", 5), "only 7 different characters")
	check(strings.Repeat("abcdefgh", 65), "520 characters; it may have 512")
	check("0123456789 abcdefgh", "character 11 of the secret is a blank")
	check("0123456789abcdefgh\n", "character 19")
	check("pässword-0123456789", "character 2")
	for _, good := range []string{"0123456789abcdef", strings.Repeat("abcdefgh", 64)} {
		if _, err := Hash(good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
}
