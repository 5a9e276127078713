package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"clipd/engine/tune"
	"clipd/flows"
)

func runTune(t *testing.T, args ...string) (string, error) {
	root := newRoot()
	var out bytes.Buffer
	root.SetOut(&out)
	root.SetArgs(append([]string{"tune"}, args...))
	err := root.ExecuteContext(t.Context())
	return out.String(), err
}

func flowOf(t *testing.T, arguments string) *flows.Flow {
	t.Helper()
	f, err := flows.Parse(strings.NewReader("jtype: Flow\nexecutors:\n- name: clip\n  uses: {jtype: CLIPEncoder, with: {name: demo"+arguments+"}}\n"), "test", flows.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// A setting that is stored holds at the next start, as far as the flow leaves it open.
func TestTuneIsPickedUp(t *testing.T) {
	t.Setenv("CLIPD_CACHE", t.TempDir())
	out, err := runTune(t, "demo-flow.yml", "--time", "4s", "--write", "--json")
	if err != nil {
		t.Fatal(err)
	}
	var printed struct {
		Stored     string
		Best       tune.Setting
		Keys       map[string]any
		Candidates []struct{ Rounds []tune.Figures }
	}
	if err := json.Unmarshal([]byte(out), &printed); err != nil || len(printed.Keys) != 4 || len(printed.Candidates[0].Rounds) == 0 {
		t.Fatalf("%v:\n%s", err, out)
	}
	// What was found depends on the machine; a setting that nobody chooses by itself does not.
	data, err := os.ReadFile(printed.Stored)
	if err != nil {
		t.Fatal(err)
	}
	var s tune.Stored
	if err := json.Unmarshal(data, &s); err != nil || s.Setting != printed.Best {
		t.Fatalf("%v: stored %v, best %v", err, s.Setting, printed.Best)
	}
	s.Setting = tune.Setting{Lanes: 3, Threads: 6, Wide: false, Minibatch: 24}
	if _, err := s.Save(filepath.Dir(printed.Stored)); err != nil {
		t.Fatal(err)
	}
	check := func(arguments string, want tune.Setting, logs ...string) {
		t.Helper()
		var log bytes.Buffer
		f := flowOf(t, arguments)
		got := settingOf(settle(t.Context(), f, f.Executors[0], zerolog.New(&log)))
		if got != want {
			t.Errorf("%s: %v, want %v", arguments, got, want)
		}
		for _, l := range logs {
			if !strings.Contains(log.String(), l) {
				t.Errorf("%s: the log lacks %q:\n%s", arguments, l, log.String())
			}
		}
	}
	const picked = "settings measured on this machine"
	check("", s.Setting, picked, `"measured":"20`)
	check(", jit: true", s.Setting, picked)
	check(", lanes: 0, threads: 0", s.Setting, picked) // 0 is the server's choice
	check(", minibatch_size: 5", tune.Setting{Lanes: 3, Threads: 6, Minibatch: 5}, picked)
	check(", lanes: 2", tune.Setting{Lanes: 2, Wide: true, Minibatch: 24})
	check(", threads: 1", tune.Setting{Threads: 1, Wide: true, Minibatch: 24})
	check(", wide_lane: true", tune.Setting{Wide: true, Minibatch: 24})
	check(", lanes: 2, minibatch_size: 5", tune.Setting{Lanes: 2, Wide: true, Minibatch: 5})
	check(", device: cpu", tune.Setting{Wide: true, Minibatch: 32}, "1 for others")
	if err := os.WriteFile(printed.Stored, data[:len(data)/2], 0o600); err != nil {
		t.Fatal(err)
	}
	check("", tune.Setting{Wide: true, Minibatch: 32}, `"level":"debug"`, "damaged")
}

// With jit the first start measures and stores, and later ones do not measure.
func TestJIT(t *testing.T) {
	t.Setenv("CLIPD_CACHE", t.TempDir())
	for _, message := range []string{"jit: measured", "settings measured on this machine"} {
		var log bytes.Buffer
		f := flowOf(t, ", jit: true, minibatch_size: 8, dtype: fp32")
		f.Executors[0].TimeoutReady = 8e9 // half of which is for the search
		x := settle(t.Context(), f, f.Executors[0], zerolog.New(&log))
		if x.Lanes < 1 || x.Threads < 1 || x.MinibatchSize != 8 || !strings.Contains(log.String(), message) {
			t.Errorf("%v, without %q:\n%s", settingOf(x), message, log.String())
		}
	}
}

func TestTuneErrors(t *testing.T) {
	two := filepath.Join(t.TempDir(), "two.yml")
	if err := os.WriteFile(two, []byte("jtype: Flow\nexecutors:\n- {name: a, uses: {jtype: CLIPEncoder}}\n- {name: b, uses: {jtype: CLIPEncoder}}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	check := func(want string, args ...string) {
		t.Helper()
		if out, err := runTune(t, args...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, want %q\n%s", args, err, want, out)
		}
	}
	check(`throughput, latency or balanced, not "fast"`, "demo-flow.yml", "--for", "fast")
	check("must be above 0", "demo-flow.yml", "--time", "-1s")
	check("2 executors; say which with --executor: a, b", two)
	check(`no executor "c"; it has a, b`, two, "--executor", "c")
	check("do not name", "-i", two)
}

// The table has a line for each candidate and says what became of it.
func TestTuneTable(t *testing.T) {
	figures := tune.Figures{AloneText: 1_500_000, AlonePicture: 2_000_000, Callers: 100, Bulk: 200, Pictures: 50}
	candidate := func(lanes int, bulk float64, dropped string) *tune.Candidate {
		f := figures
		f.Bulk = bulk
		return &tune.Candidate{Setting: tune.Setting{Lanes: lanes, Threads: 4, Minibatch: 32}, Figures: f, Rounds: []tune.Figures{f}, Dropped: dropped}
	}
	r := &tune.Result{For: tune.Throughput, Candidates: []*tune.Candidate{candidate(1, 200, ""), candidate(2, 300, ""), candidate(3, 90, "clearly worse")}}
	r.Best, r.Rival, r.Change, r.Gain, r.Margin, r.Compared = r.Candidates[1], r.Candidates[1], true, 0.14, 0.04, 6
	var out bytes.Buffer
	d := tuneDocument{Executor: "clip", Result: r}
	if err := d.print(&out, flows.Executor{Name: "clip"}); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(out.String(), "\n")
	for i, want := range []string{"lanes", "← best", "present", "clearly worse"} {
		if !strings.Contains(lines[2+i], want) {
			t.Errorf("line %d is %q, want %q", 2+i, lines[2+i], want)
		}
	}
	for _, want := range []string{"1.50 ms", "14 % better", "    lanes: 2\n    threads: 4\n    wide_lane: false\n    minibatch_size: 32\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
	r.Best, r.Change, r.Gain = r.Candidates[0], false, 0.01
	if said := d.conclusion(); !strings.Contains(said, "as good as any") {
		t.Error(said)
	}
}
