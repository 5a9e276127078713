package flows

import (
	"regexp"
	"strings"
)

// encoderSection are the arguments of the encoder.
var encoderSection = section[Executor]{name: "uses: with", fields: []field[Executor]{
	textField("name", "ViT-B-32::openai", "the model; `demo` is the small one that comes with the server; with `model_path`, may be left out", func(e *Executor) *string { return &e.Model }),
	{name: "device", typ: "`cpu`, `cuda`, `cuda:0`, …", def: "a GPU if there is one, else the CPU",
		doc: "where the model runs; the TensorRT backend knows `cuda` only", read: readDevice},
	wordField("dtype", []string{"fp32", "fp16", "bf16"}, otherDTypes, "what is best on the device",
		"precision of the arithmetic; embeddings are float32 always", func(e *Executor) *string { return &e.DType }),
	boolField("jit", "where nothing is stored for this machine, measure `lanes`, `threads`, `wide_lane` and `minibatch_size` at start, for up to 20 s, and keep the best ([tuning.md](tuning.md))", func(e *Executor) *bool { return &e.JIT }),
	textField("model_path", "", "weights of your own: a checkpoint file or folder, or a folder with `textual.onnx` and `visual.onnx`", func(e *Executor) *string { return &e.ModelPath }),
	intField("minibatch_size", 32, 1, 1<<16, "most inputs of one batch", func(e *Executor) *int { return &e.MinibatchSize }),
	intField("num_worker_preprocess", 4, 1, 1024, "threads that prepare pictures and texts", func(e *Executor) *int { return &e.NumWorkerPreprocess }),
	wordField("preprocess", []string{"auto", "gpu", "cpu"},
		map[string]string{"cuda": `did you mean "gpu"?`, "nvjpeg": `did you mean "gpu"?`, "host": `did you mean "cpu"?`}, "auto",
		"where JPEGs are decoded and resized: `auto` on the GPU where the runtime can, `gpu` there or not at all, `cpu` on the processor; a key of this server only",
		func(e *Executor) *string { return &e.Preprocess }),
	{name: "access_paths", synonyms: []string{"traversal_paths"}, typ: "text", def: "'@r'",
		doc:    "documents to encode: `'@r'` roots, `'@c'` their chunks, `'@m'` their matches, `'@r,c'` both; in quotes, as YAML keeps `@` to itself",
		setDef: func(e *Executor) { e.AccessPaths = "@r" }, read: readAccessPaths},
	wordField("runtime", []string{"openvino", "onnxruntime", "tensorrt", "cuda"},
		map[string]string{"ort": `did you mean "onnxruntime"?`, "onnx": `did you mean "onnxruntime"?`, "trt": `did you mean "tensorrt"?`},
		"chosen by backend and device", "what computes the model; a key of this server only", func(e *Executor) *string { return &e.Runtime }),
	intField("lanes", 0, 0, 64, "batches that a replica computes at a time; 0 = chosen by the server; a key of this server only",
		func(e *Executor) *int { return &e.Lanes }),
	intField("threads", 0, 0, 1024, "CPU threads of a replica; 0 = its share of the cores; a key of this server only",
		func(e *Executor) *int { return &e.Threads }),
	boolField("wide_lane", "let small requests of texts have a lane with all threads, where the runtime and the memory allow it; a key of this server only",
		func(e *Executor) *bool { return &e.WideLane }).on(func(e *Executor) *bool { return &e.WideLane }),
	bytesField("cache_bytes", 0, 0, maxByteSize, "bytes for a cache of embeddings by the content of texts and pictures; 0 = none; a key of this server only",
		func(e *Executor) *int64 { return &e.CacheBytes }),
}}

// otherDTypes are names that other programs have for the precisions.
var otherDTypes = map[string]string{
	"float32": `did you mean "fp32"?`, "float": `did you mean "fp32"?`, "f32": `did you mean "fp32"?`, "torch.float32": `did you mean "fp32"?`,
	"float16": `did you mean "fp16"?`, "half": `did you mean "fp16"?`, "f16": `did you mean "fp16"?`, "torch.float16": `did you mean "fp16"?`,
	"bfloat16": `did you mean "bf16"?`, "torch.bfloat16": `did you mean "bf16"?`,
}

var deviceName = regexp.MustCompile(`^(?:cpu|cuda(?::[0-9]{1,3})?)$`)

func readDevice(r *reader, e *Executor, v *value) {
	if v.kind == text && deviceName.MatchString(v.text) {
		e.Device = v.text
		return
	}
	hint := ""
	switch word := strings.ToLower(v.text); {
	case v.kind != text:
	case strings.HasPrefix(word, "gpu"), strings.HasPrefix(word, "nvidia"):
		hint = didYouMean("cuda")
	case deviceName.MatchString(word):
		hint = didYouMean(word)
	default:
		hint = didYouMean(nearest(v.text, []string{"cpu", "cuda"}))
	}
	r.fail(v, "device is cpu, cuda or cuda:N with the number of a GPU, not %s%s", v.describe(), hint+undefinedVariable(v))
}

// accessPath is docarray's grammar of traversal paths without its attribute filters: r, c or m, each perhaps with a
// slice, one after another; several paths with commas between.
var accessPath = regexp.MustCompile(`^@[rcm](?:[-0-9:]+|\[[-0-9:]+\])?(?:,?[rcm](?:[-0-9:]+|\[[-0-9:]+\])?)*$`)

func readAccessPaths(r *reader, e *Executor, v *value) {
	s, ok := r.text("access_paths", v)
	if !ok {
		return
	}
	path := strings.Join(strings.Fields(s), "")
	if !accessPath.MatchString(path) {
		hint := ""
		if accessPath.MatchString("@" + path) {
			hint = didYouMean("@" + path)
		}
		r.fail(v, "access_paths is '@r', '@c', '@m' or a combination such as '@r,c' or '@cc', not %s%s", v.describe(), hint)
		return
	}
	e.AccessPaths = path
}
