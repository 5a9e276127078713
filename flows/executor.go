package flows

import (
	"maps"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// identifier is what Python allows as a name; letters of other scripts count.
var identifier = regexp.MustCompile(`^[\p{L}_][\p{L}\p{N}_]*$`)

const encoderClass = "CLIPEncoder"

// maxExecutors bounds the models of one flow.
const maxExecutors = 64

// executors reads the list of executors. with holds the defaults of all of them, or is nil.
func (r *reader) executors(o *outline) []Executor {
	if o.executors == nil {
		return nil
	}
	if o.executors.kind != list || len(o.executors.items) == 0 || len(o.executors.items) > maxExecutors {
		r.fail(o.executors, "executors is a list of 1 to %d models, each beginning with a dash, not %s", maxExecutors, describeLength(o.executors))
		return nil
	}
	var all []Executor
	var needs []*value
	places := map[string]*value{}
	for i, v := range o.executors.items {
		d := r.executor(i, v, o)
		if before := places[d.Name]; before != nil {
			r.fail(v, "the name %s belongs to the executor on line %d already", quote(d.Name), before.line)
		}
		places[d.Name] = v
		needs = append(needs, d.needs)
		all = append(all, d.Executor)
	}
	r.checkNeeds(all, needs)
	return all
}

// mark remembers the places of values for Executor.Errorf.
func (d *draft) mark(found map[string]*value) {
	for key, v := range found {
		d.marks[key] = mark{v.source, v.line, v.column}
	}
}

func describeLength(v *value) string {
	if v.kind == list {
		return "a list of " + strconv.Itoa(len(v.items))
	}
	return v.describe()
}

// executor reads one item of the list: defaults of all executors first, then what stands under uses, then beside it.
func (r *reader) executor(index int, v *value, o *outline) *draft {
	d := &draft{at: map[string]*value{}}
	executorSection.setDefaults(d)
	encoderSection.setDefaults(&d.Executor)
	d.Name = "executor" + strconv.Itoa(index)
	d.marks = map[string]mark{"": {v.source, v.line, v.column}}
	if o.with != nil && o.with.kind == object {
		readSection(r, &executorSection, o.with, d, func(key string) bool {
			f := executorSection.find(key)
			return f == nil || !f.inherited
		})
	}
	shared := d.modules
	d.modules = nil
	if v = r.deployment(v); v == nil {
		d.foreign = true
		return d
	}
	if v.kind != object {
		r.fail(v, "an executor is an object with name and uses, not %s", v.describe())
		d.foreign = true
		return d
	}
	if uses := v.at("uses"); uses != nil && uses.kind != null {
		r.uses(d, uses)
	}
	d.mark(readSection(r, &executorSection, v, d, func(key string) bool { return key == "uses" }))
	delete(d.marks, "name") // the executor's own; for Errorf "name" is the model
	if len(d.modules) == 0 && d.hub == "" {
		d.modules = shared
	}
	if len(d.modules) == 0 && d.hub == "" && o.modules != nil {
		d.modules = o.modules.oneOrMore()
	}
	r.encoder(d, v)
	return d
}

// deployment gives the object of one executor: itself, what a named YAML file holds, or what stands under with: of a
// Deployment.
func (r *reader) deployment(v *value) *value {
	if v.kind == text {
		if !isYAMLPath(v.text) {
			r.fail(v, "an executor is an object with name and uses, or the path of a YAML file, not %s", v.describe())
			return nil
		}
		if v = r.include(v); v == nil {
			return nil
		}
	}
	if v.kind != object || (v.tag != "Deployment" && (v.at("jtype") == nil || v.at("jtype").text != "Deployment")) {
		return v
	}
	if with := v.at("with"); with != nil && with.kind == object {
		return with
	}
	return v
}

// uses reads the encoder: an object, or the name of a class, a module or a YAML file that says more.
func (r *reader) uses(d *draft, v *value) {
	if v.kind == text {
		switch name := strings.TrimPrefix(v.text, "!"); {
		case isYAMLPath(name):
			if v = r.include(v); v == nil {
				d.foreign = true
				return
			}
		case strings.Contains(name, "://"):
			r.hubExecutor(d, v)
			return
		default:
			r.usesClass(d, v, name)
			return
		}
	}
	if v.kind != object {
		r.fail(v, "uses is an object with jtype, with and metas, or the name of a class, not %s", v.describe())
		d.foreign = true
		return
	}
	if v.tag != "" {
		d.class = &value{kind: text, text: v.tag, source: v.source, line: v.line, column: v.column}
	}
	readSection(r, &usesSection, v, d, nil)
	if d.class == nil {
		d.class = &value{kind: text, text: encoderClass, source: v.source, line: v.line, column: v.column}
	}
}

// usesClass takes CLIPEncoder, or a module in front of it as in clip_server.executors.clip_torch.CLIPEncoder.
func (r *reader) usesClass(d *draft, v *value, name string) {
	class := *v
	if i := strings.LastIndexByte(name, '.'); i >= 0 {
		module := *v
		module.text = name[:i]
		d.modules = append(d.modules, &module)
		name = name[i+1:]
	}
	class.text = name
	d.class = &class
}

// encoder checks that the draft is a CLIP encoder and reads its arguments.
func (r *reader) encoder(d *draft, v *value) {
	switch {
	case d.foreign || d.external:
		return
	case d.class == nil && d.hub == "":
		r.fail(v, "executor %s has no uses, so there is nothing for it to run; write uses: {jtype: CLIPEncoder}", quote(d.Name))
		return
	case d.class != nil && d.class.text != encoderClass:
		hint := "; this server runs CLIP encoders (jtype: CLIPEncoder) and nothing else"
		if near := nearest(d.class.text, []string{encoderClass}); near != "" {
			hint = didYouMean(near)
		}
		r.fail(d.class, "executor %s uses %s, which is no CLIP encoder%s", quote(d.Name), d.class.describe(), hint)
		return
	}
	for _, arguments := range []*value{d.with, d.usesWith} {
		if arguments != nil {
			found := readSection(r, &encoderSection, arguments, &d.Executor, nil)
			d.mark(found)
			maps.Copy(d.at, found)
		}
	}
	d.Backend = r.backend(d)
	r.checkEncoder(d)
}

// checkEncoder refuses arguments that contradict each other.
func (r *reader) checkEncoder(d *draft) {
	device, runtime := d.at["device"], d.at["runtime"]
	onCPU, onGPU := d.Device == "cpu", strings.HasPrefix(d.Device, "cuda")
	switch {
	case d.Backend == TensorRT && onCPU:
		r.fail(device, "device is cpu, but the TensorRT backend (py_modules) runs on cuda only; use clip_onnx or clip_torch for the CPU")
	case (d.Runtime == "tensorrt" || d.Runtime == "cuda") && onCPU:
		r.fail(runtime, "runtime %s runs on cuda only, but device is cpu", d.Runtime)
	case d.Runtime == "openvino" && onGPU:
		r.fail(runtime, "runtime openvino runs on the CPU only, but device is %s", d.Device)
	case d.Runtime == "openvino" && d.Backend == TensorRT:
		r.fail(runtime, "runtime openvino contradicts the TensorRT backend (py_modules)")
	case d.Backend == TensorRT && d.Device == "":
		d.Device = "cuda"
	}
	if d.Preprocess == "gpu" && onCPU {
		r.fail(d.at["preprocess"], "preprocess is gpu, but device is cpu; write preprocess: auto or leave it out")
	} else if d.Preprocess == "gpu" && d.Runtime == "openvino" {
		r.fail(d.at["preprocess"], "preprocess is gpu, but runtime openvino runs on the CPU only; write preprocess: auto or leave it out")
	}
	if d.ModelPath != "" && d.at["name"] == nil {
		d.Model = "" // the default name says nothing about weights of the user's own
	} else if strings.TrimSpace(d.Model) == "" {
		r.fail(d.at["name"], "name of a model is empty; leave the key out for ViT-B-32::openai")
	}
}

// checkNeeds looks up the executors that others name in needs.
func (r *reader) checkNeeds(all []Executor, needs []*value) {
	names := []string{"gateway"}
	for _, e := range all {
		names = append(names, e.Name)
	}
	for _, v := range needs {
		if v == nil {
			continue
		}
		for _, item := range v.oneOrMore() {
			name, ok := r.text("needs", item)
			if !ok || name == "" {
				continue
			}
			known := false
			for _, n := range names {
				known = known || n == name
			}
			if !known {
				r.fail(item, "needs: there is no executor %s%s", quote(name), didYouMean(nearest(name, names)))
			}
		}
	}
}

func isYAMLPath(s string) bool {
	ext := strings.ToLower(filepath.Ext(s))
	return (ext == ".yml" || ext == ".yaml") && !strings.Contains(s, "://") && !strings.ContainsAny(s, "\n\r")
}
