package npy

import (
	"bytes"
	"encoding/binary"
	"math"
	"strings"
	"testing"
)

func TestWrite(t *testing.T) {
	var b bytes.Buffer
	if err := Write(&b, [][]float32{{1, -2.5, 3}, {4, 5, 6}}); err != nil {
		t.Fatal(err)
	}
	data := b.Bytes()
	n := int(binary.LittleEndian.Uint16(data[8:]))
	if (10+n)%64 != 0 || data[10+n-1] != '\n' {
		t.Errorf("header of %d bytes does not end on a multiple of 64 with a line break", n)
	}
	header := string(data[10 : 10+n])
	if !strings.HasPrefix(header, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }") {
		t.Errorf("header %q", header)
	}
	if len(data) != 10+n+24 || math.Float32frombits(binary.LittleEndian.Uint32(data[10+n+4:])) != -2.5 {
		t.Error("data")
	}
	if err := Write(&b, [][]float32{{1}, {2, 3}}); err == nil {
		t.Error("ragged rows were accepted")
	}
}
