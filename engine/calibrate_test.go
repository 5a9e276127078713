package engine

import (
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"clipd/engine/model"
)

// pricedLane takes the time that its price says, and much longer in the six batches from number stall on, if that is not 0.
type pricedLane struct {
	price   func(t Tower, rows, length int) time.Duration
	batches int
	stall   int
}

func (l *pricedLane) run(t Tower, rows, length int) error {
	l.batches++
	took := l.price(t, rows, length)
	if l.stall > 0 && l.batches >= l.stall && l.batches < l.stall+6 {
		took *= 40
	}
	time.Sleep(took)
	return nil
}

func (l *pricedLane) RunTexts(t TextBatch, _ []float32) error {
	return l.run(TextTower, len(t.IDs)/t.Length, t.Length)
}

func (l *pricedLane) RunImages(_ []byte, rows, _ int, _ []float32) error {
	return l.run(ImageTower, rows, 1)
}

func (l *pricedLane) Close() {}

// linear costs 1 ms and 0.1 ms a token, or 10 ms a picture.
func linear(t Tower, rows, length int) time.Duration {
	if t == ImageTower {
		return time.Millisecond + time.Duration(rows)*10*time.Millisecond
	}
	return time.Millisecond + time.Duration(rows*length)*100*time.Microsecond
}

func priced(folder string, lane Lane) *Opened {
	return &Opened{LaneCount: 1, Lanes: []Lane{lane}, Checkpoint: &model.Model{Dim: testDim, ImageSize: 8, VocabSize: 400,
		Graphs: [2]string{filepath.Join(folder, "image.onnx"), filepath.Join(folder, "text.onnx")}}}
}

// TestCalibrate shows that costs are measured once and kept only when every shape was measured and the times are
// plausible, and what the scheduler makes of them.
func TestCalibrate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		seeded := func(c calibration) *Model {
			t.Helper()
			m := newTestModel(t, Options{}, &fakeLane{})
			m.seed(c)
			m.Close()
			return m
		}
		kept := func(folder string) int {
			t.Helper()
			files, err := filepath.Glob(filepath.Join(folder, "compiled", "costs-"+calibrationVersion+"-*.json"))
			if err != nil {
				t.Fatal(err)
			}
			return len(files)
		}
		check := func(what string, got, want time.Duration) {
			t.Helper()
			if got < want*9/10 || got > want*11/10 {
				t.Errorf("%s is %v, want %v", what, got, want)
			}
		}
		folder := t.TempDir()
		m := seeded(priced(folder, &pricedLane{price: linear}).calibrate())
		text, image := &m.costs[TextTower][0], &m.costs[ImageTower][0]
		check("a batch of 8 texts of 8 tokens", text.of(64), 7400*time.Microsecond)
		check("a batch of 2 pictures", image.of(2), 21*time.Millisecond)
		if !text.known() || !image.known() || kept(folder) != 1 {
			t.Errorf("the costs count as known: %v and %v; %d files", text.known(), image.known(), kept(folder))
		}
		again := &pricedLane{price: linear}
		priced(folder, again).calibrate()
		if again.batches != 0 {
			t.Errorf("a second start ran %d batches", again.batches)
		}
		for name, damage := range map[string]string{
			"no points":  `{"Key":"` + priced(folder, nil).costKey() + `","Costs":[[{},{}],[{},{}]]}`,
			"other key":  `{"Key":"2"}`,
			"not a file": `{`,
		} {
			file, _ := filepath.Glob(filepath.Join(folder, "compiled", "costs-*"))
			if err := os.WriteFile(file[0], []byte(damage), 0o644); err != nil {
				t.Fatal(err)
			}
			lane := &pricedLane{price: linear}
			priced(folder, lane).calibrate()
			if lane.batches == 0 {
				t.Errorf("%s: believed", name)
			}
		}

		// A stall in the middle is measured again.
		folder = t.TempDir()
		m = seeded(priced(folder, &pricedLane{price: linear, stall: 7}).calibrate())
		check("after a stall, a batch of 8 texts of 8 tokens", m.costs[TextTower][0].of(64), 7400*time.Microsecond)

		// Times that say nothing are not kept, and do not count.
		folder = t.TempDir()
		m = seeded(priced(folder, &pricedLane{price: func(_ Tower, rows, _ int) time.Duration { return time.Second / time.Duration(rows*rows*100) }}).calibrate())
		if c := m.costs[TextTower][0]; c.known() || c.unit != usualToken || c.change != usualChange || kept(folder) != 0 || m.step != bucketStep {
			t.Errorf("absurd times became %+v, a step of %d and %d files", c, m.step, kept(folder))
		}

		// A model so slow that not every shape is reached starts in bounded time.
		folder = t.TempDir()
		began := time.Now()
		seeded(priced(folder, &pricedLane{price: func(_ Tower, rows, _ int) time.Duration { return time.Duration(rows) * 2 * time.Second }}).calibrate())
		if took := time.Since(began); took > 2*calibrateMost+2*time.Second || kept(folder) != 0 {
			t.Errorf("calibrating a slow model took %v; %d files", took, kept(folder))
		}
	})
}
