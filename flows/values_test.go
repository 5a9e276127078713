package flows

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// with gives a flow whose with: is one line.
func with(settings string) string { return "with: {" + settings + "}\n" + minimal }

// encoder gives a flow whose encoder has these arguments.
func encoder(arguments string) string {
	return "executors: [{uses: {with: {" + arguments + "}}}]\n"
}

func TestGatewayValues(t *testing.T) {
	refused(t, with("port: -1"), "f.yml:1:14: port is a whole number from 0 to 65535, not -1")
	refused(t, with("port: [1, 2]"), "f.yml:1:14: port lists 2 ports, but the protocols are 3 (grpc, http, websocket); give one port for all of them or one for each")
	refused(t, with("port: [1, 2], protocol: http"), "f.yml:1:14: port lists 2 ports, but the protocols are 1 (http); give one port for all of them or one for each")
	refused(t, with("port: [1, 2, 3, 4]"),
		"f.yml:1:14: port lists 4 ports, but the protocols are 3 (grpc, http, websocket); give one port for all of them or one for each")
	refused(t, with("port: [1, 1], protocol: [grpc, http]"), "f.yml:1:18: port 1 stands in the list twice")
	refused(t, with("port: []"), "f.yml:1:14: the list of ports is empty; leave the key out for port 51000")
	refused(t, with("port: $PORT"), `f.yml:1:14: port is a whole number from 0 to 65535, not "$PORT"; the environment variable PORT is not set`)
	refused(t, with("port: '${{ ENV.PORT }}'"), `f.yml:1:14: port is a whole number from 0 to 65535, not "$PORT"; the environment variable PORT is not set`)
	refused(t, with("port: 51000.5"), "f.yml:1:14: port is a whole number from 0 to 65535, not 51000.5")
	refused(t, with("protocol: https"), `f.yml:1:18: protocol is one of grpc, http, websocket, not "https"; write http with ssl_certfile and ssl_keyfile`)
	refused(t, with("protocol: [grpc, GRPC]"), "f.yml:1:25: protocol grpc stands in the list twice")
	refused(t, with("protocol: []"), "f.yml:1:18: the list of protocols is empty; leave the key out for grpc, http and websocket")
	refused(t, with("host: 'a:51000'"), `f.yml:1:14: host is an address or a name without a port, such as 0.0.0.0, ::1 or localhost, not "a:51000"`)
	refused(t, with("cors: off"), `f.yml:1:14: cors is true or false, not "off"; write false`)
	refused(t, with("cors: ture"), `f.yml:1:14: cors is true or false, not "ture"; did you mean "true"?`)
	refused(t, with("prefetch: 2000000"), "f.yml:1:18: prefetch is a whole number from 0 to 1048576, not 2000000")
	refused(t, with("timeout_send: -2"), "f.yml:1:22: timeout_send is a time in milliseconds, a whole number above 0 or -1 for no limit, not -2")
	refused(t, with("monitoring: yes, port_monitoring: 51000"), "f.yml:1:42: port 51000 is both port and port_monitoring")
	refused(t, with("title: [a]"), "f.yml:1:15: title is a text, not a list")
	refused(t, with("limits: 5"), "f.yml:1:16: limits is an object of keys and values, not 5")
	refused(t, with("limits: {max_image_bytes: 2000GiB}"),
		`f.yml:1:34: max_image_bytes is a number of bytes from 1 to 1024GiB such as 67108864 or 64MiB, not "2000GiB"`)
	refused(t, with("env: {A=B: 1}"), `f.yml:1:14: env: "A=B" is no name of an environment variable`)
	refused(t, with("env: {A: [1]}"), `f.yml:1:17: env: A is a text, not a list`)
	refused(t, with("expose_endpoints: '{'"), `f.yml:1:26: expose_endpoints is an object or its JSON text; as JSON "{" cannot be read: unexpected end of JSON input`)
	refused(t, with("expose_endpoints: {/a: {http_path: a, methods: [GTE], foo: 1}}"), `f.yml:1:43: http_path is a path such as /encode, not "a"`,
		`f.yml:1:56: methods is one of GET, POST, PUT, DELETE, PATCH, HEAD, OPTIONS, not "GTE"; did you mean "GET"?`,
		`f.yml:1:62: unknown key "foo" in expose_endpoints; known are http_path, methods, summary, tags`)
	refused(t, with("timout_ctrl: 5"), `f.yml:1:8: unknown key "timout_ctrl" in with; did you mean "timeout_ctrl"?`)
	refused(t, "gateway: {cros: true}\n"+minimal, `f.yml:1:11: unknown key "cros" in gateway; did you mean "cors"?`)
	refused(t, "port: 1\n"+minimal, `f.yml:1:1: the key "port" does not belong to the flow; it goes under with`)

	g := accepted(t, with("port: 0, host: '::1', prefetch: 0, timeout_send: 1500, limits: {max_image_bytes: 5KB, max_message_bytes: 1 GiB}, env: {N: 007, B: yes}")).Gateway
	equal(t, "gateway", []any{g.Ports, g.Host, g.Prefetch, g.TimeoutSend, g.Limits.MaxImageBytes, g.Limits.MaxMessageBytes, g.Env},
		[]any{[]int{0}, "::1", 0, 1500 * time.Millisecond, int64(5000), int64(1 << 30), map[string]string{"N": "007", "B": "yes"}})
	equal(t, "no limit", accepted(t, with("timeout_send: -1")).Gateway.TimeoutSend, time.Duration(0))
	equal(t, "one port", accepted(t, with("protocol: [http, grpc]")).Gateway.Ports, []int{51000})
	equal(t, "a port each", accepted(t, with("port: [1, 2, 3]")).Gateway.Protocols, allProtocols)
	equal(t, "free ports", accepted(t, with("port: [0, 0], protocol: [http, grpc]")).Gateway.Ports, []int{0, 0})
	equal(t, "one door", accepted(t, with("protocol: grpc")).Gateway.Protocols, []Protocol{GRPC})
	// gateway: goes before with:.
	equal(t, "both", accepted(t, "gateway: {port: 2}\n"+with("port: 1, cors: true")).Gateway.Ports, []int{2})
}

