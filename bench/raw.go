package bench

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"clipd/engine"
)

// RawResult is the throughput of a runtime at one batch size, with its inputs ready in memory.
type RawResult struct {
	Kind        string  `json:"kind"`
	Batch       int     `json:"batch"`
	Length      int     `json:"length,omitempty"` // text: tokens in a row
	Lanes       int     `json:"lanes"`
	ItemsPerSec float64 `json:"items_per_second"`
	MeanMS      float64 `json:"mean_ms"` // of one batch on one lane
}

// Raw runs every lane of a model without pause on batches of the given size. Texts are the captions of Captions,
// padded to the longest of the batch.
func Raw(ctx context.Context, m *engine.Opened, kind string, batch int, warmup, duration time.Duration, seed uint64) (*RawResult, error) {
	r := &RawResult{Kind: kind, Batch: batch, Lanes: len(m.Lanes)}
	run, err := rawBatch(m, kind, batch, seed, r)
	if err != nil {
		return nil, err
	}
	var wg sync.WaitGroup
	var batches atomic.Int64
	errs := make([]error, len(m.Lanes))
	begin := time.Now().Add(warmup)
	end := begin.Add(duration)
	for i, lane := range m.Lanes {
		wg.Go(func() {
			out := make([]float32, batch*m.Checkpoint.Dim)
			for time.Now().Before(end) && ctx.Err() == nil && errs[i] == nil {
				errs[i] = run(lane, out)
				if now := time.Now(); now.After(begin) && now.Before(end) {
					batches.Add(1)
				}
			}
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	n := float64(batches.Load())
	r.ItemsPerSec = n * float64(batch) / duration.Seconds()
	r.MeanMS = duration.Seconds() * 1000 * float64(len(m.Lanes)) / max(n, 1)
	return r, ctx.Err()
}

// rawBatch prepares one batch and returns what runs it.
func rawBatch(m *engine.Opened, kind string, batch int, seed uint64, r *RawResult) (func(engine.Lane, []float32) error, error) {
	switch kind {
	case "text":
		rows := make([][]int32, batch)
		for i, c := range Captions(batch, seed) {
			rows[i] = m.Tokenizer.Append(nil, c, m.Checkpoint.ContextLength)
			r.Length = max(r.Length, len(rows[i]))
		}
		ids := make([]int32, batch*r.Length)
		for i, row := range rows {
			for j := range r.Length {
				ids[i*r.Length+j] = m.Checkpoint.PadID
			}
			copy(ids[i*r.Length:], row)
		}
		return func(l engine.Lane, out []float32) error { return l.RunTexts(ids, batch, r.Length, out) }, nil
	case "image":
		size := m.Checkpoint.ImageSize
		pixels := make([]byte, batch*size*size*3)
		for i := range pixels {
			pixels[i] = byte(i * 2654435761 >> 13)
		}
		return func(l engine.Lane, out []float32) error { return l.RunImages(pixels, batch, size, out) }, nil
	}
	return nil, fmt.Errorf("kind %q is not text or image", kind)
}
