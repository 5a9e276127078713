package checkpoint

import (
	"fmt"
	"strings"
)

// Bounds of the walk over what was unpickled: shared and cyclic references must not make it long, nor the names that it
// joins. The largest CLIP has some 2000 tensors with names of at most 100 bytes.
const (
	maxDepth   = 64
	maxNodes   = 1 << 20
	maxTensors = 1 << 16
	maxName    = 1024
)

// readTorch reads the tensors of a zip written by torch.jit.save (an object tree) or torch.save (a dict of tensors,
// or one under the key state_dict).
func readTorch(file string, data []byte) ([]*Tensor, Format, error) {
	a, err := openArchive(file, data)
	if err != nil {
		return nil, "", err
	}
	pickle, err := a.read("data.pkl")
	if err != nil {
		return nil, "", err
	}
	root, err := unpickle(pickle)
	if err != nil {
		return nil, "", fmt.Errorf("%s: data.pkl at offset %d cannot be read: %w", file, a.offset("data.pkl"), err)
	}
	format := FormatStateDict
	w := &torchWalk{archive: a, names: map[string]int{}}
	switch r := root.(type) {
	case *pyObject:
		format = FormatTorchScript
		err = w.attributes("", r.state, 0)
	case *pyDict:
		for _, key := range []string{"state_dict", "model_state_dict"} {
			if inner, ok := r.get(key); ok {
				if d, ok := inner.(*pyDict); ok {
					r = d
				}
			}
		}
		err = w.stateDict(r)
	default:
		err = fmt.Errorf("%s: data.pkl holds a %T, not a state_dict or a TorchScript module", file, root)
	}
	if err != nil {
		return nil, "", err
	}
	if len(w.tensors) == 0 {
		return nil, "", fmt.Errorf("%s: there is no tensor in data.pkl", file)
	}
	return w.tensors, format, nil
}

type torchWalk struct {
	archive *archive
	tensors []*Tensor
	names   map[string]int // name to index of tensors
	nodes   int
}

// attributes descends into the modules of a TorchScript archive; the path of attribute names is a tensor's name.
func (w *torchWalk) attributes(prefix string, state *pyDict, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("%s: modules are nested more than %d deep at %q", w.archive.file, maxDepth, prefix)
	}
	for _, pair := range state.pairs {
		if w.nodes++; w.nodes > maxNodes {
			return fmt.Errorf("%s: more than %d attributes", w.archive.file, maxNodes)
		}
		key, ok := pair.key.(string)
		if !ok {
			return fmt.Errorf("%s: attribute name %s under %q is no string", w.archive.file, describe(pair.key), prefix)
		}
		var err error
		switch v := pair.value.(type) {
		case *pyTensor:
			if err = w.checkName(prefix, key); err == nil {
				err = w.add(prefix+key, v)
			}
		case *pyObject:
			if err = w.checkName(prefix, key); err == nil {
				err = w.attributes(prefix+key+".", v.state, depth+1)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// checkName refuses a name that is too long, before its parts are joined.
func (w *torchWalk) checkName(prefix, key string) error {
	if len(prefix)+len(key) > maxName {
		return fmt.Errorf("%s: the tensor name that begins with %.80q is longer than %d bytes", w.archive.file, prefix[:min(len(prefix), 80)]+key[:min(len(key), 80)], maxName)
	}
	return nil
}

// stateDict adds the tensors of a flat dict. The prefixes that DistributedDataParallel and torch.compile put before every name
// are dropped.
func (w *torchWalk) stateDict(d *pyDict) error {
	for _, pair := range d.pairs {
		t, ok := pair.value.(*pyTensor)
		if !ok {
			continue
		}
		name, ok := pair.key.(string)
		if !ok {
			return fmt.Errorf("%s: tensor name %s is no string", w.archive.file, describe(pair.key))
		}
		if err := w.checkName("", name); err != nil {
			return err
		}
		name = strings.TrimPrefix(strings.TrimPrefix(name, "module."), "_orig_mod.")
		if err := w.add(name, t); err != nil {
			return err
		}
	}
	return nil
}

func (w *torchWalk) add(name string, p *pyTensor) error {
	entry := "data/" + p.storage.key
	storage, err := w.archive.read(entry)
	if err != nil {
		return fmt.Errorf("tensor %q: %w", name, err)
	}
	need := p.storage.count * p.storage.dtype.Size()
	if need > len(storage) {
		return fmt.Errorf("%s: tensor %q: entry %q at offset %d has %d bytes, %d %s elements need %d",
			w.archive.file, name, entry, w.archive.offset(entry), len(storage), p.storage.count, p.storage.dtype, need)
	}
	t, err := newTensor(name, p.storage.dtype, p.shape, p.strides, storage[:need], p.offset)
	if err != nil {
		return fmt.Errorf("%s: tensor %q in entry %q at offset %d: %w", w.archive.file, name, entry, w.archive.offset(entry), err)
	}
	t.Origin = fmt.Sprintf("%s, offset %d", w.archive.file, w.archive.offset(entry)+int64(p.offset*p.storage.dtype.Size()))
	if at, twice := w.names[name]; twice {
		w.tensors[at] = t // of equal keys of a dict the last one counts
		return nil
	}
	if len(w.tensors) >= maxTensors {
		return fmt.Errorf("%s: more than %d tensors", w.archive.file, maxTensors)
	}
	w.names[name] = len(w.tensors)
	w.tensors = append(w.tensors, t)
	return nil
}
