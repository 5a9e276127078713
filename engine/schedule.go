package engine

import "time"

// serves reports whether wide lanes, or narrow ones, may take from a queue now. The texts of small requests are for the wide
// lanes as long as there are few of them, or when every narrow lane is busy with something larger: the wide lane is quick,
// and does not wait for them. Many small requests at a time, or such as had to wait for one another on the wide lane, are for the
// narrow lanes, which get more done together. The lock is held.
func (m *Model) serves(wide bool, q int) bool {
	if q != quickTexts {
		return !wide
	}
	if m.ready[q].size == 0 {
		return false
	}
	narrow, idle, quick := 0, 0, false
	for _, s := range m.slots {
		if s.out || s.Wide {
			continue
		}
		narrow++
		if s.batch == nil {
			idle++
		} else if s.batch.queue == quickTexts {
			quick = true
		}
	}
	few := !m.crowded && m.ready[q].size <= m.few(narrow)
	if wide {
		return !quick && (few || idle == 0)
	}
	return quick || !few || m.lanesOf(quickTexts) == 0 // the last: the wide lanes have failed
}

// usualFew is how many texts a wide lane takes while costs are not known, and fewMost at most.
const (
	usualFew = 2
	fewMost  = 16
)

// few returns how many texts a wide lane embeds as fast as the narrow ones do together. The lock is held.
func (m *Model) few(lanes int) int {
	wide, narrow := &m.costs[TextTower][1], &m.costs[TextTower][0]
	if !wide.known() || !narrow.known() || m.length == 0 {
		return usualFew
	}
	n := 1
	for n < fewMost && wide.of(float64(n+1)*m.length) <= narrow.of(float64(n/max(lanes, 1)+1)*m.length) {
		n++
	}
	return n
}

// waiting returns how many items are ready for a slot's lane. The lock is held.
func (m *Model) waiting(s *slot) int {
	n := 0
	for q := range m.ready {
		if size := m.ready[q].size; size > 0 && m.serves(s.Wide, q) {
			n += size
		}
	}
	return n
}

// lanesOf returns how many working lanes are meant for a queue. The lock is held.
func (m *Model) lanesOf(q int) int {
	n := 0
	for _, s := range m.slots {
		if !s.out && s.Wide == (q == quickTexts) {
			n++
		}
	}
	return n
}

// kick wakes idle lanes that have something to do: of each width no more than there are items for it. The lock is held.
func (m *Model) kick() {
	m.wakeLanes(true) // first: where the wide lane begins a batch, narrow ones wait for it
	m.wakeLanes(false)
}

func (m *Model) wakeLanes(wide bool) {
	left := len(m.retries)
	for q := range m.ready {
		if m.serves(wide, q) {
			left += m.ready[q].size
		}
	}
	for _, s := range m.slots {
		if s.woken && s.Wide == wide { // it takes one of them at least
			left--
		}
	}
	for _, s := range m.slots {
		if left <= 0 {
			return
		}
		if s.Wide == wide && s.idle && !s.woken && m.could(s) {
			s.woken = true
			s.wake.Signal()
			left--
		}
	}
}

// could reports whether it is worth waking an idle slot. The lock is held.
func (m *Model) could(s *slot) bool {
	if m.retryFor(s) >= 0 {
		return true
	}
	n := m.waiting(s)
	return n > 0 && (n >= s.want || m.closed) && !m.yields(s)
}

// yields reports whether a narrow lane waits for the batch of a wide lane of its replica, with which it shares its
// threads. It does so for one batch, so that small requests do not keep large ones out. The lock is held.
func (m *Model) yields(s *slot) bool {
	if s.Wide || m.wide == 0 {
		return false
	}
	for _, other := range m.slots {
		if other.Wide && other.Replica == s.Replica && other.batch != nil {
			if s.yieldedTo == 0 {
				s.yieldedTo = other.batch.serial
			}
			return s.yieldedTo == other.batch.serial
		}
	}
	return false
}

