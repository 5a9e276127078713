package checkpoint

import "fmt"

// call gives the value of function(*arguments) for the few functions that are known.
func (u *unpickler) call(function any, arguments any) (any, error) {
	g, ok := function.(pyGlobal)
	if !ok {
		return nil, fmt.Errorf("it calls a %T, which is no function", function)
	}
	args, ok := arguments.(pyTuple)
	if !ok {
		return nil, fmt.Errorf("%s is called with a %T instead of a tuple", g, arguments)
	}
	switch {
	case g.name == "OrderedDict":
		return u.orderedDict(args)
	case g.name == "_rebuild_tensor_v2":
		return u.rebuildTensor(args)
	case g.name == "_rebuild_parameter":
		if len(args) >= 1 {
			if t, ok := args[0].(*pyTensor); ok {
				return t, nil
			}
		}
		return nil, fmt.Errorf("%s needs a tensor as first argument", g)
	case g.module == "torch.jit._pickle":
		if len(args) != 1 {
			return nil, fmt.Errorf("%s takes one argument, got %d", g, len(args))
		}
		return args[0], nil
	case g.module == "torch" && g.name == "Size" && len(args) == 1:
		return args[0], nil
	case g.module == "torch" && g.name == "device":
		return pyOpaque{"device"}, nil
	}
	return nil, fmt.Errorf("%s must not be called", g)
}

func (u *unpickler) orderedDict(args pyTuple) (any, error) {
	if err := u.spend(1); err != nil {
		return nil, err
	}
	d := &pyDict{}
	if len(args) == 0 {
		return d, nil
	}
	list, ok := args[0].(*pyList)
	if !ok || len(args) != 1 {
		return nil, fmt.Errorf("collections.OrderedDict takes nothing or one list of pairs")
	}
	if err := u.spend(len(list.items)); err != nil {
		return nil, err
	}
	d.pairs = make([]pyPair, 0, len(list.items))
	for _, item := range list.items {
		switch pair := item.(type) {
		case *pyList:
			if len(pair.items) == 2 {
				d.pairs = append(d.pairs, pyPair{pair.items[0], pair.items[1]})
				continue
			}
		case pyTuple:
			if len(pair) == 2 {
				d.pairs = append(d.pairs, pyPair{pair[0], pair[1]})
				continue
			}
		}
		return nil, fmt.Errorf("collections.OrderedDict got an item that is no pair")
	}
	return d, nil
}

// rebuildTensor reads (storage, offset, size, stride, requires_grad, backward_hooks[, metadata]).
func (u *unpickler) rebuildTensor(args pyTuple) (any, error) {
	if len(args) < 4 {
		return nil, fmt.Errorf("torch._utils._rebuild_tensor_v2 needs at least 4 arguments, got %d", len(args))
	}
	storage, ok := args[0].(pyStorage)
	if !ok {
		return nil, fmt.Errorf("torch._utils._rebuild_tensor_v2 got a %T as its storage", args[0])
	}
	offset, ok := args[1].(int64)
	if !ok || offset < 0 || offset > maxElements {
		return nil, fmt.Errorf("tensor offset %s is out of range", describe(args[1]))
	}
	shape, err := intTuple(args[2])
	if err != nil {
		return nil, fmt.Errorf("tensor size: %w", err)
	}
	strides, err := intTuple(args[3])
	if err != nil {
		return nil, fmt.Errorf("tensor stride: %w", err)
	}
	if err := u.spend(1 + len(shape) + len(strides)); err != nil {
		return nil, err
	}
	return &pyTensor{storage: storage, offset: int(offset), shape: shape, strides: strides}, nil
}

// maxRank is far above the 4 axes that the weights of a CLIP have.
const maxRank = 16

func intTuple(v any) ([]int, error) {
	t, ok := v.(pyTuple)
	if !ok || len(t) > maxRank {
		return nil, fmt.Errorf("expected a tuple of at most %d integers", maxRank)
	}
	out := make([]int, len(t))
	for i, item := range t {
		n, ok := item.(int64)
		if !ok || n < 0 || n > maxElements {
			return nil, fmt.Errorf("%s is no size between 0 and %d", describe(item), maxElements)
		}
		out[i] = int(n)
	}
	return out, nil
}

// persistent reads ('storage', type, key, location, count). The location (cuda:0 in OpenAI's files) does not matter.
func persistent(id any) (any, error) {
	t, ok := id.(pyTuple)
	if !ok || len(t) < 5 || t[0] != any("storage") {
		return nil, fmt.Errorf("persistent id is no ('storage', type, key, location, count)")
	}
	g, _ := t[1].(pyGlobal)
	d, known := storageTypes[g.name]
	if !known || g.module != "torch" {
		return nil, fmt.Errorf("storage type %s is not supported", describe(t[1]))
	}
	key, ok := t[2].(string)
	if !ok {
		return nil, fmt.Errorf("storage key %s is no string", describe(t[2]))
	}
	count, ok := t[4].(int64)
	if !ok || count < 0 || count > maxElements {
		return nil, fmt.Errorf("storage %s has a size of %s elements", describe(key), describe(t[4]))
	}
	return pyStorage{dtype: d, key: key, count: int(count)}, nil
}
