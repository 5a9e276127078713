package engine

import "time"

// cost predicts how long a batch takes on lanes of one width: fixed + work·unit, where the work of a batch is its rows
// times their tokens for texts, and its rows for pictures. It is fed with every batch that a lane runs, the first of them
// by calibrate, so it follows the machine. The lock of the model guards it.
type cost struct {
	fixed, unit time.Duration

	// What a batch costs beside that when its shape [rows, length] differs from the lane's last one, and when the lane has
	// never run it. Measured by calibrate; 0 for a runtime that does not care.
	change, fresh time.Duration

	// Sums over the batches seen, each weighing costDecay of the one after it: of 1, x, y, x² and xy, where x is the work and y
	// the time in nanoseconds.
	n, x, y, xx, xy float64
}

// costDecay lets a batch count half after some 45 others.
const costDecay = 63.0 / 64

// work returns the x of a batch.
func work(t Tower, rows, length int) float64 {
	if t == ImageTower {
		return float64(rows)
	}
	return float64(rows) * float64(length)
}

// of predicts the time of a batch in a shape that the lane ran last; 0 when nothing is known.
func (c *cost) of(work float64) time.Duration { return c.fixed + time.Duration(work*float64(c.unit)) }

// knownBatches is how many batches must have been seen before anybody is refused for what they cost.
const knownBatches = 5

// known reports whether enough batches were seen to go by.
func (c *cost) known() bool { return c.n >= knownBatches }

// observe takes in that a batch of the work took so long. Fixed part and unit are the line of least squares; where all
// batches are of one size and no line is certain, both parts follow their mean.
func (c *cost) observe(work float64, took time.Duration) {
	y := float64(took)
	if predicted := float64(c.of(work)); c.n > 0 {
		// One stall of the machine is not a cost, and if it came first, it is forgotten as soon as batches are quick.
		y = min(y, 4*predicted+float64(time.Millisecond))
		if 3*y < predicted {
			c.y, c.xy = c.y/4, c.xy/4
		}
	}
	c.n = c.n*costDecay + 1
	c.x = c.x*costDecay + work
	c.y = c.y*costDecay + y
	c.xx = c.xx*costDecay + work*work
	c.xy = c.xy*costDecay + work*y
	mx, my := c.x/c.n, c.y/c.n
	fixed, unit := 0.0, my/mx
	if variance := c.xx/c.n - mx*mx; variance > mx*mx/100 {
		unit = (c.xy/c.n - mx*my) / variance
		fixed = my - unit*mx
	} else if before := c.of(mx); before > 0 {
		fixed = float64(c.fixed) * my / float64(before)
		unit = float64(c.unit) * my / float64(before)
	}
	if unit < 0 || fixed < 0 {
		fixed, unit = 0, my/mx
	}
	c.fixed, c.unit = time.Duration(fixed), time.Duration(unit)
}

// Bounds of a batch by its cost.
const (
	// A batch grows until its fixed part is a fiftieth: beyond that it only keeps others waiting.
	fixedPart = 50
	leastFull = 8 // rows of a full batch of any length, at least
)

// full returns the rows of a batch of the length that is worth no more rows, at most most.
func (c *cost) full(t Tower, length, most int) int {
	if c.fixed <= 0 || c.unit <= 0 {
		return most
	}
	rows := float64(c.fixed) * fixedPart / (float64(c.unit) * work(t, 1, length))
	return min(max(int(rows), leastFull), most)
}

// padding returns how many padded tokens cost as much as a batch of their own would.
func (c *cost) padding(most int) int {
	if c.unit <= 0 {
		return most
	}
	return min(int((c.fixed+c.change)/c.unit), most)
}

// shapes are the shapes [rows, length] that a lane has run texts in.
type shapes struct {
	last [2]int
	seen map[[2]int]struct{}
}

const (
	seenMost  = 256 // a runtime keeps what it prepared for some hundreds of shapes (OpenVINO: about 400 here)
	freshPart = 8   // a new shape is taken for one that comes again so often
	padMost   = 8   // tokens
)

// length returns the length to pad rows to, whose longest has n tokens: n itself, or more when the lane is spared a change of
// its shape that way, and that costs more than the padded tokens.
func (s *shapes) length(c *cost, rows, n, most int) int {
	best, least := n, time.Duration(-1)
	for l := n; l <= min(n+padMost, most); l++ {
		extra := time.Duration(rows*(l-n)) * c.unit
		if shape := [2]int{rows, l}; shape != s.last {
			extra += c.change
			if _, ok := s.seen[shape]; !ok {
				extra += c.fresh / freshPart
			}
		}
		if least < 0 || extra < least {
			best, least = l, extra
		}
	}
	return best
}

// ran notes a shape and reports whether it differs from the last one.
func (s *shapes) ran(rows, length int) (changed bool) {
	shape := [2]int{rows, length}
	if shape == s.last {
		return false
	}
	if _, ok := s.seen[shape]; !ok {
		if s.seen == nil || len(s.seen) >= seenMost {
			s.seen = make(map[[2]int]struct{})
		}
		s.seen[shape] = struct{}{}
	}
	s.last = shape
	return true
}
