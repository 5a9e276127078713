package onnx

import (
	"encoding/binary"
	"math"
)

// AppendFloats appends values to dst in the type t: float32, float16 or bfloat16, rounded to nearest even.
func AppendFloats(dst []byte, t Type, values []float32) []byte {
	le := binary.LittleEndian
	switch t {
	case Float:
		for _, v := range values {
			dst = le.AppendUint32(dst, math.Float32bits(v))
		}
	case Float16:
		for _, v := range values {
			dst = le.AppendUint16(dst, floatToHalf(v))
		}
	case BFloat16:
		for _, v := range values {
			dst = le.AppendUint16(dst, floatToBrain(v))
		}
	default:
		panic("BUG: not a floating-point type")
	}
	return dst
}

// floatToBrain rounds to bfloat16, the upper half of a float32.
func floatToBrain(f float32) uint16 {
	b := math.Float32bits(f)
	if b&0x7fffffff > 0x7f800000 {
		return uint16(b>>16) | 0x40 // NaN stays NaN
	}
	return uint16((b + 0x7fff + b>>16&1) >> 16)
}

// floatToHalf rounds to IEEE 754 binary16; what is too large becomes infinite.
func floatToHalf(f float32) uint16 {
	b := math.Float32bits(f)
	sign := uint16(b >> 16 & 0x8000)
	b &= 0x7fffffff
	switch {
	case b > 0x7f800000:
		return sign | 0x7e00
	case b >= 0x477ff000: // 65520 and more
		return sign | 0x7c00
	case b < 0x38800000: // below 2^-14: subnormal, a multiple of 2^-24
		return sign | uint16(math.RoundToEven(float64(math.Float32frombits(b))*(1<<24)))
	}
	b += 0xfff + b>>13&1
	return sign | uint16(b>>13-112<<10)
}

func int64Bytes(values []int64) []byte {
	var b []byte
	for _, v := range values {
		b = binary.LittleEndian.AppendUint64(b, uint64(v))
	}
	return b
}

func int32Bytes(values []int32) []byte {
	var b []byte
	for _, v := range values {
		b = binary.LittleEndian.AppendUint32(b, uint32(v))
	}
	return b
}

func floatBytes(values []float32) []byte { return AppendFloats(nil, Float, values) }