// cut takes a batch for a lane when there is one and its time has come. Else s.until says when to look again, unless it
// is zero. The lock is held.
func (m *Model) cut(s *slot, b *batch, now time.Time) bool {
	s.until = time.Time{}
	n := m.waiting(s)
	if s.want > 0 {
		if n < s.want && now.Before(s.gatherEnd) && !m.closed {
			s.until = s.gatherEnd
			return false
		}
		s.want = 0
	}
	if n == 0 {
		s.yieldedTo = 0
		return false
	}
	if m.yields(s) {
		return false
	}
	for i := range queues {
		q := (m.last + 1 + i) % queues // queues take turns
		if m.ready[q].size == 0 || !m.serves(s.Wide, q) {
			continue
		}
		if ripe := m.ripe(q); now.Before(ripe) {
			if s.until.IsZero() || ripe.Before(s.until) {
				s.until = ripe
			}
			continue
		}
		if m.fillFrom(s, b, q, now) {
			if !s.Wide {
				m.last = q
			}
			s.yieldedTo = 0
			return true
		}
	}
	return false
}

// ripe returns until when a queue's batch is kept open though a lane is free. The lock is held.
func (m *Model) ripe(q int) time.Time {
	if m.opts.MaxDelay <= 0 || m.closed || m.ready[q].size >= m.opts.PreferredBatch {
		return time.Time{}
	}
	return m.ready[q].first().Add(m.opts.MaxDelay)
}

// fillFrom cuts a batch from a queue. The lock is held.
func (m *Model) fillFrom(s *slot, b *batch, q int, now time.Time) bool {
	tower := towerOf(q)
	c := &m.costs[tower][s.width]
	lanes := m.lanesOf(q)
	if s.Wide != (q == quickTexts) {
		lanes = m.lanesOf(texts) // the wide lanes have failed
	}
	for m.ready[q].size > 0 {
		// Each lane has its share of what waits and of what the others have: a lane that took all would leave nothing for one
		// that is free a moment later, and with callers who wait for their answers that repeats itself for ever.
		size := m.ready[q].size
		rows := (size + m.running[q] + lanes - 1) / max(lanes, 1)
		if m.opts.MaxDelay > 0 {
			rows = max(rows, m.opts.PreferredBatch)
		}
		l := limits{tower: tower, rows: min(rows, size, m.opts.MaxBatch), step: m.step, cost: c, most: m.opts.MaxBatch}
		switch {
		case tower == ImageTower:
			l.rows = min(l.rows, c.full(tower, 1, m.opts.MaxBatch))
		case m.Packs:
			l.tokens = c.fullTokens(m.ContextLength)
		}
		b.items = m.live(m.ready[q].take(b.items[:0], l), c, now)
		m.crowded = m.crowded && m.ready[quickTexts].size > 0
		if len(b.items) == 0 {
			continue
		}
		b.queue, b.retry = q, nil
		m.shape(s, b)
		return true
	}
	return false
}

// shape chooses the form of a batch of texts. The lock is held.
func (m *Model) shape(s *slot, b *batch) {
	b.plain = true
	if towerOf(b.queue) == ImageTower {
		return
	}
	c := &m.costs[TextTower][s.width]
	if m.Packs {
		b.form = b.packer.pack(b.items, &s.shapes, c)
	} else {
		b.form = s.shapes.pad(b.items, c, m.ContextLength)
	}
	b.plain = !s.shapes.ran(b.form) || c.change == 0
}

// live drops the items that nobody waits for any more, and those that would come too late. The lock is held.
func (m *Model) live(items []item, c *cost, now time.Time) []item {
	kept := items[:0]
	takes := time.Duration(0)
	if c.known() {
		takes = c.of(1) / 2 // an estimate, and the work is done otherwise in vain at most
	}
	for _, it := range items {
		if err := it.req.ended(now, takes); err != nil {
			m.answer(it, err)
			continue
		}
		kept = append(kept, it)
	}
	clear(items[len(kept):]) // an idle lane holds no request
	return kept
}

// Bounds of gather: the part of the last batch's time, a time that nobody notices, and what a timer and two changes of
// threads take, below which there is nothing to win.
const (
	gatherPart  = 8
	gatherMost  = 2 * time.Millisecond
	gatherLeast = 50 * time.Microsecond
)

// gather lets the callers that the lane has just answered come back before it cuts the next batch. Without it a lane
// takes the first of them alone, and the others find it busy: with eight callers of one text each, batches are then
// of one and seven. It waits for as many items as the last batch answered and left waiting, so a lonely caller never
// does, and at most an eighth of the time that the last batch took, from its end.
func (s *slot) gather(items int, ended time.Time, took time.Duration, most int) {
	s.want = 0
	if items = min(items, most); items > 1 && took/gatherPart >= gatherLeast {
		s.want, s.gatherEnd = items, ended.Add(min(took/gatherPart, gatherMost))
	}
}
