package checkpoint

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"sort"
)

// maxHeader bounds the JSON header of a safetensors file; those of the largest CLIP models have 200 kB.
const maxHeader = 32 << 20

var safetensorsTypes = map[string]DType{
	"F32": Float32, "F16": Float16, "BF16": BFloat16, "F64": Float64,
	"I64": Int64, "I32": Int32, "I16": Int16, "I8": Int8, "U8": Uint8, "BOOL": Bool,
}

type safetensorsEntry struct {
	DType   string    `json:"dtype"`
	Shape   []int     `json:"shape"`
	Offsets *[2]int64 `json:"data_offsets"`
}

// isSafetensors says whether a file begins with the length of a JSON object and the object's brace.
func isSafetensors(data []byte) bool {
	return len(data) > 8 && data[8] == '{' && binary.LittleEndian.Uint64(data) <= maxHeader
}

// readSafetensors reads a file: 8 bytes length of the header (little-endian), the header (JSON: name to type,
// shape and place), then the data. See https://github.com/huggingface/safetensors#format.
func readSafetensors(file string, data []byte) ([]*Tensor, error) {
	if len(data) < 8 {
		return nil, fmt.Errorf("%s: %d bytes are too few for a safetensors file", file, len(data))
	}
	length := binary.LittleEndian.Uint64(data)
	if length > maxHeader || length > uint64(len(data)-8) {
		return nil, fmt.Errorf("%s: the safetensors header claims %d bytes; the file has %d and the limit is %d", file, length, len(data), maxHeader)
	}
	header, body := data[8:8+length], data[8+length:]
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(bytes.TrimRight(header, " \x00"), &raw); err != nil {
		return nil, fmt.Errorf("%s: the safetensors header at offset 8 is no JSON object: %w", file, err)
	}
	type span struct {
		begin, end int64
		name       string
	}
	var spans []span
	tensors := make([]*Tensor, 0, len(raw))
	for name, value := range raw {
		if name == "__metadata__" {
			continue
		}
		fail := func(format string, args ...any) ([]*Tensor, error) {
			return nil, fmt.Errorf("%s: tensor %q: %s", file, name, fmt.Sprintf(format, args...))
		}
		var e safetensorsEntry
		if err := json.Unmarshal(value, &e); err != nil {
			return fail("its header entry cannot be read: %v", err)
		}
		d, known := safetensorsTypes[e.DType]
		if !known {
			return fail("type %q is not supported", e.DType)
		}
		if e.Offsets == nil {
			return fail("it has no data_offsets")
		}
		begin, end := e.Offsets[0], e.Offsets[1]
		if begin < 0 || end < begin || end > int64(len(body)) {
			return fail("its data [%d, %d) lies outside the data section of %d bytes (which starts at offset %d)", begin, end, len(body), 8+length)
		}
		n, err := elements(e.Shape)
		if err != nil {
			return fail("%v", err)
		}
		if want := int64(n) * int64(d.Size()); end-begin != want {
			return fail("%s %v needs %d bytes, data_offsets give %d", e.DType, e.Shape, want, end-begin)
		}
		t, err := newTensor(name, d, e.Shape, nil, body[begin:end], 0)
		if err != nil {
			return fail("%v", err)
		}
		t.Origin = fmt.Sprintf("%s, offset %d", file, 8+int64(length)+begin)
		tensors = append(tensors, t)
		spans = append(spans, span{begin, end, name})
	}
	sort.Slice(spans, func(i, j int) bool {
		if spans[i].begin != spans[j].begin {
			return spans[i].begin < spans[j].begin
		}
		return spans[i].end < spans[j].end
	})
	for i := 1; i < len(spans); i++ {
		if spans[i].begin < spans[i-1].end {
			return nil, fmt.Errorf("%s: tensors %q and %q overlap at byte %d of the data section", file, spans[i-1].name, spans[i].name, spans[i].begin)
		}
	}
	return tensors, nil
}
