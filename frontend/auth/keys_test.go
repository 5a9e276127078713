package auth

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"clipd/frontend/fault"
)

// refused checks that err has the code and that its message holds all of the words.
func refused(t *testing.T, err error, code fault.Code, words ...string) *fault.Error {
	t.Helper()
	var e *fault.Error
	if !errors.As(err, &e) || e.Code != code {
		t.Fatalf("got %v, want a fault of the code %v", err, code)
	}
	for _, w := range words {
		if !strings.Contains(e.Error(), w) {
			t.Errorf("%q does not say %q", e, w)
		}
	}
	return e
}

// line makes a key and its line.
func line(t *testing.T, name, limits string) (secret, line string) {
	t.Helper()
	secret = NewSecret()
	hash, err := Hash(secret)
	if err != nil {
		t.Fatal(err)
	}
	return secret, strings.TrimSpace(Entry{Name: name, Hash: hash}.String() + " " + limits)
}

func write(t *testing.T, path string, lines ...string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
}

func open(t *testing.T, o Options) *Keys {
	t.Helper()
	k, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.Close)
	return k
}

func TestCheck(t *testing.T) {
	file := filepath.Join(t.TempDir(), "keys")
	web, webLine := line(t, "web", "")
	batch, batchLine := line(t, "batch", "rate=10/s # nightly")
	write(t, file, "\ufeff# keys", "", webLine+"\r", "  "+batchLine)
	keys := open(t, Options{File: file})
	known := func(credential, name string) {
		t.Helper()
		if k, err := keys.Check(credential); err != nil || k.Name() != name {
			t.Errorf("%q is %q, %v; want %q", credential, k.Name(), err, name)
		}
	}
	known(web, "web")
	known("Bearer "+web, "web")
	known("bearer   "+batch+" ", "batch")
	known(" "+batch, "batch")
	unknown := func(credential string, words ...string) {
		t.Helper()
		k, err := keys.Check(credential)
		if k != nil {
			t.Errorf("%q is %q", credential, k.Name())
		}
		e := refused(t, err, fault.Unauthenticated, words...)
		if secret := strings.TrimPrefix(credential, "Bearer "); len(secret) > 10 && strings.Contains(e.Error(), secret) {
			t.Errorf("%q repeats the credential", e)
		}
	}
	unknown("", "needs a key", "Authorization: Bearer KEY", "credential=")
	unknown("  ", "needs a key")
	unknown("Bearer", "needs a key")
	unknown("Bearer  ", "needs a key")
	unknown(NewSecret(), "not known")
	unknown("Bearer "+NewSecret(), "not known")
	unknown("Basic "+web, "not known")
	unknown(web+"x", "not known")
	unknown(web[:len(web)-1], "not known")
	unknown(strings.Fields(webLine)[1], "not known")
	unknown(strings.Repeat("a", 1<<20), "not known")
	unknown("\x00\xff", "not known")
}

func TestNoKeysLetEveryoneIn(t *testing.T) {
	var keys *Keys
	k, err := keys.Check("anything")
	if k != nil || err != nil || k.Name() != "" || k.MayUse("x") != nil {
		t.Error(k, err)
	}
	for range 100 {
		end, err := k.Begin(1000)
		if err != nil {
			t.Fatal(err)
		}
		end()
		if end, err = k.Wait(t.Context(), 1000); err != nil {
			t.Fatal(err)
		}
		end()
	}
	keys.Close()
}

func TestMayUse(t *testing.T) {
	_, some := line(t, "some", "models=b,a,b")
	_, every := line(t, "every", "")
	t.Setenv("CLIPD_TEST_KEYS", some+";"+every)
	keys := open(t, Options{Env: "CLIPD_TEST_KEYS"}).set.Load().keys
	for _, model := range []string{"a", "b"} {
		if err := keys[0].MayUse(model); err != nil {
			t.Error(err)
		}
	}
	refused(t, keys[0].MayUse("c"), fault.Forbidden, `"some"`, `"c"`, "a, b")
	if e := refused(t, keys[0].MayUse(strings.Repeat("x", 1<<20)), fault.Forbidden); len(e.Error()) > 1000 {
		t.Errorf("a message of %d bytes", len(e.Error()))
	}
	if err := keys[1].MayUse("c"); err != nil {
		t.Error(err)
	}
}

