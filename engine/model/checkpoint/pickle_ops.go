package checkpoint

import "fmt"

// step runs one opcode (names as in Python's pickletools).
func (u *unpickler) step(op byte) error {
	switch op {
	case 0x80: // PROTO
		v, err := u.byte()
		if err == nil && (v < 2 || v > 5) {
			err = fmt.Errorf("pickle protocol %d is not supported", v)
		}
		return err
	case 0x95: // FRAME
		_, err := u.take(8)
		return err
	case '(': // MARK
		u.marks = append(u.marks, len(u.stack))
	case '0': // POP
		_, err := u.pop()
		return err
	case '1': // POP_MARK
		_, err := u.popMark()
		return err
	case 'N':
		u.push(nil)
	case 0x88:
		u.push(true)
	case 0x89:
		u.push(false)
	case 'K', 'M', 'J', 0x8a, 'G': // BININT1, BININT2, BININT, LONG1, BINFLOAT
		return u.number(op)
	case 'X', 0x8c, 0x8d, 'U', 'T', 'B', 'C', 0x8e: // strings and bytes
		return u.text(op)
	case 'q', 'r', 'h', 'j', 0x94: // BINPUT, LONG_BINPUT, BINGET, LONG_BINGET, MEMOIZE
		return u.memory(op)
	case ')', 't', 0x85, 0x86, 0x87: // tuples
		return u.tuple(op)
	case ']', 'l', 'a', 'e', '}', 'd', 's', 'u': // lists and dicts
		return u.container(op)
	case 'c', 0x93, 'R', 0x81, 'b', 'Q': // GLOBAL, STACK_GLOBAL, REDUCE, NEWOBJ, BUILD, BINPERSID
		return u.object(op)
	default:
		return fmt.Errorf("the opcode is not one that checkpoints use")
	}
	return nil
}

func (u *unpickler) number(op byte) error {
	switch op {
	case 'K', 'M', 'J':
		size := map[byte]uint64{'K': 1, 'M': 2, 'J': 4}[op]
		v, err := u.uint(size)
		if err != nil {
			return err
		}
		if op == 'J' {
			v = uint64(int64(int32(v)))
		}
		u.push(int64(v))
	case 0x8a:
		b, err := u.counted(1)
		if err != nil {
			return err
		}
		v, err := long(b)
		if err != nil {
			return err
		}
		u.push(v)
	case 'G':
		b, err := u.take(8)
		if err != nil {
			return err
		}
		u.push(bigEndianFloat(b))
	}
	return nil
}

func (u *unpickler) text(op byte) error {
	size := map[byte]uint64{'X': 4, 0x8c: 1, 0x8d: 8, 'U': 1, 'T': 4, 'B': 4, 'C': 1, 0x8e: 8}[op]
	b, err := u.counted(size)
	if err != nil {
		return err
	}
	if op == 'B' || op == 'C' || op == 0x8e {
		u.push(pyOpaque{"bytes"})
		return nil
	}
	return u.pushText(b)
}

func (u *unpickler) memory(op byte) error {
	if op == 0x94 {
		return u.store(uint64(len(u.memo)))
	}
	size := map[byte]uint64{'q': 1, 'r': 4, 'h': 1, 'j': 4}[op]
	index, err := u.uint(size)
	if err != nil {
		return err
	}
	if op == 'q' || op == 'r' {
		return u.store(index)
	}
	return u.load(index)
}

func (u *unpickler) tuple(op byte) error {
	switch op {
	case ')':
		u.push(pyTuple{})
		return nil
	case 't':
		items, err := u.popMark()
		if err == nil {
			err = u.spend(len(items))
		}
		if err != nil {
			return err
		}
		u.push(pyTuple(items))
		return nil
	}
	n := int(op-0x85) + 1
	if err := u.spend(n); err != nil {
		return err
	}
	items := make(pyTuple, n)
	for i := n - 1; i >= 0; i-- {
		v, err := u.pop()
		if err != nil {
			return err
		}
		items[i] = v
	}
	u.push(items)
	return nil
}

func (u *unpickler) container(op byte) error {
	var items []any
	var err error
	switch op {
	case ']':
		u.push(&pyList{})
		return nil
	case '}':
		u.push(&pyDict{})
		return nil
	case 'l', 'd', 'e', 'u':
		items, err = u.popMark()
	case 'a':
		items = make([]any, 1)
		items[0], err = u.pop()
	case 's':
		items = make([]any, 2)
		items[0], items[1], err = u.pop2()
	}
	if err == nil {
		err = u.spend(len(items))
	}
	if err != nil {
		return err
	}
	switch op {
	case 'l':
		u.push(&pyList{})
	case 'd':
		u.push(&pyDict{})
	}
	target, err := u.top()
	if err != nil {
		return err
	}
	switch t := target.(type) {
	case *pyList:
		if op == 'l' || op == 'a' || op == 'e' {
			t.items = append(t.items, items...)
			return nil
		}
	case *pyDict:
		if (op == 'd' || op == 's' || op == 'u') && len(items)%2 == 0 {
			for i := 0; i < len(items); i += 2 {
				t.pairs = append(t.pairs, pyPair{items[i], items[i+1]})
			}
			return nil
		}
	}
	return fmt.Errorf("%d items cannot be added to a %T", len(items), target)
}

func (u *unpickler) object(op byte) error {
	switch op {
	case 'c':
		module, err := u.line()
		if err != nil {
			return err
		}
		name, err := u.line()
		if err != nil {
			return err
		}
		return u.pushGlobal(module, name)
	case 0x93:
		m, n, err := u.pop2()
		if err != nil {
			return err
		}
		module, ok1 := m.(string)
		name, ok2 := n.(string)
		if !ok1 || !ok2 {
			return fmt.Errorf("a global is named by a %T and a %T", m, n)
		}
		return u.pushGlobal(module, name)
	case 'Q':
		id, err := u.pop()
		if err != nil {
			return err
		}
		v, err := persistent(id)
		if err != nil {
			return err
		}
		u.push(v)
		return nil
	}
	function, argument, err := u.pop2()
	if err != nil {
		return err
	}
	switch op {
	case 'R':
		v, err := u.call(function, argument)
		if err != nil {
			return err
		}
		u.push(v)
	case 0x81: // NEWOBJ: an instance of a TorchScript class
		class, ok := function.(pyGlobal)
		if !ok || !scriptClass(class) {
			return fmt.Errorf("%s is made into an object; only TorchScript classes may be", describe(function))
		}
		if err := u.spend(1); err != nil {
			return err
		}
		u.push(&pyObject{class: class, state: &pyDict{}})
	case 'b': // BUILD: set the attributes of the object below
		return u.build(function, argument)
	}
	return nil
}

func (u *unpickler) build(target, state any) error {
	switch t := target.(type) {
	case *pyObject:
		d, ok := state.(*pyDict)
		if !ok {
			return fmt.Errorf("the state of a %s is a %T, not a dict", t.class, state)
		}
		t.state = d
	case *pyDict: // attributes of an OrderedDict, such as _metadata: of no interest
	default:
		return fmt.Errorf("a %T has no attributes to set", target)
	}
	u.push(target)
	return nil
}
