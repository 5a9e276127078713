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
func putFloat32s(out []byte, n int, values []byte) int {
	for i := 0; i+4 <= len(values); i += 4 {
		v := binary.LittleEndian.Uint32(values[i:])
		b := (*[float32Bytes]byte)(out[n:])
		if v>>23&0xFF-firstUnit < unitCount && v<<9 != 0 { // a power of two has neighbours at unequal distances
			n += putFraction(b, v)
		} else {
			n += putFloat32(b, v)
		}
		out[n] = ','
		n++
	}
	return n
}

// putFraction writes a number from 2^-19 to 1, as nearly all values of embeddings are, but no power of two, and returns its
// length.
//
// One multiplication gives the number in units of 10^-p, p such that half of the distance to the neighbours is between 0.5
// and 5 units. So the nearest unit is always read as the same float32, and of rounder numbers the nearest ten may be,
// or none is: that is the shortest number. There are no branches that depend on digits, since nobody could predict them.
func putFraction(b *[float32Bytes]byte, v uint32) int {
	u := &units[(v>>23-firstUnit)&31]
	y, _ := bits.Mul64(uint64(v|1<<23)<<40, u.scale) // 28 bits before the point, 36 behind it
	half := u.scale >> 25
	number := uint32((y + 1<<35) >> 36)
	tens := (uint32(y>>36) + 5) / 10 * 10
	// The middles to the neighbours are odd multiples of 2^-25 or less and no numbers with p ≤ 13 digits behind the point: no
	// ten lies on one, nor so near to one that the errors of y and half, 3 × 2^-36, could matter.
	_, within := bits.Sub64(uint64(tens)<<36-(y-half), 2*half, 0)
	number += (tens - number) & -uint32(within)

	// Nine digits, of which the first may be zeros, behind "0." and p-9 more zeros; with p = 8 the first one is the zero
	// before the point.
	sign := int(v >> 31)
	at := (u.begin + sign) & 15
	thousands := number / 1e3
	last := threeDigits[(number-thousands*1e3)&1023]
	millions := thousands / 1e3
	binary.LittleEndian.PutUint64(b[:], 0x3030303030303000|'-')
	binary.LittleEndian.PutUint32(b[at:], threeDigits[millions&1023])
	binary.LittleEndian.PutUint32(b[at+3:], threeDigits[(thousands-millions*1e3)&1023])
	binary.LittleEndian.PutUint32(b[at+6:], last)
	binary.LittleEndian.PutUint16(b[sign:], 0x2E30)
	end := at + 6 + int(last>>24)
	if last>>24 == 0 {
		for b[end-1] == '0' {
			end--
		}
	}
	return end
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
	scale uint64 // value of the last bit × 10^p × 2^60
	begin int    // where the nine digits begin in a number without a sign
}

const (
	firstUnit = 127 - 19 // the biased exponent of 2^-19
	unitCount = 19       // up to 2^-1
)

var units = makeUnits()

func makeUnits() (t [32]unit) {
	for i := range unitCount {
		last := 23 + 127 - (firstUnit + i) // the last bit is worth 2^-last
		p, power := 0, big.NewInt(1)
		for power.BitLen() <= last { // until 10^p / 2^last, twice the half, is at least 1
			p++
			power.Mul(power, big.NewInt(10))
		}
		t[i] = unit{scale: power.Lsh(power, 60).Rsh(power, uint(last)).Uint64(), begin: 2 + p - 9}
	}
	return t
}
