package onnx

import (
	"fmt"
	"math"
	"strconv"

	"google.golang.org/protobuf/encoding/protowire"
)

// irVersion 10 goes with opset 21 and is read by every runtime that knows opset 20.
const irVersion = 10

// Opset is the version of the operators that graphs of this package use: the first with Gelu.
const Opset = 20

func appendString(b []byte, field protowire.Number, s string) []byte {
	return protowire.AppendString(protowire.AppendTag(b, field, protowire.BytesType), s)
}

func appendMessage(b []byte, field protowire.Number, m []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, field, protowire.BytesType), m)
}

func appendInt(b []byte, field protowire.Number, v int64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, field, protowire.VarintType), uint64(v))
}

// encode makes a ModelProto. dataFile is the name, without folder, of the file with the large initializers.
func (g *Graph) encode(dataFile string) []byte {
	var m []byte
	m = appendInt(m, 1, irVersion)
	m = appendString(m, 2, "clipd")
	m = appendMessage(m, 7, g.encodeGraph(dataFile))
	return appendMessage(m, 8, appendInt(nil, 2, Opset))
}

func (g *Graph) encodeGraph(dataFile string) []byte {
	var b []byte
	for _, n := range g.Nodes {
		b = appendMessage(b, 1, n.encode())
	}
	b = appendString(b, 2, g.Name)
	for _, i := range g.Initializers {
		b = appendMessage(b, 5, i.encode(dataFile))
	}
	for _, v := range g.Inputs {
		b = appendMessage(b, 11, v.encode())
	}
	for _, v := range g.Outputs {
		b = appendMessage(b, 12, v.encode())
	}
	return b
}

func (n Node) encode() []byte {
	var b []byte
	for _, s := range n.Inputs {
		b = appendString(b, 1, s)
	}
	for _, s := range n.Outputs {
		b = appendString(b, 2, s)
	}
	b = appendString(b, 3, n.Outputs[0])
	b = appendString(b, 4, n.Op)
	for _, a := range n.Attributes {
		b = appendMessage(b, 5, a.encode())
	}
	return b
}

// Values of AttributeProto.AttributeType.
const (
	attributeFloat  = 1
	attributeInt    = 2
	attributeString = 3
	attributeInts   = 7
)

func (a Attribute) encode() []byte {
	b := appendString(nil, 1, a.Name)
	switch v := a.Value.(type) {
	case float32:
		b = protowire.AppendFixed32(protowire.AppendTag(b, 2, protowire.Fixed32Type), math.Float32bits(v))
		return appendInt(b, 20, attributeFloat)
	case int:
		return appendInt(appendInt(b, 3, int64(v)), 20, attributeInt)
	case string:
		return appendInt(appendString(b, 4, v), 20, attributeString)
	case []int64:
		for _, i := range v {
			b = appendInt(b, 8, i)
		}
		return appendInt(b, 20, attributeInts)
	}
	panic(fmt.Sprintf("BUG: attribute %s of type %T", a.Name, a.Value))
}

func (i *Initializer) encode(dataFile string) []byte {
	var b []byte
	for _, d := range i.Dims {
		b = appendInt(b, 1, d)
	}
	b = appendInt(b, 2, int64(i.Type))
	b = appendString(b, 8, i.Name)
	if i.Raw != nil {
		return appendMessage(b, 9, i.Raw)
	}
	entry := func(key, value string) {
		b = appendMessage(b, 13, appendString(appendString(nil, 1, key), 2, value))
	}
	entry("location", dataFile)
	entry("offset", strconv.FormatInt(i.offset, 10))
	entry("length", strconv.FormatInt(i.Size(), 10))
	const external = 1 // TensorProto.DataLocation
	return appendInt(b, 14, external)
}

func (v Value) encode() []byte {
	var shape []byte
	for _, d := range v.Shape {
		var dim []byte
		if d.Name != "" {
			dim = appendString(nil, 2, d.Name)
		} else {
			dim = appendInt(nil, 1, d.Size)
		}
		shape = appendMessage(shape, 1, dim)
	}
	tensor := appendMessage(appendInt(nil, 1, int64(v.Type)), 2, shape)
	return appendMessage(appendString(nil, 1, v.Name), 2, appendMessage(nil, 1, tensor))
}
