package jinajson

import (
	"encoding/binary"
	"math"
	"math/big"
	"math/bits"
	"slices"
)

// float32Bytes is more than the longest number that appendFloat32 writes, with its comma: -123456790000000000000.0 has 24.
const float32Bytes = 32

// appendFloat32s appends the values of little-endian float32 with commas between them: each the shortest number that is
// the value again when it is read as a float32. Whole numbers have a fraction of .0, as Python writes floats. What JSON
// cannot say, NaN and the infinities, is null.
func appendFloat32s(dst, values []byte) []byte {
	const atOnce = 64
	for len(values) >= 4 {
		part := values[:min(len(values), 4*atOnce)&^3]
		values = values[len(part):]
		n := len(dst)
		dst = slices.Grow(dst, len(part)/4*float32Bytes)
		n = putFloat32s(dst[:cap(dst)], n, part)
		if len(values) < 4 {
			n-- // no comma at the end
		}
		dst = dst[:n]
	}
	return dst
}

// putFloat32s writes the values with a comma after each to out[n:], which has float32Bytes for each, and returns where they
// end.
//
// Nearly all values of embeddings lie between 2^-19 and 1. For these, one multiplication gives the number in units of
// 10^-p, p such that it has nine digits (the first one may be a zero); among its roundings to units, tens and hundreds the
// last one that is read as the same float32 is the shortest. Hundreds are enough: what is read as the same float32 lies
// within less than 30 units, so a rounder number than that is also the nearest hundred.
func putFloat32s(out []byte, n int, values []byte) int {
	for ; len(values) >= 4; values = values[4:] {
		v := binary.LittleEndian.Uint32(values)
		b := (*[float32Bytes]byte)(out[n:])
		fraction, exponent := v&(1<<23-1), v>>23&0xFF
		if exponent-firstUnit >= uint32(len(units)) || fraction == 0 { // a power of two has neighbours at unequal distances
			n += putFloat32(b, v)
			out[n] = ','
			n++
			continue
		}
		u := &units[exponent-firstUnit]
		y, _ := bits.Mul64(uint64(fraction|1<<23)<<40, u.scale) // 32 bits before the point, 32 behind it
		lower, width := y-u.scale>>25, u.scale>>24              // from the middle to the lower neighbour to the upper middle
		whole := uint32(y >> 32)
		number := uint32((y + 1<<31) >> 32)
		// The middles are odd multiples of 2^-25 or less and no numbers with p ≤ 14 digits behind the point: none of the
		// candidates lies on one, nor so near to one that the errors of y and scale could matter.
		if tens := (whole + 5) / 10 * 10; uint64(tens)<<32-lower < width {
			number = tens
		}
		if hundreds := (whole + 50) / 100 * 100; uint64(hundreds)<<32-lower < width {
			number = hundreds
		}

		sign := v >> 31
		binary.LittleEndian.PutUint64(b[:], 0x3030303030302E30<<(8*sign)|uint64('-'*sign)) // 0.000000 or -0.00000
		at := (u.begin + int(sign)) & 15
		millions := number / 1e6
		number -= millions * 1e6
		thousands := number / 1e3
		number -= thousands * 1e3
		last := threeDigits[number&1023]
		binary.LittleEndian.PutUint32(b[at:], threeDigits[millions&1023])
		binary.LittleEndian.PutUint32(b[at+3:], threeDigits[thousands&1023])
		binary.LittleEndian.PutUint32(b[at+6:], last)
		end := at + 6 + int(last>>24)
		if number == 0 {
			for b[end-1] == '0' {
				end--
			}
		}
		b[end] = ','
		n += end + 1
	}
	return n
}

// appendFloat32 appends one value.
func appendFloat32(dst []byte, v float32) []byte {
	var b [4]byte
	binary.LittleEndian.PutUint32(b[:], math.Float32bits(v))
	return appendFloat32s(dst, b[:])
}

// threeDigits holds the digits of the numbers below 1000, the first one in the lowest byte, and in the highest byte how many
// of them are left without the zeros at the end.
var threeDigits = makeThreeDigits()

func makeThreeDigits() (t [1024]uint32) {
	for i := range uint32(1000) {
		kept := uint32(3)
		for zeros := uint32(10); kept > 0 && i%zeros == 0; zeros *= 10 {
			kept--
		}
		t[i] = '0' + i/100 | ('0'+i/10%10)<<8 | ('0'+i%10)<<16 | kept<<24
	}
	return t
}

// unit is what numbers of one exponent are multiplied with.
type unit struct {
	scale uint64 // value of the last bit × 10^p × 2^56
	begin int    // where the nine digits begin: p-9 zeros behind "0."
}

// firstUnit is the biased exponent of 2^-19.
const firstUnit = 127 - 19

var units = makeUnits()

func makeUnits() (t [19]unit) {
	for i := range t {
		e := firstUnit + i - 127 // numbers from 2^e to 2^(e+1)
		p, power := 0, big.NewInt(1)
		for { // the largest p for which 2^(e+1) × 10^p is not above 10^9
			next := new(big.Int).Mul(power, big.NewInt(10))
			if new(big.Int).Lsh(big.NewInt(1e9), uint(-e-1)).Cmp(next) < 0 {
				break
			}
			p, power = p+1, next
		}
		t[i] = unit{scale: power.Lsh(power, 56).Rsh(power, uint(23-e)).Uint64(), begin: 2 + p - 9}
	}
	return t
}
