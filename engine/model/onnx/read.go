package onnx

import (
	"errors"
	"fmt"
	"path/filepath"

	"google.golang.org/protobuf/encoding/protowire"
)

// Model is an existing model: its bytes, and what of them is needed to put nodes in front. Weights are not copied.
type Model struct {
	Opset    int64 // version of the standard operators
	Inputs   []Value
	Outputs  []Value
	External []string // relative paths of the files with external data

	fields   []field          // of the ModelProto, without the graph
	graph    []field          // of the GraphProto, without inputs and outputs
	dims     map[string][]int // of the initializers
	producer map[string]nodeInfo
}

type field struct {
	number protowire.Number
	raw    []byte // with its tag
}

type nodeInfo struct {
	op     string
	inputs []string
	transB bool
}

var errWire = errors.New("it is no valid protocol buffer")

// each calls f for every field of a message: its number, its bytes with tag, and its value (of length-delimited
// fields) or number.
func each(message []byte, f func(n protowire.Number, raw, value []byte, number uint64) error) error {
	for len(message) > 0 {
		n, kind, tag := protowire.ConsumeTag(message)
		if tag < 0 {
			return errWire
		}
		size := protowire.ConsumeFieldValue(n, kind, message[tag:])
		if size < 0 {
			return errWire
		}
		raw := message[: tag+size : tag+size]
		var value []byte
		var number uint64
		switch kind {
		case protowire.BytesType:
			value, _ = protowire.ConsumeBytes(raw[tag:])
		case protowire.VarintType:
			number, _ = protowire.ConsumeVarint(raw[tag:])
		}
		if err := f(n, raw, value, number); err != nil {
			return err
		}
		message = message[tag+size:]
	}
	return nil
}

// Parse reads a model. data must stay unchanged while the Model is used.
func Parse(data []byte) (*Model, error) {
	m := &Model{dims: map[string][]int{}, producer: map[string]nodeInfo{}}
	var graph []byte
	err := each(data, func(n protowire.Number, raw, value []byte, _ uint64) error {
		switch n {
		case 7:
			if graph != nil {
				return errors.New("it has two graphs")
			}
			graph = value
			return nil
		case 8:
			if domain, version := parseOpset(value); domain == "" || domain == "ai.onnx" {
				m.Opset = version
			}
		}
		m.fields = append(m.fields, field{n, raw})
		return nil
	})
	if err == nil && graph == nil {
		err = errors.New("it has no graph")
	}
	if err == nil {
		err = m.parseGraph(graph)
	}
	if err != nil {
		return nil, fmt.Errorf("this is no ONNX model that can be read: %w", err)
	}
	return m, nil
}

func parseOpset(message []byte) (domain string, version int64) {
	_ = each(message, func(n protowire.Number, _, value []byte, number uint64) error { // a broken one leaves version 0
		switch n {
		case 1:
			domain = string(value)
		case 2:
			version = int64(number)
		}
		return nil
	})
	return domain, version
}

func (m *Model) parseGraph(graph []byte) error {
	var inputs []Value
	external := map[string]bool{}
	err := each(graph, func(n protowire.Number, raw, value []byte, _ uint64) error {
		switch n {
		case 1:
			if err := m.parseNode(value); err != nil {
				return err
			}
		case 5:
			location, err := m.parseInitializer(value)
			if err != nil {
				return err
			}
			if location != "" && !external[location] {
				external[location] = true
				m.External = append(m.External, location)
			}
		case 11, 12:
			v, err := parseValue(value)
			if err != nil {
				return err
			}
			if n == 11 {
				inputs = append(inputs, v)
			} else {
				m.Outputs = append(m.Outputs, v)
			}
			return nil
		}
		m.graph = append(m.graph, field{n, raw})
		return nil
	})
	for _, v := range inputs {
		if _, constant := m.dims[v.Name]; !constant { // old models list initializers as inputs too
			m.Inputs = append(m.Inputs, v)
		}
	}
	return err
}

func (m *Model) parseNode(message []byte) error {
	var info nodeInfo
	var outputs []string
	err := each(message, func(n protowire.Number, _, value []byte, _ uint64) error {
		switch n {
		case 1:
			info.inputs = append(info.inputs, string(value))
		case 2:
			outputs = append(outputs, string(value))
		case 4:
			info.op = string(value)
		case 5:
			name, number := "", uint64(0)
			err := each(value, func(n protowire.Number, _, value []byte, i uint64) error {
				switch n {
				case 1:
					name = string(value)
				case 3:
					number = i
				}
				return nil
			})
			info.transB = info.transB || name == "transB" && number == 1
			return err
		}
		return nil
	})
	for _, o := range outputs {
		m.producer[o] = info
	}
	return err
}

// parseInitializer notes the dims and returns the file with the data when it is external.
func (m *Model) parseInitializer(message []byte) (location string, err error) {
	name := ""
	var dims []int
	err = each(message, func(n protowire.Number, raw, value []byte, number uint64) error {
		switch n {
		case 1:
			if value == nil {
				dims = append(dims, int(number))
			}
			for len(value) > 0 { // packed
				d, size := protowire.ConsumeVarint(value)
				if size < 0 {
					return errWire
				}
				dims = append(dims, int(d))
				value = value[size:]
			}
		case 8:
			name = string(value)
		case 13:
			var key, text string
			err := each(value, func(n protowire.Number, _, value []byte, _ uint64) error {
				switch n {
				case 1:
					key = string(value)
				case 2:
					text = string(value)
				}
				return nil
			})
			if key == "location" {
				location = text
			}
			return err
		}
		return nil
	})
	m.dims[name] = dims
	if err == nil && location != "" && !filepath.IsLocal(location) {
		err = fmt.Errorf("weight %q is said to be in %q, which lies outside the model's folder", name, location)
	}
	return location, err
}

// parseValue reads a ValueInfoProto that is a tensor.
func parseValue(message []byte) (Value, error) {
	var v Value
	dim := func(message []byte) (d Dim, err error) {
		err = each(message, func(n protowire.Number, _, value []byte, number uint64) error {
			switch n {
			case 1:
				d.Size = int64(number)
			case 2:
				d.Name = string(value)
			}
			return nil
		})
		return d, err
	}
	tensor := func(n protowire.Number, _, value []byte, number uint64) error {
		switch n {
		case 1:
			v.Type = Type(number)
		case 2:
			return each(value, func(n protowire.Number, _, value []byte, _ uint64) error {
				d, err := dim(value)
				v.Shape = append(v.Shape, d)
				return err
			})
		}
		return nil
	}
	err := each(message, func(n protowire.Number, _, value []byte, _ uint64) error {
		switch n {
		case 1:
			v.Name = string(value)
		case 2:
			return each(value, func(n protowire.Number, _, value []byte, _ uint64) error {
				if n == 1 {
					return each(value, tensor)
				}
				return nil
			})
		}
		return nil
	})
	return v, err
}

// Columns is the size of an output's last axis, from its type or from the matrix that makes it; 0 when neither tells.
func (m *Model) Columns(v Value) int {
	if n := len(v.Shape); n > 0 && v.Shape[n-1].Size > 0 {
		return int(v.Shape[n-1].Size)
	}
	node := m.producer[v.Name]
	if (node.op == "MatMul" || node.op == "Gemm") && len(node.inputs) >= 2 {
		if dims := m.dims[node.inputs[1]]; len(dims) == 2 {
			if node.transB {
				return dims[0]
			}
			return dims[1]
		}
	}
	return 0
}
