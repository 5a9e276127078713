package flows

import (
	"sort"
	"strings"
)

// moduleBackends are the Python modules of CLIP-as-service's encoders, without folder or package.
var moduleBackends = map[string]Backend{
	"clip_torch":    Torch,
	"clip_onnx":     ONNX,
	"clip_trt":      TensorRT,
	"clip_tensorrt": TensorRT,
}

// hubBackends are the names of the same encoders on Jina's hub, in lower case.
var hubBackends = map[string]Backend{
	"cliptorchencoder":    Torch,
	"cliponnxencoder":     ONNX,
	"cliptensorrtencoder": TensorRT,
}

// backend finds the backend that the Python modules of an executor name; Auto when there are none.
func (r *reader) backend(d *draft) Backend {
	chosen, by := Auto, (*value)(nil)
	if d.hub != "" {
		chosen = d.hub
	}
	var unknown []*value
	for _, v := range d.modules {
		module, ok := r.text("py_modules", v)
		if !ok || module == "" {
			continue
		}
		b, known := moduleBackends[moduleName(module)]
		switch {
		case !known:
			unknown = append(unknown, v)
		case by != nil && b != chosen:
			r.fail(v, "py_modules names two backends, %s here and %s on line %d; keep one", b, chosen, by.line)
		default:
			chosen, by = b, v
		}
	}
	known := make([]string, 0, len(moduleBackends))
	for name := range moduleBackends {
		known = append(known, name)
	}
	sort.Strings(known)
	for _, v := range unknown {
		near := nearest(moduleName(v.text), known)
		if by != nil && near == "" {
			r.notice(v, entry{key: "py_modules", line: v.line, column: v.column}, "the module "+quote(v.text)+" is not read; "+
				"nothing in this server is Python.")
			continue
		}
		r.fail(v, "py_modules: %s is no module of a CLIP encoder; known are %s with any prefix%s", v.describe(), strings.Join(known, ", "), didYouMean(near))
	}
	return chosen
}

// moduleName strips folders, packages and .py: clip_server.executors.clip_torch and /a/b/clip_torch.py give clip_torch.
func moduleName(module string) string {
	module = module[strings.LastIndexAny(module, `/\`)+1:]
	module = strings.TrimSuffix(module, ".py")
	return module[strings.LastIndexByte(module, '.')+1:]
}

// hubExecutor takes jinahub://CLIPTorchEncoder, jinahub+docker://CLIPTorchEncoder/latest-gpu and
// jinaai://jina-ai/CLIPTorchEncoder:latest: nothing is fetched, the name chooses the backend.
func (r *reader) hubExecutor(d *draft, v *value) {
	scheme, path, _ := strings.Cut(v.text, "://")
	if strings.HasPrefix(scheme, "jina") {
		for _, part := range strings.FieldsFunc(path, func(c rune) bool { return c == '/' || c == ':' }) {
			if b := hubBackends[strings.ToLower(part)]; b != "" {
				d.hub = b
				return
			}
		}
	}
	d.foreign = true
	r.fail(v, "executor %s uses %s, which is no CLIP encoder that this server knows; write uses: {jtype: CLIPEncoder}", quote(d.Name), v.describe())
}
