package tune

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

func stored() *Stored {
	return &Stored{
		Key: Key{Devices: []string{"cpu A, fp32"}, Cores: 4, Runtime: "openvino 1", Checkpoint: "abc", Precision: "auto", Replicas: 1},
		For: Balanced, Setting: Setting{2, 4, true, 16}, Measured: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Figures: Figures{AloneText: 5, Bulk: 7},
	}
}

func TestStoreGivesBack(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "new")
	s := stored()
	if _, err := Find(folder, s.Key); !errors.Is(err, ErrNotStored) {
		t.Errorf("of an empty folder: %v", err)
	}
	for _, lanes := range []int{1, 2} { // the second takes the place of the first
		s.Setting.Lanes = lanes
		if _, err := s.Save(folder); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := Find(folder, s.Key); err != nil || !reflect.DeepEqual(got, s) {
		t.Errorf("%+v: %v", got, err)
	}
	if left, _ := os.ReadDir(folder); len(left) != 1 {
		t.Errorf("%d files", len(left))
	}
}

// Whatever the settings depend on makes another key.
func TestOtherMachine(t *testing.T) {
	folder := t.TempDir()
	if _, err := stored().Save(folder); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*Key){
		"devices":    func(k *Key) { k.Devices = []string{"cpu B, fp32"} },
		"cores":      func(k *Key) { k.Cores = 8 },
		"quota":      func(k *Key) { k.Quota = 1.5 },
		"device":     func(k *Key) { k.Device = "cuda" },
		"replicas":   func(k *Key) { k.Replicas = 2 },
		"runtime":    func(k *Key) { k.Runtime = "openvino 2" },
		"checkpoint": func(k *Key) { k.Checkpoint = "abd" },
		"precision":  func(k *Key) { k.Precision = "fp32" },
	} {
		k := stored().Key
		change(&k)
		if got, err := Find(folder, k); !errors.Is(err, ErrNotStored) || !strings.Contains(err.Error(), "1 for others") {
			t.Errorf("other %s: %+v, %v", name, got, err)
		}
	}
}

func TestDamage(t *testing.T) {
	folder := t.TempDir()
	s := stored()
	path, err := s.Save(folder)
	if err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"half":          string(whole[:len(whole)/2]),
		"empty":         "",
		"other machine": strings.Replace(string(whole), `"cores": 4`, `"cores": 5`, 1),
		"no lanes":      strings.Replace(string(whole), `"lanes": 2`, `"lanes": 0`, 1),
		"many threads":  strings.Replace(string(whole), `"threads": 4`, `"threads": 40000`, 1),
		"minibatch":     strings.Replace(string(whole), `"minibatch_size": 16`, `"minibatch_size": -1`, 1),
	} {
		if text == string(whole) {
			t.Fatalf("%s: nothing was changed", name)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if got, err := Find(folder, s.Key); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	s.Setting.Lanes = 0
	if _, err := s.Save(folder); err == nil {
		t.Error("a setting without lanes was stored")
	}
}
