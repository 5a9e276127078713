package auth

import (
	"path/filepath"
	"strings"
	"testing"

	"clipd/frontend/fault"
)

// TestPriority goes through what keys have and requests ask for.
func TestPriority(t *testing.T) {
	file := filepath.Join(t.TempDir(), "keys")
	secrets, lines := map[string]string{}, []string{}
	for name, limits := range map[string]string{"plain": "", "normal": "priority=normal", "asks": "priority=on-request", "high": "priority=high"} {
		secret, l := line(t, name, limits)
		secrets[name], lines = secret, append(lines, l)
	}
	write(t, file, lines...)
	keys, err := Open(Options{File: file})
	if err != nil {
		t.Fatal(err)
	}
	defer keys.Close()
	check := func(name, asked string, want bool, refused bool) {
		t.Helper()
		var key *Key
		if name != "" {
			if key, err = keys.Check(secrets[name]); err != nil {
				t.Fatal(err)
			}
		}
		high, err := key.High(asked)
		if high != want || (err != nil) != refused {
			t.Errorf("%q asks for %q: %v, %v", name, asked, high, err)
		}
		if refused && (fault.Of(err).Code != fault.Forbidden || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), "priority=on-request")) {
			t.Errorf("%v", err)
		}
	}
	for _, name := range []string{"plain", "normal"} {
		check(name, "", false, false)
		check(name, "normal", false, false)
		check(name, "high", false, true)
	}
	for _, name := range []string{"asks", ""} { // without keys anybody may
		check(name, "", false, false)
		check(name, "normal", false, false)
		check(name, "high", true, false)
	}
	check("high", "", true, false)
	check("high", "normal", false, false)
	check("high", "high", true, false)

	// A changed line is in force for those who hold the key.
	key, err := keys.Check(secrets["high"])
	if err != nil {
		t.Fatal(err)
	}
	if err := keys.load(strings.ReplaceAll(strings.Join(lines, "\n"), "priority=high", "")); err != nil {
		t.Fatal(err)
	}
	if high, err := key.High(""); high || err != nil {
		t.Errorf("after its line lost the priority: %v, %v", high, err)
	}

	var limits Limits
	err = limits.Set("priority", "urgent")
	if err == nil || err.Error() != `priority is one of normal, on-request, high, not "urgent"` {
		t.Errorf("%v", err)
	}
	for _, p := range []Priority{HighOnRequest, High} {
		if err := limits.Set("priority", p.String()); err != nil || limits.String() != "priority="+p.String() {
			t.Errorf("%v: %q, %v", p, limits, err)
		}
	}
}

// TestUnmatched finds the keys whose models nobody serves, with their lines.
func TestUnmatched(t *testing.T) {
	file := filepath.Join(t.TempDir(), "keys")
	_, all := line(t, "all", "")
	_, good := line(t, "good", "models=other,small")
	_, typo := line(t, "typo", "models=smal,ViT-B/32::openai")
	write(t, file, all, good, "", typo)
	keys, err := Open(Options{File: file})
	if err != nil {
		t.Fatal(err)
	}
	defer keys.Close()
	got := keys.Unmatched([]string{"small", "ViT-B-32::openai"})
	if len(got) != 1 || got[0].Key != "typo" || got[0].At != file+":4" || strings.Join(got[0].Models, " ") != "ViT-B/32::openai smal" {
		t.Errorf("%+v", got)
	}
	if none := (*Keys)(nil).Unmatched([]string{"small"}); none != nil {
		t.Errorf("%+v", none)
	}
}
