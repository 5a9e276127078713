package jinajson

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"strconv"
	"testing"
)

func BenchmarkFloat32s(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	buf := make([]byte, 0, 4*512*16)
	for range 512 * 16 {
		buf = binary.LittleEndian.AppendUint32(buf, math.Float32bits(float32(r.NormFloat64()*0.05)))
	}
	var dst []byte
	b.Run("own", func(b *testing.B) {
		for b.Loop() {
			dst = appendFloat32s(dst[:0], buf)
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/(512*16), "ns/number")
	})
	b.Run("strconv", func(b *testing.B) {
		for b.Loop() {
			dst = dst[:0]
			for i := 0; i < len(buf); i += 4 {
				dst = append(strconv.AppendFloat(dst, float64(math.Float32frombits(binary.LittleEndian.Uint32(buf[i:]))), 'g', -1, 32), ',')
			}
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/(512*16), "ns/number")
	})
}
