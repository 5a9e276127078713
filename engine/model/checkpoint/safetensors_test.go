package checkpoint

import (
	"encoding/binary"
	"os"
	"strings"
	"testing"
)

func safetensors(header string, body int) []byte {
	data := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	return append(append(data, header...), make([]byte, body)...)
}

func TestSafetensorsErrorsNameTheTensor(t *testing.T) {
	check := func(header string, body int, want ...string) {
		t.Helper()
		_, err := readSafetensors("x.safetensors", safetensors(header, body))
		for _, w := range append(want, "x.safetensors") {
			if err == nil || !strings.Contains(err.Error(), w) {
				t.Errorf("header %s with %d bytes: %v; expected %q", header, body, err, w)
			}
		}
	}
	check(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}`, 7, `"a"`, "outside the data section of 7 bytes")
	check(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}`, 8, `"a"`, "needs 8 bytes")
	check(`{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}`, 8, `"a"`, "negative")
	check(`{"a":{"dtype":"F32","shape":[4294967296,4294967296,4294967296],"data_offsets":[0,4]}}`, 8, `"a"`, "more than")
	check(`{"a":{"dtype":"F8_E4M3","shape":[2],"data_offsets":[0,2]}}`, 8, `"a"`, `"F8_E4M3"`)
	check(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[8,4]}}`, 8, `"a"`, "[8, 4)")
	check(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[-4,0]}}`, 8, `"a"`)
	check(`{"a":{"dtype":"F32","shape":[1]}}`, 8, `"a"`, "data_offsets")
	check(`{"a":[]}`, 8, `"a"`)
	check(`[]`, 8, "offset 8")
	check(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}`, 8, `"a" and "b" overlap`)

	for _, data := range [][]byte{{}, {1, 2}, binary.LittleEndian.AppendUint64(nil, 1<<40), binary.LittleEndian.AppendUint64(nil, 1<<63)} {
		if _, err := readSafetensors("x", data); err == nil {
			t.Errorf("% x was read", data)
		}
	}
}

func TestEveryHeaderLengthIsRead(t *testing.T) {
	// The file begins with the length of its header, which may look like the beginning of another format.
	const header = `{"s":{"dtype":"F32","shape":[],"data_offsets":[0,4]}}`
	for _, length := range []int{
		0x280,    // 80 02: PyTorch before 1.6
		0x10280,  // the same with a higher byte
		0x3c20,   // " <": a web page
		0x3c3c,   // "<<"
		0x93c0a,  // "\n<\t"
		0x200000, // zeros
	} {
		data := safetensors(header+strings.Repeat(" ", length-len(header)), 4)
		c, err := OpenBytes("x.safetensors", data, nil)
		if err != nil || c.Format != FormatSafetensors || c.Tensor("s") == nil {
			t.Errorf("a header of %#x bytes: %v", length, err)
		}
	}
}

func TestSafetensorsScalarAndEmpty(t *testing.T) {
	data := safetensors(`{"__metadata__":{"format":"pt"},"s":{"dtype":"F32","shape":[],"data_offsets":[0,4]},"e":{"dtype":"F32","shape":[0,3],"data_offsets":[4,4]}}  `, 4)
	binary.LittleEndian.PutUint32(data[len(data)-4:], 0x3fc00000)
	c, err := OpenBytes("x", data, nil)
	if err != nil {
		t.Fatal(err)
	}
	var v [1]float32
	if err := c.Tensor("s").Floats(v[:], 0); err != nil || v[0] != 1.5 {
		t.Errorf("scalar = %v, %v", v, err)
	}
	if n := c.Tensor("e").Len(); n != 0 {
		t.Errorf("empty tensor has %d elements", n)
	}
	if err := c.Tensor("s").Floats(make([]float32, 2), 0); err == nil {
		t.Error("two elements were read from one")
	}
}

func FuzzSafetensors(f *testing.F) {
	data, err := os.ReadFile(models + "xlmr_gelu/open_clip_model.safetensors")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data[:9000])
	f.Add(safetensors(`{"a":{"dtype":"BF16","shape":[2,2],"data_offsets":[0,8]}}`, 8))
	f.Fuzz(func(t *testing.T, data []byte) {
		tensors, err := readSafetensors("fuzz", data)
		if err != nil {
			return
		}
		for _, tensor := range tensors {
			if err := tensor.Floats(make([]float32, tensor.Len()), 0); err != nil {
				t.Error(err)
			}
		}
	})
}