func TestEncoderValues(t *testing.T) {
	refused(t, encoder("device: CUDA"), `f.yml:1:36: device is cpu, cuda or cuda:N with the number of a GPU, not "CUDA"; did you mean "cuda"?`)
	refused(t, encoder("device: cuda:x"), `f.yml:1:36: device is cpu, cuda or cuda:N with the number of a GPU, not "cuda:x"; did you mean "cuda"?`)
	refused(t, encoder("dtype: int8"), `f.yml:1:35: dtype is one of fp32, fp16, bf16, not "int8"`)
	refused(t, encoder("minibatch_size: 0"), "f.yml:1:44: minibatch_size is a whole number from 1 to 65536, not 0")
	refused(t, encoder("access_paths: '@x'"), `f.yml:1:42: access_paths is '@r', '@c', '@m' or a combination such as '@r,c' or '@cc', not "@x"`)
	refused(t, encoder("name: ' '"), "f.yml:1:34: name of a model is empty; leave the key out for ViT-B-32::openai")
	refused(t, encoder("runtime: cuda, device: cpu"), "f.yml:1:37: runtime cuda runs on cuda only, but device is cpu")
	refused(t, encoder("runtime: openvino, device: cuda:0"), "f.yml:1:37: runtime openvino runs on the CPU only, but device is cuda:0")
	refused(t, "executors: [{uses: {py_modules: clip_trt, with: {device: cpu}}}]",
		"f.yml:1:58: device is cpu, but the TensorRT backend (py_modules) runs on cuda only; use clip_onnx or clip_torch for the CPU")
	refused(t, encoder("preprocess: gpu, device: cpu"), "f.yml:1:40: preprocess is gpu, but device is cpu; write preprocess: auto or leave it out")
	refused(t, encoder("preprocess: gpu, runtime: openvino"), "f.yml:1:40: preprocess is gpu, but runtime openvino runs on the CPU only; write preprocess: auto or leave it out")
	refused(t, encoder("preprocess: nvjpeg"), `f.yml:1:40: preprocess is one of auto, gpu, cpu, not "nvjpeg"; did you mean "gpu"?`)
	for _, where := range []string{"auto", "gpu", "cpu"} {
		equal(t, where, accepted(t, encoder("preprocess: "+where)).Executors[0].Preprocess, where)
	}
	equal(t, "left out", accepted(t, encoder("device: cpu")).Executors[0].Preprocess, "")
	refused(t, "executors: [{uses: {py_modules: clip_trt, with: {runtime: openvino}}}]",
		"f.yml:1:59: runtime openvino contradicts the TensorRT backend (py_modules)")
	refused(t, encoder("replicas: 2"), `f.yml:1:28: the key "replicas" does not belong to uses: with; it goes under executors`)
	e := accepted(t, encoder(`name: "'007'", access_paths: '@r[1:3]c, m', jit: no, threads: 3`)).Executors[0]
	equal(t, "encoder", []any{e.Model, e.AccessPaths, e.JIT, e.Threads}, []any{"007", "@r[1:3]c,m", false, 3})
	equal(t, "given", []any{e.Given("threads"), e.Given("lanes"), e.Given("")}, []any{true, false, false})
	refused(t, encoder("wide_lane: 2"), "f.yml:1:39: wide_lane is true or false, not 2")
	e = accepted(t, encoder("wide_lane: false, lanes: 2")).Executors[0]
	equal(t, "layout", []any{e.WideLane, e.Lanes, e.Given("wide_lane")}, []any{false, 2, true})
}