func TestKeysOfTheEnvironment(t *testing.T) {
	file := filepath.Join(t.TempDir(), "keys")
	inFile, fileLine := line(t, "file", "")
	inEnv, envLine := line(t, "env", "concurrent=3")
	write(t, file, fileLine)
	t.Setenv("CLIPD_TEST_KEYS", "# two keys;;"+envLine+"\nplain plain:a-secret-of-the-container rate=6000/m")
	keys := open(t, Options{File: file, Env: "CLIPD_TEST_KEYS"})
	check := func(secret, name, limits string) {
		t.Helper()
		k, err := keys.Check(secret)
		if err != nil || k.Name() != name {
			t.Fatalf("%q, %v; want %s", k.Name(), err, name)
		}
		if got := (Limits{Rate: k.limiter.requests.rate, Concurrent: k.limiter.concurrent}).String(); got != limits {
			t.Errorf("%s has %q, want %q", name, got, limits)
		}
	}
	check(inFile, "file", "")
	check(inEnv, "env", "concurrent=3")
	check("a-secret-of-the-container", "plain", "rate=6000/m")
	if kept := fmt.Sprintf("%+v", keys.env); strings.Contains(kept, "a-secret") {
		t.Errorf("the secret is kept: %s", kept)
	}
	env := func(value, want string) {
		t.Helper()
		t.Setenv("CLIPD_TEST_KEYS", value)
		_, err := Open(Options{File: file, Env: "CLIPD_TEST_KEYS"})
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hidden") {
			t.Errorf("%q: %v", value, err)
		}
	}
	env(envLine+";x plain:hidden", "$CLIPD_TEST_KEYS:2: the secret has 6 characters; it needs at least 16")
	env(envLine+";"+envLine, "$CLIPD_TEST_KEYS:2: a key has the same name as the one on $CLIPD_TEST_KEYS:1")
	env(fileLine, file+":1: a key has the same name as the one on $CLIPD_TEST_KEYS:1")
	env("other"+strings.TrimPrefix(fileLine, "file"), file+":1: the key is the same as the one on $CLIPD_TEST_KEYS:1")
}

func TestOpenWithoutKeys(t *testing.T) {
	file := filepath.Join(t.TempDir(), "keys")
	check := func(o Options, want ...string) {
		t.Helper()
		_, err := Open(o)
		for _, w := range want {
			if err == nil || !strings.Contains(err.Error(), w) {
				t.Errorf("%+v: %v does not say %q", o, err, w)
			}
		}
	}
	check(Options{}, "neither a keys file nor")
	check(Options{File: file}, "no such file", file)
	check(Options{File: t.TempDir()}, "no regular file")
	write(t, file, "# none yet", "")
	check(Options{File: file}, "no key in the keys file "+file, "clipd key new")
	check(Options{Env: "CLIPD_TEST_UNSET"}, "no key in the environment variable CLIPD_TEST_UNSET")
	check(Options{File: file, Env: "CLIPD_TEST_UNSET"}, "keys file "+file+" or the environment variable CLIPD_TEST_UNSET")
	write(t, file, strings.Repeat("#", maxFile+1))
	check(Options{File: file}, "longer than 1048576 bytes")
}

