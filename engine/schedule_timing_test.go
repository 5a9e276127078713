package engine

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
)

// freeLane is a runtime that costs nothing: what remains is the scheduler.
type freeLane struct{}

func (freeLane) RunTexts(t TextBatch, out []float32) error {
	for r := range t.Rows {
		out[r*testDim] = 1
	}
	return nil
}

func (freeLane) RunImages(_ []byte, rows, _ int, out []float32) error {
	return freeLane{}.RunTexts(TextBatch{Rows: rows}, out)
}

func (freeLane) Close() {}

// BenchmarkOverhead measures what the scheduler adds to an item: from the call of Embed to its return, tokenizing by a
// fake. One operation is one item: of one caller at a time, of many at once, and of large requests.
func BenchmarkOverhead(b *testing.B) {
	start := func(b *testing.B, lanes int, locked bool) *Model {
		all := make([]Slot, lanes)
		for i := range all {
			all[i] = Slot{Lane: freeLane{}, Locked: locked}
		}
		m, err := New(testSpec, runes{}, all, Options{})
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(m.Close)
		b.ReportAllocs()
		return m
	}
	embed := func(b *testing.B, m *Model, in []Input) {
		if _, err := m.Encode(context.Background(), in); err != nil {
			b.Error(err)
		}
	}
	one := func(caller int64) []Input { return []Input{text(fmt.Sprint("a photo of a cat ", caller))} }
	b.Run("locked/callers=1", func(b *testing.B) { // as lanes of a graphics card are
		m, in := start(b, 1, true), one(0)
		for b.Loop() {
			embed(b, m, in)
		}
	})
	for _, lanes := range []int{1, 2} {
		b.Run(fmt.Sprintf("lanes=%d/callers=1", lanes), func(b *testing.B) {
			m, in := start(b, lanes, false), one(0)
			for b.Loop() {
				embed(b, m, in)
			}
		})
		for _, callers := range []int{4, 64} {
			b.Run(fmt.Sprintf("lanes=%d/callers=%d", lanes, callers), func(b *testing.B) {
				m := start(b, lanes, false)
				b.SetParallelism(callers / 2)
				var next atomic.Int64
				b.RunParallel(func(pb *testing.PB) {
					in := one(next.Add(1))
					for pb.Next() {
						embed(b, m, in)
					}
				})
			})
		}
		b.Run(fmt.Sprintf("lanes=%d/request=256", lanes), func(b *testing.B) {
			m := start(b, lanes, false)
			many := make([]Input, 256)
			for i := range many {
				many[i] = one(int64(i))[0]
			}
			b.ResetTimer()
			for n := 0; n < b.N; n += len(many) {
				embed(b, m, many[:min(len(many), b.N-n)])
			}
		})
	}
}
