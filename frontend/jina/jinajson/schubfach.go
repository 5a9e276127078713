package jinajson

import (
	"encoding/binary"
	"math/big"
	"math/bits"
)

// putFloat32 writes the number whose bits are v, whatever it is, and returns its length.
func putFloat32(b *[float32Bytes]byte, v uint32) int {
	n := int(v >> 31)
	b[0] = '-' // overwritten when there is no sign
	fraction, exponent := v&(1<<23-1), int32(v>>23&0xFF)
	if exponent == 0xFF {
		return copy(b[:], "null")
	}
	if exponent == 0 && fraction == 0 {
		return n + copy(b[n:], "0.0")
	}
	digits, power := shortest(fraction, exponent)

	// Nine digits, as many as a float32 can need: one, and eight that are one word, the first one in its lowest byte.
	count := decimals(digits)
	digits *= powersOf10[9-count]
	point := power + int32(count) // the number is 0.digits × 10^point
	first := digits / 1e8
	rest := eightDigits(digits - first*1e8)
	kept := 9 - bits.LeadingZeros64(rest)/8 // without the zeros at the end
	rest |= 0x3030303030303030

	switch {
	case point > -6 && point <= 0:
		binary.LittleEndian.PutUint64(b[n:], 0x3030303030302E30) // 0.000000
		n += 2 - int(point)
		b[n] = '0' + byte(first)
		binary.LittleEndian.PutUint64(b[n+1:], rest)
		return n + kept
	case point > 0 && point <= 21:
		var text [9]byte
		text[0] = '0' + byte(first)
		binary.LittleEndian.PutUint64(text[1:], rest)
		whole := int(point)
		for i := range whole {
			b[n] = '0'
			if i < kept {
				b[n] = text[i]
			}
			n++
		}
		b[n] = '.'
		n++
		if kept <= whole {
			b[n] = '0'
			return n + 1
		}
		return n + copy(b[n:], text[whole:kept])
	}
	b[n] = '0' + byte(first)
	n++
	if kept > 1 {
		b[n] = '.'
		binary.LittleEndian.PutUint64(b[n+1:], rest)
		n += kept
	}
	b[n], b[n+1] = 'e', '+'
	if point--; point < 0 {
		b[n+1], point = '-', -point
	}
	b[n+2], b[n+3] = '0'+byte(point/10), '0'+byte(point%10)
	return n + 4
}

var powersOf10 = [10]uint32{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9}

// eightDigits returns the digits of v, below 10^8, one in each byte, the first one in the lowest: first two numbers of four
// digits, then four of two, then eight of one, each step in all parts of the word at once. 10486/2^20 is 1/100 for
// numbers below 10^4, and 103/2^10 is 1/10 for numbers below 100.
func eightDigits(v uint32) uint64 {
	high := v / 1e4
	x := uint64(high) | uint64(v-high*1e4)<<32
	hundreds := (x * 10486) >> 20 & 0x0000007F_0000007F
	x = hundreds | (x-hundreds*100)<<16
	tens := (x * 103) >> 10 & 0x000F000F_000F000F
	return tens | (x-tens*10)<<8
}

// decimals returns how many digits v, from 1 to 10^9-1, has. 1233/2^12 is log10(2).
func decimals(v uint32) int {
	n := bits.Len32(v) * 1233 >> 12
	return n + 1 - int(isLess(uint64(v), uint64(powersOf10[n])))
}

// shortest returns the decimal digits × 10^power that is nearest to the float32 with the given fraction and biased
// exponent (neither zero nor infinite), among those with the fewest digits that are read as that float32 again, apart
// from zeros at the end. The algorithm is Schubfach: Raffaello Giulietti, "The Schubfach way to render doubles", 2020.
func shortest(fraction uint32, exponent int32) (digits uint32, power int32) {
	c, q := fraction, int32(1-150) // the number is c × 2^q
	if exponent != 0 {
		c, q = fraction|1<<23, exponent-150
		if q > -24 && q <= 0 && c&(1<<-q-1) == 0 {
			return c >> -q, 0 // a whole number
		}
	}
	// The numbers that are read as c × 2^q lie between the middles to its neighbours; four times everything, so that the
	// middles are whole. Below a power of two the lower neighbour is nearer. The middles belong to even c.
	closer := uint32(0)
	k := q * 1262611 >> 22 // floor(log10(2^q))
	if fraction == 0 && exponent > 1 {
		closer = 1
		k = (q*1262611 - 524031) >> 22 // floor(log10(3/4 × 2^q))
	}
	h := uint32(q+(-k*1741647)>>19+1) & 31 // q + floor(log2(10^-k)) + 1
	g := scaledPowers[-k-minPower]
	odd := uint64(c & 1)
	lower := roundToOdd(g, (4*c-2+closer)<<h) + odd
	value := roundToOdd(g, 4*c<<h)
	upper := roundToOdd(g, (4*c+2)<<h) - odd

	// Candidates are the multiples of ten on both sides, then the numbers s and s+1 on both sides. All four are below 2^32:
	// the sign of a difference of 64 bits tells which are within the middles, without branches that nobody can predict.
	s := value / 4
	t := s / 10 * 10
	under, over := isLess(4*t, lower), isLess(upper, 4*t+40)
	fewer, useFewer := t+10-10*over, -((under ^ over) & isLess(9, s))
	up := isLess(4*s+2, value+s&1) // the nearer one; ties go to the even one
	under, over = isLess(4*s, lower), isLess(upper, 4*s+4)
	exactly := under ^ over
	return uint32(fewer&useFewer | (s+up&^exactly+exactly&^over)&^useFewer), k
}

// isLess is 1 when a < b, else 0.
func isLess(a, b uint64) uint64 { return (a - b) >> 63 }

// roundToOdd returns g × v / 2^64, with the lowest bit set when something was cut off: comparisons come out as with the
// true value.
func roundToOdd(g uint64, v uint32) uint64 {
	high, low := bits.Mul64(g, uint64(v))
	return high | isLess(1, low>>32)
}

// minPower and maxPower are the powers of ten that float32 needs.
const (
	minPower = -31
	maxPower = 45
)

// scaledPowers holds 10^k × 2^e for k from minPower on, rounded up, e such that it has 64 bits.
var scaledPowers = makeScaledPowers()

func makeScaledPowers() (t [maxPower - minPower + 1]uint64) {
	for i := range t {
		k := i + minPower
		power := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(max(k, -k))), nil)
		if k >= 0 {
			if cut := power.BitLen() - 64; cut > 0 {
				power.Sub(power, big.NewInt(1)).Rsh(power, uint(cut)).Add(power, big.NewInt(1))
			} else {
				power.Lsh(power, uint(-cut))
			}
		} else {
			// 1/10^n has 64 bits when it is scaled by 2^(63 + the bits of 10^n), as 10^n is no power of two.
			scale := new(big.Int).Lsh(big.NewInt(1), uint(63+power.BitLen()))
			power.Quo(scale, power).Add(power, big.NewInt(1))
		}
		t[i] = power.Uint64()
	}
	return t
}
