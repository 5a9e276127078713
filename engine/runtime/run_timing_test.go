package runtime

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
)

// BenchmarkRun measures a model's towers as a runtime runs them, tensors ready: what a server can reach at most. Set
// CLIPD_BENCH_GRAPHS to a folder with image.onnx and text.onnx of a model of CLIP's vocabulary; without it the
// tiny graphs of the tests are run, which says what a call costs by itself. One operation is one batch on each lane.
func BenchmarkRun(b *testing.B) {
	folder := os.Getenv("CLIPD_BENCH_GRAPHS")
	if folder == "" {
		folder = graphs
	}
	for _, name := range Names() {
		r, err := Open(name)
		if err != nil {
			continue
		}
		for _, precision := range r.Info().Precisions {
			for _, shape := range [][2]int{{1, 2}, {2, 1}} {
				for _, tower := range []Tower{Text, Image} {
					options := SessionOptions{
						Graph: filepath.Join(folder, tower.String()+".onnx"), Tower: tower, Precision: precision,
						Lanes: shape[0], Threads: shape[1],
					}
					b.Run(fmt.Sprintf("%s/%v/%v/lanes=%d,threads=%d", name, precision, tower, shape[0], shape[1]), func(b *testing.B) {
						benchmarkSession(b, r, options)
					})
				}
			}
		}
	}
}

func benchmarkSession(b *testing.B, r *Runtime, o SessionOptions) {
	s := newSession(b, r, o)
	var lanes []*Lane
	for range o.Lanes {
		lanes = append(lanes, newLane(b, s))
	}
	for _, rows := range []int{1, 8, 32} {
		b.Run(fmt.Sprintf("rows=%d", rows), func(b *testing.B) {
			for b.Loop() {
				var wait sync.WaitGroup
				for _, l := range lanes {
					wait.Go(func() { runRandom(b, l, o.Tower, rows) })
				}
				wait.Wait()
			}
			b.ReportMetric(float64(b.N*rows*o.Lanes)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}

// runRandom embeds a batch of pictures, or of texts of 16 tokens.
func runRandom(b *testing.B, l *Lane, tower Tower, rows int) {
	out := make([]float32, rows*l.session.info.Dim)
	var err error
	if tower == Image {
		size := l.session.info.ImageSize
		err = l.RunImages(slices.Repeat([]byte{17, 130, 240}, rows*size*size), rows, size, out)
	} else {
		const length = 16
		ids := make([]int32, rows*length)
		for i := range ids {
			ids[i] = rand.Int32N(40) + 1
		}
		err = l.RunTexts(Texts{Rows: rows, Length: length, IDs: ids}, out)
	}
	if err != nil {
		b.Fatal(err)
	}
}
