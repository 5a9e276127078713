package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// embeddingServer answers OpenAI's API with embeddings, or with a status.
func embeddingServer(t *testing.T, code int) string {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body struct{ Input []string }
		json.NewDecoder(r.Body).Decode(&body)
		w.WriteHeader(code)
		for range body.Input {
			io.WriteString(w, `"embedding": [`+strings.Repeat("0.5, ", 40)+`0]`)
		}
	}))
	t.Cleanup(s.Close)
	return s.URL + "/v1/embeddings"
}

func runBench(args ...string) (string, error) {
	root := newRoot()
	var out bytes.Buffer
	root.SetOut(&out)
	root.SetArgs(append([]string{"bench"}, args...))
	err := root.Execute()
	return out.String(), err
}

func TestBenchFormats(t *testing.T) {
	server := embeddingServer(t, 200)
	file := filepath.Join(t.TempDir(), "all.json")
	quick := []string{server, "--batch", "1,3", "--clients", "2", "--rounds", "2", "--duration", "1s", "--warmup", "0s"}
	out, err := runBench(append(quick, "--format", "lines", "--output", file)...)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out), "\n")
	var last struct {
		Batch, Round, Clients int
		Rate                  float64 `json:"items_per_second"`
	}
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &last); err != nil || len(lines) != 4 || last.Batch != 3 || last.Round != 2 || last.Rate <= 0 {
		t.Errorf("%d lines, the last %+v: %v", len(lines), last, err)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var document struct {
		Server  string
		Results []struct {
			Median struct{ Rounds int }
			Rounds []json.RawMessage
		}
	}
	if err := json.Unmarshal(data, &document); err != nil || document.Server != server || len(document.Results) != 2 || len(document.Results[1].Rounds) != 2 ||
		document.Results[0].Median.Rounds != 2 {
		t.Errorf("%v, %+v", err, document)
	}
	if out, err = runBench(append(quick, "--format", "table")...); err != nil || !strings.Contains(out, "2 × 3") || !strings.Contains(out, "p99.9") ||
		!strings.Contains(out, "medians of 2 rounds") {
		t.Errorf("%v:\n%s", err, out)
	}
	if out, err = runBench(append(quick, "--format", "document")...); err != nil || !json.Valid([]byte(out)) {
		t.Errorf("%v:\n%s", err, out)
	}
}

func TestBenchScenarios(t *testing.T) {
	server := embeddingServer(t, 200)
	out, err := runBench(server, "--scenario", "fairness", "--bulk", "16", "--duration", "1s", "--warmup", "0s", "--format", "lines")
	var fairness struct {
		Scenario string
		P99      float64 `json:"p99_ratio"`
		Bulk     struct{ Batch int }
	}
	if err != nil || json.Unmarshal([]byte(out), &fairness) != nil || fairness.Scenario != "fairness" || fairness.P99 <= 0 || fairness.Bulk.Batch != 16 {
		t.Errorf("%v, %+v:\n%s", err, fairness, out)
	}
	out, err = runBench(server, "--scenario", "overload", "--clients", "1", "--batch", "2", "--fill", "10ms", "--max-under-way", "20", "--duration", "1s", "--warmup", "0s",
		"--timeout", "1s", "--format", "lines")
	var overload struct {
		Scenario string
		Factor   float64
		Offered  struct {
			Arrival string
			Rate    float64
		}
	}
	if err != nil || json.Unmarshal([]byte(out), &overload) != nil || overload.Factor != 2 || overload.Offered.Arrival != "poisson" || overload.Offered.Rate <= 0 {
		t.Errorf("%v, %+v:\n%s", err, overload, out)
	}
}

func TestBenchFailsWhenNothingIsAnswered(t *testing.T) {
	out, err := runBench(embeddingServer(t, 500), "--duration", "1s", "--warmup", "0s", "--format", "lines")
	if err == nil || !strings.Contains(err.Error(), "HTTP 500") || !strings.Contains(out, `"failed":`) {
		t.Errorf("%v:\n%s", err, out)
	}
	out, err = runBench(embeddingServer(t, 429), "--duration", "1s", "--warmup", "0s", "--format", "table")
	if err == nil || !strings.Contains(err.Error(), "HTTP 429") || !strings.Contains(out, "refusals took") {
		t.Errorf("%v:\n%s", err, out)
	}
}

func TestBenchFlags(t *testing.T) {
	bad := func(want string, args ...string) {
		t.Helper()
		if _, err := runBench(args...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v; wanted %q", args, err, want)
		}
	}
	const server = "grpc://127.0.0.1:1"
	bad("no address", "127.0.0.1:1")
	bad("--arrival", server, "--arrival", "often")
	bad("--rate 5", server, "--rate", "5")
	bad("need a rate", server, "--arrival", "poisson")
	bad("--rounds", server, "--rounds", "0")
	bad("--scenario", server, "--scenario", "war")
	bad("one batch size", server, "--scenario", "overload", "--batch", "1,2")
	bad("one number of clients", server, "--scenario", "fairness", "--clients", "1,2")
	bad("--picture", server, "--picture", "wide")
	bad("--header", server, "--header", "nothing")
	bad("--format", server, "--format", "xml")
	bad("kind", server, "--kind", "video")
	bad("at least 1", server, "--batch", "0")
	bad("--kind", "raw", "--kind", "video")
	bad("--order", "raw", "--order", "random")
	bad("--rounds", "raw", "--rounds", "0")
}
