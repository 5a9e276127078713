package jinajson

import (
	"math"
	"math/big"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
)

// reference is what appendFloat32 is to write, by strconv.
func reference(v float32) string {
	a := math.Abs(float64(v))
	switch {
	case math.IsNaN(a) || math.IsInf(a, 0):
		return "null"
	case v == 0 || float32(a) >= 1e-6 && float32(a) < 1e21:
		s := strconv.FormatFloat(float64(v), 'f', -1, 32)
		if !strings.Contains(s, ".") {
			s += ".0"
		}
		return s
	}
	return strconv.FormatFloat(float64(v), 'e', -1, 32)
}

// isTie reports whether v lies exactly between two numbers of the same length, of which strconv takes now the even one and
// now the greater one.
func isTie(v float32, a, b string) bool {
	exact := new(big.Rat).SetFloat64(float64(v))
	distance := func(s string) *big.Rat {
		r, _ := new(big.Rat).SetString(s)
		r.Sub(r, exact)
		return r.Abs(r)
	}
	return len(a) == len(b) && distance(a).Cmp(distance(b)) == 0
}

// TestFloat32IsShortest compares with strconv. With CLIPD_ALL_FLOATS set it takes every float32 rather than a sample, which
// takes minutes.
func TestFloat32IsShortest(t *testing.T) {
	var dst []byte
	check := func(bits uint32) {
		v := math.Float32frombits(bits)
		if dst = appendFloat32(dst[:0], v); string(dst) != reference(v) && !isTie(v, string(dst), reference(v)) {
			t.Fatalf("bits %#x: %s, want %s", bits, dst, reference(v))
		}
	}
	if os.Getenv("CLIPD_ALL_FLOATS") != "" {
		for bits := uint32(0); bits < 0x7F800001; bits++ {
			check(bits)
		}
	}
	for exponent := range uint32(256) {
		for _, fraction := range []uint32{0, 1, 2, 3, 1<<22 - 1, 1 << 22, 1<<22 + 1, 1<<23 - 2, 1<<23 - 1} {
			check(exponent<<23 | fraction)
			check(1<<31 | exponent<<23 | fraction)
		}
	}
	for power := -45; power < 39; power++ { // around powers of ten, where the number of digits and the form change
		bits := math.Float32bits(float32(math.Pow10(power)))
		for d := range uint32(20) {
			check(bits - 10 + d)
		}
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 300000 {
		check(r.Uint32())
		check(math.Float32bits(r.Float32()*2 - 1))
		check(math.Float32bits(float32(r.IntN(2000)) / 1000))
		check(math.Float32bits(float32(r.IntN(1 << 30))))
	}
}
