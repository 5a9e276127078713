package flows

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write docs/flows.md and testdata/refused/*.txt anew")

// environ is a process environment for tests.
func environ(pairs ...string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1], true
			}
		}
		return "", false
	}
}

func mustLoad(t *testing.T, name string, pairs ...string) *Flow {
	t.Helper()
	f, err := Load(filepath.Join("testdata", "accepted", name), Options{LookupEnv: environ(pairs...)})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func equal(t *testing.T, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s: got %#v, want %#v", what, got, want)
	}
}

var allProtocols = []Protocol{GRPC, HTTP, WebSocket}

// defaultLimits are those of a flow that says nothing about them.
var defaultLimits = Limits{MaxMessageBytes: 256 << 20, MaxDocuments: 16384, MaxImageBytes: 64 << 20, MaxPixels: 100_000_000, MaxQueued: 16384, MaxWait: 5 * time.Second,
	MaxInflightBytes: 0, MaxConnections: 8192, MaxConnectionsPerAddress: 0, MaxStreams: 256, MaxHeaderBytes: 32 << 10,
	HeaderTimeout: 10 * time.Second, ReadTimeout: time.Minute, WriteTimeout: time.Minute, IdleTimeout: 75 * time.Second,
	GRPCIdleTimeout: 30 * time.Minute, MaxConnectionAge: 30 * time.Minute}

func TestBuiltinFlows(t *testing.T) {
	equal(t, "Builtin", Builtin(), []string{"demo-flow.yml", "onnx-flow.yml", "tensorrt-flow.yml", "torch-flow.yml"})
	check := func(name, executor string, backend Backend, model, device string) {
		t.Helper()
		for _, n := range []string{name, strings.TrimSuffix(name, ".yml")} {
			// From a folder without such files, as a user would.
			t.Chdir(t.TempDir())
			f, err := Load(n, Options{})
			if err != nil {
				t.Fatal(err)
			}
			e := f.Executors[0]
			equal(t, name, []any{f.Source, len(f.Executors), f.Gateway.Ports, f.Gateway.Protocols}, []any{name, 1, []int{51000}, allProtocols})
			equal(t, name, []any{e.Name, e.Backend, e.Model, e.Device, e.Replicas}, []any{executor, backend, model, device, 1})
			if len(f.Notices) > 0 {
				t.Error(f.Notices)
			}
		}
	}
	check("torch-flow.yml", "clip_t", Torch, "ViT-B-32::openai", "")
	check("onnx-flow.yml", "clip_o", ONNX, "ViT-B-32::openai", "")
	check("tensorrt-flow.yml", "clip_r", TensorRT, "ViT-B-32::openai", "cuda")
	check("demo-flow.yml", "clip", Auto, "demo", "")
}

// A minimal flow shows every default.
func TestDefaults(t *testing.T) {
	f, err := Parse(strings.NewReader("executors: [{uses: CLIPEncoder}]"), "-", Options{})
	if err != nil {
		t.Fatal(err)
	}
	f.Executors[0].marks = nil
	equal(t, "flow", *f, Flow{
		Source: "-",
		Gateway: Gateway{Host: "0.0.0.0", Ports: []int{51000}, Protocols: allProtocols, Prefetch: 1000, PortMonitoring: 9090,
			SSLClientAuth: ClientAuthNone, HTTPCompression: true, Env: map[string]string{}, Limits: defaultLimits},
		Executors: []Executor{{Name: "executor0", Backend: Auto, Model: "ViT-B-32::openai", MinibatchSize: 32, NumWorkerPreprocess: 4,
			AccessPaths: "@r", WideLane: true, Replicas: 1, TimeoutReady: 10 * time.Minute, Env: map[string]string{}}},
	})
}

func TestHTTPWithCORS(t *testing.T) {
	f := mustLoad(t, "http_cors.yml")
	equal(t, "gateway", []any{f.Gateway.Ports, f.Gateway.Protocols, f.Gateway.CORS}, []any{[]int{51234}, []Protocol{HTTP}, true})
	equal(t, "backend", f.Executors[0].Backend, Torch)
}

func TestReplicasUnderUses(t *testing.T) {
	e := mustLoad(t, "replicas_round_robin.yml").Executors[0]
	e.marks = nil
	equal(t, "executor", e, Executor{Name: "clip_t", Backend: Torch, Model: "ViT-L-14::laion2b-s32b-b82k", Device: "cuda", DType: "fp16", JIT: true,
		MinibatchSize: 32, NumWorkerPreprocess: 4, AccessPaths: "@r", WideLane: true, Replicas: 2, TimeoutReady: -1,
		Env: map[string]string{"CUDA_VISIBLE_DEVICES": "RR0:3", "OMP_NUM_THREADS": "2"}})
}

func TestMonitoringAndNotices(t *testing.T) {
	f := mustLoad(t, "monitoring.yml")
	equal(t, "gateway", []any{f.Gateway.Ports, f.Gateway.Monitoring, f.Gateway.PortMonitoring}, []any{[]int{51000}, true, 9090})
	e := f.Executors[0]
	equal(t, "encoder", []any{e.Backend, e.MinibatchSize, e.NumWorkerPreprocess, e.ModelPath, e.AccessPaths, e.Replicas, e.TimeoutReady},
		[]any{ONNX, 16, 8, "./my-model", "@c", 3, 50 * time.Minute})
	equal(t, "other", []any{f.Executors[1].Backend, f.Executors[1].Device}, []any{TensorRT, "cuda"})
	var keys []string
	for _, n := range f.Notices {
		keys = append(keys, n.Key)
	}
	equal(t, "notices", keys, []string{"timeout_ctrl", "monitoring", "port_monitoring", "install_requirements", "workspace", "shards", "polling"})
	want := filepath.Join("testdata", "accepted", "monitoring.yml") + ":7:3: timeout_ctrl: " + whyOneProcess
	equal(t, "notice", f.Notices[0].String(), want)
}

func TestTLSFromBothPlaces(t *testing.T) {
	g := mustLoad(t, "tls.yml").Gateway
	equal(t, "tls", []any{g.SSLCertFile, g.SSLKeyFile, g.SSLKeyPassword, g.SSLClientAuth, g.UvicornKwargs},
		[]any{"cert.pem", "key.pem", "blahblah", ClientAuthNone, map[string]any{"ssl_keyfile_password": "blahblah"}})
}

func TestSeveralDoorsAndExecutors(t *testing.T) {
	f := mustLoad(t, "several_doors.yml")
	g := f.Gateway
	equal(t, "doors", []any{g.Ports, g.Protocols, g.Prefetch}, []any{[]int{51000, 51001, 51002}, []Protocol{GRPC, HTTP, WebSocket}, 10})
	equal(t, "options", g.GRPCServerOptions, map[string]any{"grpc.max_send_message_length": int64(-1)})
	equal(t, "endpoints", g.ExposeEndpoints, map[string]ExposedEndpoint{
		"/encode": {HTTPPath: "/v1/encode", Methods: []string{"POST", "PUT"}}, "rank": {HTTPPath: "/rank", Methods: []string{"POST"}}})
	limits := defaultLimits
	limits.MaxImageBytes, limits.MaxQueued = 10<<20, 100
	equal(t, "limits", g.Limits, limits)
	if len(f.Executors) != 5 {
		t.Fatalf("%d executors", len(f.Executors))
	}
	first, small, file, hub, deployed := f.Executors[0], f.Executors[1], f.Executors[2], f.Executors[3], f.Executors[4]
	equal(t, "inherited", []any{first.Name, first.Backend, first.Replicas, first.TimeoutReady, first.MinibatchSize},
		[]any{"executor0", ONNX, 2, time.Minute, 8})
	equal(t, "env", first.Env, map[string]string{"A": "from flow", "B": "own"})
	equal(t, "gateway env", g.Env, map[string]string{"A": "from flow", "B": "from flow"})
	equal(t, "batching", first.DynamicBatching, map[string]DynamicBatching{"/encode": {64, 5 * time.Millisecond}, "/rank": {4, 10 * time.Second}})
	equal(t, "small", []any{small.Backend, small.Model, small.Device, small.DType, small.Runtime, small.Lanes, small.Threads, small.AccessPaths, small.Replicas},
		[]any{Torch, "demo", "cpu", "bf16", "openvino", 2, 1, "@r,c", 1})
	equal(t, "small takes its own uses_with", small.MinibatchSize, 32)
	equal(t, "uses_with goes before the file", []any{file.Backend, file.Model, file.MinibatchSize}, []any{ONNX, "RN50::openai", 8})
	equal(t, "hub", []any{hub.Name, hub.Backend}, []any{"hub", Torch}) // stronger than py_modules of with:
	equal(t, "deployed", []any{deployed.Name, deployed.Backend, deployed.Replicas}, []any{"deployed", TensorRT, 2})
}

func TestVariables(t *testing.T) {
	f := mustLoad(t, "variables.yml", "MODEL", "RN50::openai", "DEVICE", "cuda:1", "PORT", "6000", "PROTOCOLS", "[http]", "CORS", "True", "EMPTY", "", "MODULES", "/m")
	g, e := f.Gateway, f.Executors[0]
	equal(t, "gateway", []any{g.Ports, g.Protocols, g.CORS, g.PortMonitoring, g.Title, g.Prefetch, g.Description},
		[]any{[]int{6000}, []Protocol{HTTP}, true, 60001, "RN50::openai on 6000, $UNSET and $", 7, ""})
	equal(t, "encoder", []any{e.Model, e.Device, e.MinibatchSize, e.Backend}, []any{"RN50::openai", "cuda:1", 48, Torch})
}

// TestRefused holds every message for the files in testdata/refused, place included.
func TestRefused(t *testing.T) {
	files, err := filepath.Glob("testdata/refused/*.yml")
	if err != nil || len(files) == 0 {
		t.Fatal(err, files)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		_, err = Parse(strings.NewReader(string(data)), filepath.Base(file), Options{Dir: "testdata/refused", LookupEnv: environ()})
		var all Errors
		if !errors.As(err, &all) {
			t.Fatalf("%s: got %v, want Errors", file, err)
		}
		got, golden := all.Error()+"\n", strings.TrimSuffix(file, ".yml")+".txt"
		if *update {
			if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if got != string(want) {
			t.Errorf("%s: got\n%swant\n%s", file, got, want)
		}
	}
}

// What shows after the file was read is reported at its place in the file, too.
func TestErrorsAtKeys(t *testing.T) {
	e := mustLoad(t, "replicas_round_robin.yml").Executors[0]
	path := filepath.Join("testdata", "accepted", "replicas_round_robin.yml")
	equal(t, "model", e.Errorf("name", "no model %s", "x").Error(), path+":10:15: no model x")
	equal(t, "env", e.Errorf("env", "no GPU").Error(), path+":20:7: no GPU")
	equal(t, "not given", e.Errorf("dtype2", "wrong").Error(), path+":6:5: wrong")
	file := mustLoad(t, "several_doors.yml").Executors[2]
	equal(t, "other file", file.Errorf("name", "no model").Error(), filepath.Join("testdata", "accepted", "encoder", "config.yml")+":3:9: no model")
}

// TestBatchingOfAModel shows which endpoint's setting holds for the model when a flow has several.
func TestBatchingOfAModel(t *testing.T) {
	check := func(endpoints string, want int) {
		t.Helper()
		e := Executor{DynamicBatching: map[string]DynamicBatching{}}
		for i, endpoint := range strings.Fields(endpoints) {
			e.DynamicBatching[endpoint] = DynamicBatching{PreferredBatchSize: i + 1}
		}
		if b := e.Batching(); (b == nil) != (want == 0) || b != nil && b.PreferredBatchSize != want {
			t.Errorf("%s: %v, want %d", endpoints, b, want)
		}
	}
	check("", 0)
	check("/rank / /default /encode", 4)
	check("/rank / /default", 3)
	check("/rank /", 2)
	check("/rank /other", 2)
}
