package auth

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

func entry(t *testing.T, name string) Entry {
	t.Helper()
	hash, err := Hash(NewSecret())
	if err != nil {
		t.Fatal(err)
	}
	return Entry{Name: name, Hash: hash}
}

func TestAppend(t *testing.T) {
	file := filepath.Join(t.TempDir(), "keys")
	a, b := entry(t, "a"), entry(t, "b")
	b.Concurrent = 3
	if err := Append(file, a); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Error(info.Mode(), err)
	}
	write(t, file, "# mine", a.String()) // no newline at the end
	if err := Append(file, b); err != nil {
		t.Fatal(err)
	}
	want := "# mine\n" + a.String() + "\n" + b.String() + "\n"
	left := func() {
		t.Helper()
		if data, err := os.ReadFile(file); err != nil || string(data) != want {
			t.Errorf("%q, %v; want %q", data, err, want)
		}
	}
	left()
	check := func(e Entry, words string) {
		t.Helper()
		if err := Append(file, e); err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%v, want %q", err, words)
		}
		left()
	}
	check(entry(t, "a"), file+":2: there is a key a already")
	check(Entry{Name: "c", Hash: b.Hash}, file+":3: the same key is there already under another name")
	want = "broken\n"
	write(t, file, want)
	check(entry(t, "c"), "has mistakes and was left as it is:\n"+file+":1: ")
	want = strings.Repeat("#", maxFile-10)
	write(t, file, want)
	check(entry(t, "c"), "would be longer than")
	if err := Append(t.TempDir(), a); err == nil {
		t.Error("a folder was appended to")
	}
}

func TestAppendAtTheSameTime(t *testing.T) {
	file := filepath.Join(t.TempDir(), "keys")
	var all sync.WaitGroup
	for i := range 20 {
		e, twice := entry(t, fmt.Sprintf("key%d", i)), entry(t, "twice")
		all.Go(func() {
			if err := Append(file, e); err != nil {
				t.Error(err)
			}
			if err := Append(file, twice); err != nil && !strings.Contains(err.Error(), "there is a key twice already") {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if entries, err := ReadFile(file); err != nil || len(entries) != 21 {
		t.Errorf("%d entries, %v", len(entries), err)
	}
}

func TestANamedPipeIsNoKeysFile(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := unix.Mkfifo(pipe, 0o600); err != nil {
		t.Skip(err)
	}
	if _, err := ReadFile(pipe); err == nil || !strings.Contains(err.Error(), "no regular file") {
		t.Error(err)
	}
	if err := Append(pipe, entry(t, "a")); err == nil || !strings.Contains(err.Error(), "no regular file") {
		t.Error(err)
	}
}
