package checkpoint

import (
	"encoding/binary"
	"math"
	"slices"
	"strings"
	"testing"
)

func TestHalfToFloat(t *testing.T) {
	// Each half is sign * 2^(e-15) * 1.f, or sign * 2^-14 * 0.f; math.Ldexp says so independently.
	for h := range 1 << 16 {
		sign, e, f := 1.0, h>>10&31, float64(h&1023)
		if h>>15 == 1 {
			sign = -1
		}
		want := sign * math.Ldexp(1+f/1024, e-15)
		if e == 0 {
			want = sign * math.Ldexp(f/1024, -14)
		}
		got := halfToFloat(uint16(h))
		if e == 31 {
			if f == 0 && !math.IsInf(float64(got), int(sign)) || f != 0 && got == got {
				t.Fatalf("half %#04x = %v", h, got)
			}
			continue
		}
		if float64(got) != want || math.Signbit(float64(got)) != (sign < 0) {
			t.Fatalf("half %#04x = %v, expected %v", h, got, want)
		}
	}
}

func TestConvertEachType(t *testing.T) {
	check := func(d DType, raw []byte, want ...float32) {
		t.Helper()
		got := make([]float32, len(want))
		convert(got, raw, d)
		if !slices.Equal(got, want) {
			t.Errorf("%s % x = %v, expected %v", d, raw, got, want)
		}
	}
	check(Float32, []byte{0, 0, 0xc0, 0x3f}, 1.5)
	check(Float16, []byte{0, 0x3e}, 1.5)
	check(BFloat16, []byte{0xc0, 0x3f}, 1.5)
	check(Float64, []byte{0, 0, 0, 0, 0, 0, 0xf8, 0x3f}, 1.5)
	check(Int64, []byte{255, 255, 255, 255, 255, 255, 255, 255}, -1)
	check(Int32, []byte{254, 255, 255, 255}, -2)
	check(Int16, []byte{253, 255}, -3)
	check(Int8, []byte{252}, -4)
	check(Uint8, []byte{252, 1}, 252, 1)
	check(Bool, []byte{1, 0}, 1, 0)
}

func TestStridedTensor(t *testing.T) {
	var storage []byte
	for i := range 12 {
		storage = binary.LittleEndian.AppendUint32(storage, math.Float32bits(float32(i)))
	}
	transposed, err := newTensor("t", Float32, []int{3, 2}, []int{1, 4}, storage, 1)
	if err != nil {
		t.Fatal(err)
	}
	got := make([]float32, 6)
	if err := transposed.Floats(got, 0); err != nil || !slices.Equal(got, []float32{1, 5, 2, 6, 3, 7}) {
		t.Errorf("transposed = %v, %v", got, err)
	}
	if err := transposed.Floats(got[:2], 3); err != nil || !slices.Equal(got[:2], []float32{6, 3}) {
		t.Errorf("elements 3 and 4 = %v, %v", got[:2], err)
	}
	if transposed.Bytes() != nil {
		t.Error("a strided tensor gave its bytes as if they were contiguous")
	}
	same, err := newTensor("t", Float32, []int{1, 3, 4}, []int{99, 4, 1}, storage, 0)
	if err != nil || same.Bytes() == nil {
		t.Errorf("a stride of an axis of one element matters: %v", err)
	}
	check := func(want string, shape, strides []int, offset int) {
		t.Helper()
		if _, err := newTensor("t", Float32, shape, strides, storage, offset); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("shape %v strides %v offset %d: %v, expected %q", shape, strides, offset, err, want)
		}
	}
	check("the storage has 12", []int{13}, []int{1}, 0)
	check("the storage has 12", []int{12}, []int{1}, 1)
	check("the storage has 12", []int{2, 2}, []int{11, 1}, 0)
	check("starts at element 13", []int{1}, []int{1}, 13)
	check("negative", []int{-1}, []int{1}, 0)
	check("out of range", []int{2}, []int{-1}, 0)
	check("differ in length", []int{2}, []int{1, 1}, 0)
	check("reaches too far", []int{1 << 32}, []int{1 << 32}, 0)
}
