package upload

import (
	"math"
	"strings"
	"testing"

	"clipd/frontend/limit"
)

// BenchmarkReceived looks at reads of 32 KiB, the size of grpc-go's: of frames of large messages, and of small messages
// in frames of their own.
func BenchmarkReceived(b *testing.B) {
	run := func(frames string) func(b *testing.B) {
		return func(b *testing.B) {
			w := NewBudget(Options{Bytes: limit.NewBytes(math.MaxInt64)}).Watch(nil, nil)
			w.Received([]byte(string(preface) + headers(1)))
			text := []byte(strings.Repeat(frames, max(1, 32<<10/len(frames))))
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				w.Received(text)
			}
		}
	}
	large := message(10*full-prefixSize, 10*full-prefixSize)
	var cut strings.Builder
	for ; large != ""; large = large[full:] {
		cut.WriteString(data(1, large[:full]))
	}
	b.Run("large", run(cut.String()))
	b.Run("100B", run(data(1, message(100, 100))))
	b.Run("10B", run(data(1, message(10, 10))))
}