func TestExecutorValues(t *testing.T) {
	refused(t, "executors: [{uses: CLIPEncoder, external: true}]", "f.yml:1:43: external: true leaves the model to another server; this server runs "+
		"its models itself, so remove the executor or the key")
	refused(t, "executors: [{uses: CLIPEncoder, with: {}}]", `f.yml:1:33: the key "with" does not belong to executors; it goes under uses`)
	refused(t, "executors: [{uses: [a]}]", "f.yml:1:20: uses is an object with jtype, with and metas, or the name of a class, not a list")
	refused(t, "executors: [{name: gateway, uses: CLIPEncoder}]",
		`f.yml:1:20: name is an identifier (letters, digits and _, no digit first) other than gateway, not "gateway"`)
	refused(t, "executors: [{uses: CLIPEncoder, py_modules: my_encoder.py}]", `f.yml:1:45: py_modules: "my_encoder.py" is no module of a CLIP encoder; `+
		"known are clip_onnx, clip_tensorrt, clip_torch, clip_trt with any prefix")
	refused(t, "executors: [{uses: CLIPEncoder, uses_dynamic_batching: {/encode: {preferred_batch_size: 0, timeout: -1}}}]",
		"f.yml:1:89: preferred_batch_size is a whole number from 1 to 65536, not 0", "f.yml:1:101: timeout is a whole number from 0 to 600000 (milliseconds), not -1")
	refused(t, "executors:"+strings.Repeat("\n- uses: CLIPEncoder", 65), "f.yml:2:1: executors is a list of 1 to 64 models, each beginning with a dash, not a list of 65")
	// A mistake in the defaults of all executors is told once.
	refused(t, "with: {replicas: 0}\nexecutors:"+strings.Repeat("\n- uses: CLIPEncoder", 3), "f.yml:1:18: replicas is a whole number from 1 to 1024, not 0")

	f := accepted(t, "executors: [{uses: CLIPEncoder, py_modules: [executors/clip_onnx.py, C:\\x\\my_encoder.py]}]")
	equal(t, "backend", f.Executors[0].Backend, ONNX)
	equal(t, "notices", fmt.Sprint(f.Notices), `[f.yml:1:70: py_modules: the module "C:\\x\\my_encoder.py" is not read; nothing in this server is Python.]`)
	f = accepted(t, "gateway: {replicas: 3, timeout_ctrl: 1}\nexecutors: [{uses: CLIPEncoder, timeout_ctrl: 2}]")
	equal(t, "replicas of the gateway", f.Executors[0].Replicas, 1)
	equal(t, "each key once", len(f.Notices), 2)
}

func TestBackendOfModule(t *testing.T) {
	check := func(module string, want Backend) {
		t.Helper()
		if got := moduleBackends[moduleName(module)]; got != want {
			t.Errorf("%s: got %q, want %q", module, got, want)
		}
	}
	check("clip_server.executors.clip_torch", Torch)
	check("executors/clip_torch.py", Torch)
	check("/usr/lib/python3/clip_server/executors/clip_onnx.py", ONNX)
	check(`C:\clip\clip_onnx.py`, ONNX)
	check("clip_tensorrt", TensorRT)
	check("clip_trt.py", TensorRT)
	check("clip_torch2", "")
	check("", "")
}

func TestManyMistakesAreCut(t *testing.T) {
	_, err := Parse(strings.NewReader(strings.Repeat("a: b\n", 1000)), "f.yml", Options{})
	lines := strings.Split(err.Error(), "\n")
	equal(t, "lines", len(lines), maxErrors+1)
	equal(t, "last", lines[maxErrors], "f.yml: and 949 more mistakes")
}

func TestNearest(t *testing.T) {
	check := func(word, want string) {
		t.Helper()
		if got := nearest(word, []string{"replicas", "retries", "port", "prefetch", "protocol"}); got != want {
			t.Errorf("%s: got %q, want %q", word, got, want)
		}
	}
	check("replcas", "replicas")
	check("Replicas", "replicas")
	check("rpelicas", "replicas")
	check("prot", "port")
	check("protocl", "protocol")
	check("x", "")
	check("completely", "")
	check("", "")
	check(strings.Repeat("port", 50), "")
	equal(t, "distance", []int{editDistance("ca", "ac"), editDistance("kitten", "sitting"), editDistance("", "abc"), editDistance("abc", "abc")}, []int{1, 3, 3, 0})
}

func TestShelves(t *testing.T) {
	equal(t, "shelves", accepted(t, "x-a: 1\nbasis: &b {port: 5}\nports: [6, 7]\nwith: {<<: *b, prefetch: '${{root.ports[1]}}'}\n"+minimal).Gateway.Prefetch, 7)
	refused(t, "wiht: &w {port: 5}\nwith: *w\n"+minimal, `f.yml:1:1: unknown key "wiht" in the flow; did you mean "with"?`)
	refused(t, "size: 1\nwith: {prefetch: '${{root.sizes}}'}\nsizes: 2\n"+minimal,
		`f.yml:1:1: unknown key "size" in the flow; known are jtype, version, with, gateway, executors, deployments, py_modules`)
}
