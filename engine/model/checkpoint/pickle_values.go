package checkpoint

import "fmt"

// What a checkpoint's pickle may hold. Anything that is not one of these is refused by name, and nothing is
// ever called: constructors are recognised and replaced by plain data.
type (
	pyTuple []any
	pyList  struct{ items []any }
	// pyDict keeps its pairs in order; of equal keys the last one counts.
	pyDict struct{ pairs []pyPair }
	pyPair struct{ key, value any }
	// pyGlobal is a name such as torch.FloatStorage: only a name.
	pyGlobal struct{ module, name string }
	// pyObject is an instance of a TorchScript class: the bag of its attributes.
	pyObject struct {
		class pyGlobal
		state *pyDict
	}
	pyStorage struct {
		dtype DType
		key   string // entry data/<key>
		count int
	}
	pyTensor struct {
		storage        pyStorage
		offset         int
		shape, strides []int
	}
	pyOpaque struct{ what string } // recognised and of no interest, e.g. a device
)

// get finds the value of a string key.
func (d *pyDict) get(key string) (any, bool) {
	for i := len(d.pairs) - 1; i >= 0; i-- {
		if k, ok := d.pairs[i].key.(string); ok && k == key {
			return d.pairs[i].value, true
		}
	}
	return nil, false
}

// describe is a value for a message. Containers are named by their type only: written out, a few that share each other
// can be endless.
func describe(v any) string {
	switch v := v.(type) {
	case nil:
		return "None"
	case string:
		return fmt.Sprintf("%.80q", v)
	case bool, int64, float64, pyGlobal:
		return fmt.Sprint(v)
	}
	return fmt.Sprintf("a %T", v)
}

func (g pyGlobal) String() string { return g.module + "." + g.name }

var storageTypes = map[string]DType{
	"FloatStorage": Float32, "HalfStorage": Float16, "BFloat16Storage": BFloat16, "DoubleStorage": Float64,
	"LongStorage": Int64, "IntStorage": Int32, "ShortStorage": Int16, "CharStorage": Int8, "ByteStorage": Uint8,
	"BoolStorage": Bool,
}

// typeNames are the torch.dtype objects that an optimizer's state or a config may mention.
var typeNames = map[string]bool{
	"float32": true, "float16": true, "bfloat16": true, "float64": true, "int64": true, "int32": true,
	"int16": true, "int8": true, "uint8": true, "bool": true,
}

// allowed says whether a pickle may name this global at all.
func allowed(g pyGlobal) bool {
	switch g.module {
	case "collections":
		return g.name == "OrderedDict"
	case "torch._utils":
		return g.name == "_rebuild_tensor_v2" || g.name == "_rebuild_parameter"
	case "torch":
		_, storage := storageTypes[g.name]
		return storage || typeNames[g.name] || g.name == "Size" || g.name == "device"
	case "torch.jit._pickle":
		switch g.name {
		case "build_intlist", "build_doublelist", "build_boollist", "build_tensorlist":
			return true
		}
		return false
	}
	return scriptClass(g)
}

// scriptClass says whether the global is a class compiled into a TorchScript archive (its code is not read).
func scriptClass(g pyGlobal) bool {
	const root = "__torch__"
	return g.module == root || len(g.module) > len(root) && g.module[:len(root)+1] == root+"."
}
