// Package capturetest finds the recorded exchanges that the tests of several protocols replay.
package capturetest

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// Names are the captures of a protocol below a folder; each has its folder and each folder its name.
func Names(t *testing.T, captures, protocol string) []string {
	t.Helper()
	var all map[string][]string
	if data, err := os.ReadFile(filepath.Join(captures, "names.json")); err != nil {
		t.Fatal(err)
	} else if err := json.Unmarshal(data, &all); err != nil {
		t.Fatal(err)
	}
	folders, err := os.ReadDir(filepath.Join(captures, protocol))
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, f := range folders {
		found = append(found, f.Name())
	}
	if names := all[protocol]; len(names) == 0 || !slices.Equal(found, names) {
		t.Fatalf("the folders of %s are %q, the names %q", protocol, found, names)
	}
	return all[protocol]
}
