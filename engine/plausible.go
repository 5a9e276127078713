package engine

import "time"

// Where nothing plausible was measured, texts are taken to cost what they do on ViT-B/32 with OpenVINO on one core: so
// long for a padded token, and so long for a change of shape. What batches take then is learned from the first of them.
const (
	usualToken  = 200 * time.Microsecond
	usualChange = 2400 * time.Microsecond
)

// Bounds of what is believed of a calibration. A stall of the machine in the middle of it makes a small batch look dearer than
// a large one, or a change of shape dearer than the batches themselves.
const (
	lessMost  = 0.8 // of the time of a batch is what one of more work takes at least
	moreMost  = 3   // times as much as its work says is what it takes at most
	freshMost = 4   // times the dearest batch is what a new shape costs at most; a change costs less than that batch
	leastTook = time.Microsecond
	mostTook  = time.Hour
)

// plausible reports whether every shape was measured and the times can be what the batches cost.
func (m *measured) plausible(t Tower) bool {
	shapes := shapesOf(t)
	if len(m.Points) != len(shapes) {
		return false
	}
	most := time.Duration(0)
	for i, p := range m.Points {
		if [2]int{p.Rows, p.Length} != shapes[i] || p.Took < leastTook || p.Took > mostTook {
			return false
		}
		most = max(most, p.Took)
		for _, q := range m.Points[:i] { // of less work: shapes are in that order
			ratio := float64(p.Took) / float64(q.Took)
			if ratio < lessMost || ratio > moreMost*work(t, p.Rows, p.Length)/work(t, q.Rows, q.Length) {
				return false
			}
		}
	}
	return m.Change >= 0 && m.Change <= most && m.Fresh >= 0 && m.Fresh <= freshMost*most
}

// plausible reports whether all towers were measured, those of wide lanes where there are any.
func (c *calibration) plausible(wide bool) bool {
	return c.Costs[TextTower][0].plausible(TextTower) && c.Costs[ImageTower][0].plausible(ImageTower) &&
		(!wide || c.Costs[TextTower][1].plausible(TextTower))
}
