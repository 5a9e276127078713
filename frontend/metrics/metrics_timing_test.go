package metrics

import (
	"testing"
	"time"

	"clipd/engine"
)

// BenchmarkRequest is all that a request of one text costs in a batch of its own, here and in the engine's observer.
func BenchmarkRequest(b *testing.B) {
	m := New("")
	x := m.Executor("clip")
	inputs := []engine.Input{{Tower: engine.TextTower}}
	now := time.Now()
	b.ReportAllocs()
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			countOne(m, x, inputs, now)
		}
	})
}
