package engine

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"time"
)

// calibration is what batches cost on this machine, measured with the real lanes before they serve. It lies beside the
// compiled model, so that only the first start measures.
type calibration struct {
	Key   string // of what it was measured on
	Costs [2][2]measured
}

// measured are the costs of a tower on narrow or wide lanes.
type measured struct {
	Points        []point
	Change, Fresh time.Duration
}

// point is a batch and its time.
type point struct {
	Rows, Length int
	Took         time.Duration
}

// The shapes that calibrate runs: enough to tell a batch's fixed part from that of its rows and tokens.
var (
	textShapes  = [][2]int{{1, 8}, {4, 8}, {4, 16}, {8, 16}}
	imageShapes = [][2]int{{1, 1}, {3, 1}}
)

// calibrateMost bounds the time of calibrate; what a slow model does not get to is left to what the lanes learn as they
// serve, and measured again at the next start.
const calibrateMost = 3 * time.Second

// calibrationVersion changes with what is measured and how, so that what older programs left is not trusted.
const calibrationVersion = "3"

// calibrate measures the costs, or reads what an earlier start measured. A lane that fails here is found out by the self-check
// or by its first batches.
func (l *Opened) calibrate() calibration {
	path := filepath.Join(l.compiledDir(), "costs-"+calibrationVersion+"-"+l.costKey()[:16]+".json")
	var c calibration
	if data, err := os.ReadFile(path); err == nil && json.Unmarshal(data, &c) == nil && c.Key == l.costKey() && c.plausible(len(l.Wide) > 0) {
		return c
	}
	c = calibration{Key: l.costKey()}
	until := time.Now().Add(calibrateMost)
	measure := func(lane Lane, t Tower) (m measured) {
		for range 2 { // something else may have had the machine the first time
			if m = l.measure(lane, t, until); m.plausible(t) || !time.Now().Before(until) {
				break
			}
		}
		return m
	}
	if len(l.Wide) > 0 {
		c.Costs[TextTower][1] = measure(l.Wide[0], TextTower)
	}
	c.Costs[TextTower][0] = measure(l.Lanes[0], TextTower)
	c.Costs[ImageTower][0] = measure(l.Lanes[0], ImageTower)
	if data, err := json.Marshal(c); err == nil && c.plausible(len(l.Wide) > 0) {
		// Without it the next start measures again.
		if os.MkdirAll(filepath.Dir(path), 0o755) == nil && os.WriteFile(path+".new", data, 0o644) == nil {
			_ = os.Rename(path+".new", path)
		}
	}
	return c
}

// costKey tells apart what costs depend on.
func (l *Opened) costKey() string {
	sum := sha256.Sum256(fmt.Append(nil, calibrationVersion, " ", l.Runtime.Name, l.Runtime.Version, l.Session, l.LaneCount, l.Threads, len(l.Wide)))
	return hex.EncodeToString(sum[:])
}

// measure runs the shapes of a tower on a lane: each once, which takes longer, and then twice, of which the quicker one counts.
func (l *Opened) measure(lane Lane, t Tower, until time.Time) measured {
	run := func(rows, length int) (time.Duration, bool) {
		out := make([]float32, rows*l.Checkpoint.Dim)
		began := time.Now()
		var err error
		if t == ImageTower {
			size := l.Checkpoint.ImageSize
			err = lane.RunImages(make([]byte, rows*size*size*3), rows, size, out)
		} else {
			batch := LayOut(l.sampleIDs(rows, length), l.Session[TextTower].Packs, l.Checkpoint.PadID)
			err = lane.RunTexts(batch, make([]float32, batch.Rows*l.Checkpoint.Dim))
		}
		return time.Since(began), err == nil
	}
	shapes := shapesOf(t)
	var m measured
	for _, s := range shapes {
		if !time.Now().Before(until) {
			return m
		}
		first, ok := run(s[0], s[1])
		if !ok {
			return measured{}
		}
		if time.Now().Add(first).After(until) {
			return m
		}
		best := time.Duration(math.MaxInt64)
		for range 2 {
			took, ok := run(s[0], s[1])
			if !ok {
				return measured{}
			}
			best = min(best, took)
		}
		m.Points = append(m.Points, point{s[0], s[1], best})
		m.Fresh += max(first-best, 0) / time.Duration(len(shapes))
	}
	if t == TextTower && time.Now().Before(until) {
		m.Change = changeCost(m.Points[:3], until, func(p point) time.Duration {
			took, _ := run(p.Rows, p.Length)
			return took
		})
		m.Fresh = max(m.Fresh-m.Change, 0)
	}
	return m
}

func shapesOf(t Tower) [][2]int {
	if t == ImageTower {
		return imageShapes
	}
	return textShapes
}

// changeCost runs known shapes in turn: what they take longer than alone is the price of a change. The least of several
// rounds counts, since a change never costs less.
func changeCost(points []point, until time.Time, run func(point) time.Duration) time.Duration {
	least := time.Duration(math.MaxInt64)
	for range 3 {
		if time.Now().After(until) {
			break
		}
		extra := time.Duration(0)
		for _, p := range points {
			extra += run(p) - p.Took
		}
		least = min(least, extra/time.Duration(len(points)))
	}
	if least == math.MaxInt64 {
		return 0
	}
	return max(least, 0)
}

// sampleIDs returns texts of length tokens as a tokenizer makes them: a start, words, and the largest id as the end.
func (l *Opened) sampleIDs(rows, length int) [][]int32 {
	last := int32(l.Checkpoint.VocabSize) - 1
	all := make([][]int32, rows)
	for n := range all {
		ids := make([]int32, length)
		for i := range ids {
			ids[i] = int32(300+7*(n*length+i)) % (last - 1)
		}
		ids[0] = last - 1
		ids[length-1] = last
		all[n] = ids
	}
	return all
}

// seed gives the scheduler what was measured before its first batch.
func (m *Model) seed(c calibration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for t := range c.Costs {
		for width, from := range c.Costs[t] {
			to := &m.costs[t][width]
			if !from.plausible(Tower(t)) {
				if Tower(t) == TextTower {
					to.unit, to.fixed, to.change = usualToken, usualChange, usualChange
				}
				continue
			}
			to.change, to.fresh = from.Change, from.Fresh
			for range 4 { // so that the first batches served do not outweigh them
				for _, p := range from.Points {
					to.observe(work(Tower(t), p.Rows, p.Length), p.Took)
				}
			}
		}
	}
	m.setStep()
}

// Rows and bounds of setStep, in tokens.
const (
	stepRows = 8
	stepMost = 16
)

// setStep chooses the grain of the buckets of texts: items within one bucket are padded to each other without further
// question, which for a batch of stepRows may cost half of what a batch of its own does. Nothing may be queued. The lock is held.
func (m *Model) setStep() {
	c := &m.costs[TextTower][0]
	if m.wide > 0 {
		c = &m.costs[TextTower][1]
	}
	if c.unit > 0 && c.known() {
		m.step = min(max(int((c.fixed+c.change)/(c.unit*stepRows)), 1), stepMost)
	}
}
