package onnx

import (
	"bufio"
	"fmt"
	"math"
	"os"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
)

// Wrap writes the model to path with new inputs and outputs. The nodes of before stand in front of the model's own, and
// make its old inputs; those of after follow. Both graphs' initializers must be small (Raw). External data keeps its
// place relative to the file, where the caller must put it.
func (m *Model) Wrap(path string, before, after *Graph) error {
	var head, tail []byte
	for _, n := range before.Nodes {
		head = appendMessage(head, 1, n.encode())
	}
	for _, n := range after.Nodes {
		tail = appendMessage(tail, 1, n.encode())
	}
	for _, i := range slices.Concat(before.Initializers, after.Initializers) {
		tail = appendMessage(tail, 5, i.encode(""))
	}
	for _, v := range before.Inputs {
		tail = appendMessage(tail, 11, v.encode())
	}
	for _, v := range after.Outputs {
		tail = appendMessage(tail, 12, v.encode())
	}
	size := len(head) + len(tail)
	for _, f := range m.graph {
		size += len(f.raw)
	}
	total := size
	for _, f := range m.fields {
		total += len(f.raw)
	}
	const slack = 64 // tag and length of the graph
	if total > math.MaxInt32-slack {
		return fmt.Errorf("the model would have %d bytes, a protocol buffer holds 2 GiB: export it with external data", total)
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(f, 1<<20)
	for _, f := range m.fields {
		w.Write(f.raw) // errors of w stay until Flush
	}
	w.Write(protowire.AppendVarint(protowire.AppendTag(nil, 7, protowire.BytesType), uint64(size)))
	w.Write(head)
	for _, f := range m.graph {
		w.Write(f.raw)
	}
	w.Write(tail)
	err = w.Flush()
	if closed := f.Close(); err == nil {
		err = closed
	}
	return err
}

// Has says whether a name is made by a node or an initializer of the model, or is an input.
func (m *Model) Has(name string) bool {
	_, made := m.producer[name]
	_, constant := m.dims[name]
	return made || constant || slices.ContainsFunc(m.Inputs, func(v Value) bool { return v.Name == name })
}

// Rename gives a value of the top graph another name wherever nodes read or make it.
func (m *Model) Rename(from, to string) {
	for i, f := range m.graph {
		if f.number != 1 {
			continue
		}
		node, _ := protowire.ConsumeBytes(f.raw[protowire.SizeTag(1):])
		var out []byte
		changed := false
		_ = each(node, func(n protowire.Number, raw, value []byte, _ uint64) error { // it was parsed before
			if (n == 1 || n == 2) && string(value) == from {
				changed = true
				raw = appendString(nil, n, to)
			}
			out = append(out, raw...)
			return nil
		})
		if changed {
			m.graph[i].raw = appendMessage(nil, 1, out)
		}
	}
}
