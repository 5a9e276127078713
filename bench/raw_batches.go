package bench

import (
	"fmt"
	"slices"
	"sync"

	"clipd/engine"
	"clipd/engine/preprocess"
)

// rawTexts is how many texts are made ready, and rawPictures how many pictures.
const (
	rawTexts    = 2048
	rawPictures = 128
)

// runBatch runs the nth batch on a lane.
type runBatch func(lane engine.Lane, n int, out []float32) error

// prepare makes the inputs ready and returns a function that gives each lane what runs its batches.
func (r Raw) prepare(m *engine.Opened, result *RawResult) (func() runBatch, error) {
	switch r.Kind {
	case "text":
		result.Precision = m.Session[engine.TextTower].Precision.String()
		return r.prepareTexts(m, result)
	case "image":
		result.Precision = m.Session[engine.ImageTower].Precision.String()
		size := m.Checkpoint.ImageSize
		pixels := make([]byte, r.Batch*size*size*3)
		for i := range pixels {
			pixels[i] = byte(i * 2654435761 >> 13)
		}
		run := func(l engine.Lane, _ int, out []float32) error { return l.RunImages(pixels, r.Batch, size, out) }
		return func() runBatch { return run }, nil
	case "picture":
		result.Precision = m.Session[engine.ImageTower].Precision.String()
		return r.preparePictures(m)
	}
	return nil, fmt.Errorf("kind %q is not text, image or picture", r.Kind)
}

// prepareTexts cuts the texts into batches.
func (r Raw) prepareTexts(m *engine.Opened, result *RawResult) (func() runBatch, error) {
	texts, err := r.texts(max(rawTexts, 2*r.Batch))
	if err != nil {
		return nil, err
	}
	rows := make([][]int32, max(len(texts), r.Batch))
	for i := range rows {
		rows[i] = m.Tokenizer.Append(nil, texts[i%len(texts)], m.Checkpoint.ContextLength)
	}
	if r.Sorted || r.Same {
		slices.SortStableFunc(rows, func(a, b []int32) int { return len(a) - len(b) })
	}
	if r.Same {
		middle := min(len(rows)/2, len(rows)-r.Batch)
		rows = rows[middle : middle+r.Batch]
	}
	layOut := engine.LayOutLines
	if r.Packed {
		layOut = engine.LayOut
	}
	batches := make([]engine.TextBatch, len(rows)/r.Batch)
	total, most := 0, 0
	for i := range batches {
		batches[i] = layOut(rows[i*r.Batch:(i+1)*r.Batch], m.Session[engine.TextTower].Packs, m.Checkpoint.PadID)
		total += len(batches[i].IDs)
		most = max(most, batches[i].Rows)
	}
	result.Tokens = float64(total) / float64(len(batches)*r.Batch)
	return func() runBatch {
		spare := make([]float32, most*m.Checkpoint.Dim) // a packed batch may have more rows than texts
		return func(l engine.Lane, n int, _ []float32) error {
			b := batches[n%len(batches)]
			return l.RunTexts(b, spare[:b.Rows*m.Checkpoint.Dim])
		}
	}, nil
}

// preparePictures has each lane decode its pictures itself, on as many threads as it computes with, so that the machine
// is busy all the time and nothing is handed over.
func (r Raw) preparePictures(m *engine.Opened) (func() runBatch, error) {
	pictures, err := Pictures(rawPictures, r.Pictures, r.Seed)
	if err != nil {
		return nil, err
	}
	size, threads := m.Checkpoint.ImageSize, m.Threads
	return func() runBatch {
		pixels := make([]byte, r.Batch*size*size*3)
		return func(l engine.Lane, n int, out []float32) error {
			if err := decodeAll(pixels, pictures, n*r.Batch, size, threads); err != nil {
				return err
			}
			return l.RunImages(pixels, r.Batch, size, out)
		}
	}, nil
}

// decodeAll fills pixels, [batch, size, size, 3], with the pictures from the given one on.
func decodeAll(pixels []byte, pictures [][]byte, from, size, threads int) error {
	each := size * size * 3
	rows := len(pixels) / each
	threads = max(min(threads, rows), 1)
	decode := func(begin int) error {
		for i := begin; i < rows; i += threads {
			if err := preprocess.Image(pixels[i*each:(i+1)*each], pictures[(from+i)%len(pictures)], size, preprocess.Limits{}); err != nil {
				return err
			}
		}
		return nil
	}
	if threads == 1 {
		return decode(0)
	}
	var wg sync.WaitGroup
	errs := make([]error, threads)
	for t := range threads {
		wg.Go(func() { errs[t] = decode(t) })
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
