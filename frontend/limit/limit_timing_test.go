package limit

import "testing"

func BenchmarkBytes(b *testing.B) {
	budget := NewBytes(1 << 30)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if budget.Take(1000) == nil {
				budget.Give(1000)
			}
		}
	})
}

func BenchmarkShare(b *testing.B) {
	share := NewBytes(1 << 30).Share(0)
	b.ReportAllocs()
	for b.Loop() {
		if share.Take(b.Context(), 1000) == nil {
			share.Give(1000)
		}
	}
}