// Every line is refused with its place and with what would be right, and nothing of it is repeated that could be a key.
func TestWrongLines(t *testing.T) {
	file := filepath.Join(t.TempDir(), "keys")
	hash := hashForm + strings.Repeat("0aF", 21) + "0"
	secret := NewSecret()
	check := func(line, want string) {
		t.Helper()
		write(t, file, "# first", line)
		_, err := Open(Options{File: file})
		if err == nil || !strings.HasPrefix(err.Error(), file+":2: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", line, err, want)
		}
		if err != nil && (strings.Contains(err.Error(), secret) || strings.Contains(err.Error(), "0aF")) {
			t.Errorf("%v repeats a secret", err)
		}
	}
	check(secret, "the line has one word; it must be a name and a hash")
	check("web "+secret, "the second word must be sha256: and 64 hexadecimal digits, not the key itself")
	check("web plain:"+secret, "plain: is read from the environment only")
	check("web sha256:"+secret, "there are 49 characters")
	check("web sha256:"+strings.Repeat("x", 64), "there are other characters")
	check("web "+hash[:len(hash)-1], "there are 63 characters")
	check(hash, "the line begins with no name")
	check("wéb "+hash, "the line begins with no name: a key's name has 1 to 64 characters")
	check(strings.Repeat("x", 65)+" "+hash, "the line begins with no name")
	check("web "+hash+" "+secret, "word 3 of the line is no limit: the limits of a key are rate=, documents=, concurrent=, models= and priority=")
	check("web "+hash+" rate=1/s "+secret+"=", "word 4 of the line is no limit")
	check("web "+hash+" rate=1/s rate=2/s", "rate= stands twice")
	check("web "+hash+" rate", "word 3 of the line is no limit")
	for _, bad := range []string{"", "5", "/s", "5/d", "0/s", "-1/s", "1.5/s", "1000000001/s", "99999999999999999999/s", "5/s/s", "x/s"} {
		check("web "+hash+" rate="+bad, fmt.Sprintf("rate is a number from 1 to 1000000000 with /s, /m or /h, such as 100/s, not %q", bad))
	}
	check("web "+hash+" documents=x", "documents is a number")
	for _, bad := range []string{"", "0", "-1", "x", "1000000001"} {
		check("web "+hash+" concurrent="+bad, fmt.Sprintf("concurrent is a number of requests from 1 to 1000000000, not %q", bad))
	}
	check("web "+hash+" models=", "name 1 of \"\" is none")
	check("web "+hash+" models=a,,b", "name 2 of \"a,,b\" is none")
	check("web "+hash+" models=a,", "name 2")

	write(t, file, slices.Repeat([]string{"x"}, 30)...)
	_, err := Open(Options{File: file})
	if err == nil || len(strings.Split(err.Error(), "\n")) != maxMistakes+1 || !strings.HasSuffix(err.Error(), "and 20 more mistakes") {
		t.Error(err)
	}
}

func TestEntriesAreReadAsTheyAreWritten(t *testing.T) {
	_, bare := line(t, "a.b-c_D", "")
	check := func(limits string) {
		t.Helper()
		want := strings.TrimSpace(bare + " " + limits)
		e, err := parseEntry(want, false)
		if err != nil || e.String() != want {
			t.Errorf("%q, %v; want %q", e, err, want)
		}
	}
	check("")
	check("rate=100/s documents=1000/m concurrent=8 models=ViT-B-32::openai,clip")
	check("rate=1/h")
	check("models=x")
}

func FuzzLines(f *testing.F) {
	f.Add("web sha256:" + strings.Repeat("0a", 32) + " rate=1/s\n# x\n")
	f.Add("a plain:0123456789abcdef concurrent=1;b")
	f.Fuzz(func(t *testing.T, text string) {
		r := newRing()
		r.fromFile("keys", text)
		r.fromEnv("KEYS", text)
		again := newRing()
		for _, e := range r.entries {
			again.fromFile("keys", e.String())
		}
		if err := again.err(); err != nil || !slices.EqualFunc(r.entries, again.entries, func(a, b Entry) bool { return a.String() == b.String() }) {
			t.Errorf("%q: %v became %v, %v", text, r.entries, again.entries, err)
		}
	})
}
