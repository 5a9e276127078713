package engine

import (
	"math"
	"time"
)

// cost predicts how long a batch takes on lanes of one width: fixed + work·unit, where the work of a batch is its rows
// times their tokens for texts, or the tokens of its lines where they are packed, and its rows for pictures. It is fed with every batch that a lane runs, the first of them
// by calibrate, so it follows the machine. The lock of the model guards it.
type cost struct {
	fixed, unit time.Duration

	// What a batch costs beside that when its form differs from the lane's last one, and when the lane has
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

// fullTokens returns the tokens of a packed batch that is worth no more of them: at least leastFull texts of the longest.
func (c *cost) fullTokens(longest int) int {
	if c.fixed <= 0 || c.unit <= 0 {
		return math.MaxInt
	}
	return max(int(float64(c.fixed)*fixedPart/float64(c.unit)), leastFull*longest)
}

// shapes are the forms that a lane has run texts in.
type shapes struct {
	last form
	seen map[form]struct{}
}

const (
	seenMost  = 256 // a runtime keeps what it prepared for some hundreds of shapes (OpenVINO: about 400 here)
	freshPart = 8   // a new shape is taken for one that comes again so often
	padMost   = 8   // tokens
)

// pad chooses the form of a batch with one text in each line: as wide as its longest text, or wider when the lane is spared a
// change of its shape that way, and that costs more than the padded tokens.
func (s *shapes) pad(items []item, c *cost, most int) form {
	rows, longest := len(items), 0
	for i := range items {
		longest = max(longest, len(items[i].ids))
	}
	best, least := form{}, float64(-1)
	for width := longest; width <= min(longest+padMost, most); width++ {
		f := form{rows, width, rows}
		if extra := float64(rows*(width-longest))*float64(c.unit) + s.extra(f, c); least < 0 || extra < least {
			best, least = f, extra
		}
	}
	return best
}

// ran notes a form and reports whether it differs from the last one.
func (s *shapes) ran(f form) (changed bool) {
	if f == s.last {
		return false
	}
	if _, ok := s.seen[f]; !ok {
		if s.seen == nil || len(s.seen) >= seenMost {
			s.seen = make(map[form]struct{})
		}
		s.seen[f] = struct{}{}
	}
	s.last = f
	return true
}
