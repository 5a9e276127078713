package flows

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// FuzzParse: whatever the bytes are, Parse gives a whole Flow or an error with places, and reads no file.
func FuzzParse(f *testing.F) {
	for _, name := range Builtin() {
		data, err := ReadBuiltin(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	for _, pattern := range []string{"testdata/accepted/*.yml", "testdata/refused/*.yml"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			f.Fatal(err, files)
		}
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data)
		}
	}
	noFiles := Options{
		LookupEnv: environ("X", "abc", "N", "12", "CHAIN", "$N$N", "REF", "${{root.with.port}}", "EMPTY", ""),
		ReadFile:  func(string) ([]byte, error) { return nil, errors.New("no files here") },
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		flow, err := Parse(bytes.NewReader(data), "fuzz.yml", noFiles)
		if err != nil {
			var all Errors
			if errors.As(err, &all) {
				for _, e := range all {
					if e.Source != "fuzz.yml" || e.Line < 0 || e.Column < 0 || e.Line > 1+bytes.Count(data, []byte("\n"))+bytes.Count(data, []byte("\r"))+
						bytes.Count(data, []byte("\u0085"))+bytes.Count(data, []byte("\u2028"))+bytes.Count(data, []byte("\u2029")) || e.Message == "" {
						t.Errorf("place or message of %#v", e)
					}
				}
			} else if len(data) <= maxBytes {
				t.Errorf("got %v, want Errors", err)
			}
			return
		}
		checkFlow(t, flow)
	})
}

// checkFlow holds what the server relies on in every flow that was accepted.
func checkFlow(t *testing.T, f *Flow) {
	t.Helper()
	g := f.Gateway
	if len(g.Ports) == 0 || len(g.Protocols) == 0 || (len(g.Ports) > 1 && len(g.Ports) != len(g.Protocols)) || g.Host == "" ||
		(g.SSLCertFile == "") != (g.SSLKeyFile == "") || g.Prefetch < 0 || g.TimeoutSend < 0 || g.Limits.MaxPixels < 1 || g.Limits.MaxQueued < 1 ||
		g.Limits.MaxImageBytes < 1 || g.Limits.MaxMessageBytes < 1 || g.Env == nil {
		t.Errorf("gateway %+v", g)
	}
	if len(f.Executors) == 0 || len(f.Executors) > maxExecutors {
		t.Errorf("%d executors", len(f.Executors))
	}
	names := map[string]bool{}
	for _, e := range f.Executors {
		if names[e.Name] || e.Name == "" || (e.Model == "" && e.ModelPath == "") || e.MinibatchSize < 1 || e.NumWorkerPreprocess < 1 || e.Replicas < 1 ||
			e.Lanes < 0 || e.Threads < 0 || e.AccessPaths == "" || e.Backend == "" || e.TimeoutReady == 0 || e.Env == nil {
			t.Errorf("executor %+v", e)
		}
		names[e.Name] = true
		for endpoint, b := range e.DynamicBatching {
			if b.PreferredBatchSize < 1 || b.Timeout < 0 {
				t.Errorf("batching of %s: %+v", endpoint, b)
			}
		}
	}
}
