package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"clipd/frontend/auth"
)

// clipdKey runs "clipd key" with args and what comes on standard input.
func clipdKey(input string, args ...string) (output string, err error) {
	root := newRoot()
	var out bytes.Buffer
	root.SetArgs(append([]string{"key"}, args...))
	root.SetIn(strings.NewReader(input))
	root.SetOut(&out)
	root.SetErr(&out)
	err = root.Execute()
	return out.String(), err
}

func TestKeyNewPrintsAKeyThatItsLineKnows(t *testing.T) {
	out, err := clipdKey("", "new", "web", "--rate", "6000/m", "--documents", "10/s", "--concurrent", "8", "--models", "b,a", "--priority", "on-request")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
	secret, line := lines[0], lines[len(lines)-1]
	if !strings.HasPrefix(secret, "clipd_") || strings.Count(out, secret) != 1 || !strings.HasSuffix(lines[len(lines)-2], "The line for the keys file:") {
		t.Errorf("output: %s", out)
	}
	if !strings.HasPrefix(line, "web sha256:") || !strings.HasSuffix(line, " rate=6000/m documents=10/s concurrent=8 models=a,b priority=on-request") {
		t.Errorf("line: %s", line)
	}
	t.Setenv("CLIPD_TEST_KEYS", line)
	keys, err := auth.Open(auth.Options{Env: "CLIPD_TEST_KEYS"})
	if err != nil {
		t.Fatal(err)
	}
	if k, err := keys.Check("Bearer " + secret); err != nil || k.Name() != "web" {
		t.Errorf("%v, %v", k, err)
	}
}

func TestKeyAppendAndList(t *testing.T) {
	file := filepath.Join(t.TempDir(), "keys.txt")
	secret, err := clipdKey("", "new", "web", "--append", file, "--priority", "high")
	if err != nil || strings.Count(secret, "\n") != 1 {
		t.Fatalf("%q, %v", secret, err)
	}
	if out, err := clipdKey("a-secret-from-elsewhere\r\nmore", "hash", "old", "--append", file, "--rate", "5/h"); err != nil || out != "" {
		t.Fatalf("%q, %v", out, err)
	}
	keys, err := auth.Open(auth.Options{File: file})
	if err != nil {
		t.Fatal(err)
	}
	for credential, name := range map[string]string{strings.TrimSpace(secret): "web", "a-secret-from-elsewhere": "old"} {
		if k, err := keys.Check(credential); err != nil || k.Name() != name {
			t.Errorf("%s: %v, %v", name, k, err)
		}
	}
	out, err := clipdKey("", "list", file)
	want := "NAME  REQUESTS  DOCUMENTS  CONCURRENT  PRIORITY  MODELS\nweb   no limit  no limit   no limit    high      all\n" +
		"old   5/h       no limit   no limit    normal    all\n"
	if err != nil || out != want {
		t.Errorf("%v\n%s\nwant\n%s", err, out, want)
	}
	before, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if out, err := clipdKey("", "new", "web", "--append", file); err == nil || !strings.Contains(err.Error(), "there is a key web already") || out != "" {
		t.Errorf("%q, %v", out, err)
	}
	if after, err := os.ReadFile(file); err != nil || string(after) != string(before) {
		t.Errorf("the file became %q, %v", after, err)
	}
}

func TestKeyRefusals(t *testing.T) {
	check := func(input, want string, args ...string) {
		t.Helper()
		out, err := clipdKey(input, args...)
		if err == nil || !strings.Contains(err.Error(), want) || out != "" {
			t.Errorf("%q: %q, %v; want %q", args, out, err, want)
		}
		if input != "" && err != nil && strings.Contains(err.Error(), strings.TrimSpace(input)) {
			t.Errorf("%v repeats the secret", err)
		}
	}
	check("", "letters, digits, _, . and -", "new", "two words")
	check("", `--rate is a number from 1 to 1000000000 with /s, /m or /h, such as 100/s, not "fast"`, "new", "web", "--rate", "fast")
	check("", "--documents is a number", "new", "web", "--documents", "5")
	check("", "--concurrent is a number of requests from 1", "new", "web", "--concurrent", "-1")
	check("", "--models is a list of names", "new", "web", "--models", "a,,b")
	check("", "a NAME for the key", "new")
	check("", "no key in its first line", "hash", "web")
	check("hunter2\n", "7 characters; it needs at least 16, because", "hash", "web")
	check("hunter2hunter2hunter2\n", "only 7 different characters", "hash", "web")
	check(strings.Repeat("x", 1<<20), "may have 512", "hash", "web")
	check("", "no such file", "list", filepath.Join(t.TempDir(), "none"))
}
