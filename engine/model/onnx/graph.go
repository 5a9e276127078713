// Package onnx writes ONNX models with their weights in a file beside them, and puts nodes in front of models that
// exist. It knows the few messages of the format that this takes; see
// https://github.com/onnx/onnx/blob/main/onnx/onnx.proto3 for the field numbers.
package onnx

import (
	"fmt"
	"io"
	"slices"
)

// Type is an element type, numbered as in TensorProto.DataType.
type Type int32

// The element types that are used.
const (
	Float    Type = 1
	Uint8    Type = 2
	Int8     Type = 3
	Int32    Type = 6
	Int64    Type = 7
	Bool     Type = 9
	Float16  Type = 10
	Double   Type = 11
	BFloat16 Type = 16
)

// Size is the number of bytes of an element.
func (t Type) Size() int64 {
	switch t {
	case Uint8, Int8, Bool:
		return 1
	case Float16, BFloat16:
		return 2
	case Float, Int32:
		return 4
	case Int64, Double:
		return 8
	}
	panic(fmt.Sprintf("BUG: size of ONNX type %d", t))
}

// Dim is one axis of an input or output: a size, or a name when it is not fixed.
type Dim struct {
	Size int64
	Name string
}

// Value is an input or output of a graph.
type Value struct {
	Name  string
	Type  Type
	Shape []Dim
}

// Initializer is a constant of a graph. Write streams its elements, little-endian in C order; Raw holds them when
// they are few.
type Initializer struct {
	Name  string
	Type  Type
	Dims  []int64
	Raw   []byte
	Write func(w io.Writer) error

	offset int64 // in the data file
}

// Size is the number of bytes of the elements.
func (i *Initializer) Size() int64 {
	n := i.Type.Size()
	for _, d := range i.Dims {
		n *= d
	}
	return n
}

// Attribute of a node: Value is an int, a float32, a string or a []int64.
type Attribute struct {
	Name  string
	Value any
}

// Node is one operation.
type Node struct {
	Op              string
	Inputs, Outputs []string
	Attributes      []Attribute
}

// Graph is a model under construction. Nodes stand in the order in which they are added.
type Graph struct {
	Name            string
	Inputs, Outputs []Value
	Nodes           []Node
	Initializers    []*Initializer
	Prefix          string // before every name that the graph makes up

	count int
}

// Unique makes up a name.
func (g *Graph) Unique(what string) string {
	g.count++
	return fmt.Sprintf("%s%s_%d", g.Prefix, what, g.count)
}

// Op adds a node with one output and returns the output's name.
func (g *Graph) Op(op string, inputs []string, attributes ...Attribute) string {
	return g.OpN(op, 1, inputs, attributes...)[0]
}

// OpN adds a node with n outputs and returns their names.
func (g *Graph) OpN(op string, n int, inputs []string, attributes ...Attribute) []string {
	outputs := make([]string, n)
	for i := range outputs {
		outputs[i] = g.Unique(op)
	}
	g.Nodes = append(g.Nodes, Node{Op: op, Inputs: inputs, Outputs: outputs, Attributes: attributes})
	return slices.Clone(outputs)
}

// Rename gives the output of the last node that made it another name, that of a graph output.
func (g *Graph) Rename(from, to string) {
	for i := len(g.Nodes) - 1; i >= 0; i-- {
		for k, name := range g.Nodes[i].Outputs {
			if name == from {
				g.Nodes[i].Outputs[k] = to
				return
			}
		}
	}
	panic("BUG: no node makes " + from)
}

// Ints adds a constant vector of int64.
func (g *Graph) Ints(values ...int64) string {
	return g.constant(Int64, []int64{int64(len(values))}, int64Bytes(values))
}

// Int adds a constant scalar of int64.
func (g *Graph) Int(value int64) string { return g.constant(Int64, nil, int64Bytes([]int64{value})) }

// Int32s adds a constant vector of int32.
func (g *Graph) Int32s(values ...int32) string {
	return g.constant(Int32, []int64{int64(len(values))}, int32Bytes(values))
}

// Floats adds a constant of float32; nil dims make a scalar.
func (g *Graph) Floats(dims []int64, values ...float32) string {
	return g.constant(Float, dims, floatBytes(values))
}

// Scalar adds a scalar constant of the type float32, float16 or bfloat16.
func (g *Graph) Scalar(t Type, value float32) string {
	return g.constant(t, nil, AppendFloats(nil, t, []float32{value}))
}

func (g *Graph) constant(t Type, dims []int64, raw []byte) string {
	name := g.Unique("const")
	g.Initializers = append(g.Initializers, &Initializer{Name: name, Type: t, Dims: dims, Raw: raw})
	return name
}
