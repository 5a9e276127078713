package checkpoint

import (
	"encoding/binary"
	"fmt"
	"math"
	"unicode/utf8"
)

// Bounds of an unpickling. A CLIP's data.pkl has some 100 bytes and 10 memo entries a tensor: 0.2 MB for the largest, three times
// that with the state of its optimizer.
const (
	maxPickle = 16 << 20
	maxStack  = 1 << 20
	maxMemo   = 1 << 20
	// maxItems bounds what all tuples, lists, dicts and tensors hold together: through the memo a few bytes can ask for a
	// copy of a long list again and again.
	maxItems = 4 << 20
)

// unpickler runs the part of the pickle machine (protocols 2 to 5) that torch.save and torch.jit.save use.
type unpickler struct {
	in    []byte
	at    int
	stack []any
	marks []int
	memo  map[uint32]any
	items int // made so far, at most maxItems
}

// unpickle returns the one object of a pickle. It executes nothing: see allowed and call.
func unpickle(in []byte) (any, error) {
	if len(in) > maxPickle {
		return nil, fmt.Errorf("the pickle has %d bytes, the limit is %d", len(in), maxPickle)
	}
	u := &unpickler{in: in, memo: map[uint32]any{}}
	for {
		start := u.at
		op, err := u.byte()
		if err != nil {
			return nil, fmt.Errorf("the pickle ends at offset %d without STOP", start)
		}
		if op == '.' {
			v, err := u.pop()
			if err != nil {
				return nil, fmt.Errorf("pickle offset %d: %w", start, err)
			}
			return v, nil
		}
		if err := u.step(op); err != nil {
			return nil, fmt.Errorf("pickle offset %d, opcode %#02x: %w", start, op, err)
		}
		if len(u.stack) > maxStack || len(u.marks) > maxStack {
			return nil, fmt.Errorf("pickle offset %d: more than %d values on the stack", start, maxStack)
		}
	}
}

func (u *unpickler) take(n uint64) ([]byte, error) {
	if n > uint64(len(u.in)-u.at) {
		return nil, fmt.Errorf("%d bytes wanted, %d left", n, len(u.in)-u.at)
	}
	b := u.in[u.at : u.at+int(n)]
	u.at += int(n)
	return b, nil
}

func (u *unpickler) byte() (byte, error) {
	b, err := u.take(1)
	if err != nil {
		return 0, err
	}
	return b[0], nil
}

// uint reads a little-endian number of n bytes.
func (u *unpickler) uint(n uint64) (uint64, error) {
	b, err := u.take(n)
	if err != nil {
		return 0, err
	}
	var v uint64
	for i := len(b) - 1; i >= 0; i-- {
		v = v<<8 | uint64(b[i])
	}
	return v, nil
}

// line reads up to a newline, which is dropped.
func (u *unpickler) line() (string, error) {
	const longest = 1024
	for i := u.at; i < len(u.in) && i-u.at <= longest; i++ {
		if u.in[i] == '\n' {
			s := string(u.in[u.at:i])
			u.at = i + 1
			return s, nil
		}
	}
	return "", fmt.Errorf("a name without an end of line within %d bytes", longest)
}

// counted reads a length of n bytes and then as many bytes.
func (u *unpickler) counted(n uint64) ([]byte, error) {
	length, err := u.uint(n)
	if err != nil {
		return nil, err
	}
	return u.take(length)
}

// spend counts items before they are made.
func (u *unpickler) spend(n int) error {
	if n > maxItems-u.items {
		return fmt.Errorf("the objects hold more than %d items", maxItems)
	}
	u.items += n
	return nil
}

func (u *unpickler) push(v any) { u.stack = append(u.stack, v) }

// floor is the height of the stack at the last mark: nothing below it can be popped.
func (u *unpickler) floor() int {
	if len(u.marks) == 0 {
		return 0
	}
	return u.marks[len(u.marks)-1]
}

func (u *unpickler) pop() (any, error) {
	if len(u.stack) <= u.floor() {
		return nil, fmt.Errorf("the stack is empty")
	}
	v := u.stack[len(u.stack)-1]
	u.stack[len(u.stack)-1] = nil
	u.stack = u.stack[:len(u.stack)-1]
	return v, nil
}

func (u *unpickler) pop2() (below, top any, err error) {
	if top, err = u.pop(); err == nil {
		below, err = u.pop()
	}
	return below, top, err
}

// popMark removes the last mark and returns a copy of what lay above it.
func (u *unpickler) popMark() ([]any, error) {
	if len(u.marks) == 0 {
		return nil, fmt.Errorf("there is no mark on the stack")
	}
	from := u.floor()
	u.marks = u.marks[:len(u.marks)-1]
	items := append([]any(nil), u.stack[from:]...)
	clear(u.stack[from:])
	u.stack = u.stack[:from]
	return items, nil
}

func (u *unpickler) top() (any, error) {
	if len(u.stack) <= u.floor() {
		return nil, fmt.Errorf("the stack is empty")
	}
	return u.stack[len(u.stack)-1], nil
}

func (u *unpickler) store(index uint64) error {
	v, err := u.top()
	if err != nil {
		return err
	}
	if len(u.memo) >= maxMemo {
		return fmt.Errorf("more than %d memo entries", maxMemo)
	}
	u.memo[uint32(index)] = v
	return nil
}

func (u *unpickler) load(index uint64) error {
	v, ok := u.memo[uint32(index)]
	if !ok {
		return fmt.Errorf("memo entry %d was never stored", index)
	}
	u.push(v)
	return nil
}

func (u *unpickler) pushText(b []byte) error {
	if !utf8.Valid(b) {
		return fmt.Errorf("a string is not valid UTF-8")
	}
	u.push(string(b))
	return nil
}

func (u *unpickler) pushGlobal(module, name string) error {
	g := pyGlobal{module, name}
	if !allowed(g) {
		return fmt.Errorf("it names %q: only tensors and plain containers may be in a checkpoint; nothing was executed", g.String())
	}
	u.push(g)
	return nil
}

// long reads a two's complement little-endian integer.
func long(b []byte) (int64, error) {
	if len(b) > 8 {
		return 0, fmt.Errorf("an integer of %d bytes is too large", len(b))
	}
	if len(b) == 0 {
		return 0, nil
	}
	var full [8]byte
	if b[len(b)-1]&0x80 != 0 {
		full = [8]byte{255, 255, 255, 255, 255, 255, 255, 255}
	}
	copy(full[:], b)
	return int64(binary.LittleEndian.Uint64(full[:])), nil
}

func bigEndianFloat(b []byte) float64 { return math.Float64frombits(binary.BigEndian.Uint64(b)) }
