package engine

import "time"

// accept takes a request in, or says why not. It never waits.
func (m *Model) accept(r *request) error {
	n := len(r.inputs)
	pictures := 0
	for i := range r.inputs {
		if r.inputs[i].Tower == ImageTower {
			pictures++
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.closed:
		return Errorf(Unavailable, "the server is shutting down")
	case n > m.opts.MaxQueued:
		e := Errorf(Invalid, "the request has %d inputs; at most %d are allowed (max_queued)", n, m.opts.MaxQueued)
		e.Limit = "max_queued"
		return e
	case !m.healthy:
		return Errorf(Unavailable, "model %s does not work at the moment: %s", m.Name, m.reason)
	}
	r.quick = m.wide > 0 && pictures == 0 && n <= m.quickRows()
	behind, own := m.wait(r, pictures)
	if m.queued+n > m.opts.MaxQueued {
		e := Errorf(Overloaded, "%d inputs are waiting and %d more exceed the limit of %d (max_queued); try again later",
			m.queued, n, m.opts.MaxQueued)
		e.RetryAfter, e.Limit = behind, "max_queued"
		return e
	}
	// A large request shares the lanes with others for as long as it takes itself, which is no waiting.
	if behind > own && behind-own > m.opts.MaxWait && r.priority != High {
		e := Errorf(Overloaded, "%d inputs are waiting and a new request would wait %v for them; at most %v are allowed (max_wait); try again later",
			m.queued, (behind - own).Round(time.Millisecond), m.opts.MaxWait)
		e.RetryAfter, e.Limit = behind-own-m.opts.MaxWait/2, "max_wait"
		return e
	}
	if !r.deadline.IsZero() && m.queued > 0 {
		if left, last := time.Until(r.deadline), behind+own; last > left {
			e := Errorf(Overloaded, "the request allows %v, but with %d inputs waiting its answer would take about %v; try again later",
				left.Round(time.Millisecond), m.queued, last.Round(time.Millisecond))
			e.RetryAfter, e.Limit = last, "deadline"
			return e
		}
	}
	m.queued += n
	return nil
}

// quickTime is how long a wide lane may work on a request that it takes: those behind it wait as long.
const quickTime = 16 * time.Millisecond

// quickRows returns how many texts a request may have to be served by the wide lanes. The lock is held.
func (m *Model) quickRows() int {
	c := &m.costs[TextTower][1]
	if c.unit <= 0 {
		return 8
	}
	return max(int(float64(quickTime-c.fixed)/(float64(c.unit)*max(m.length, 1))), 1)
}

// wait estimates from what full batches cost how long the lanes will work on other requests before the last item of this one is
// answered, and how long on it alone. Requests take turns, so a small one does not wait for all that is queued. The lock is
// held.
func (m *Model) wait(r *request, pictures int) (behind, own time.Duration) {
	turn := turnOf(m.opts.MaxBatch)
	add := func(q int, ahead, requests, n int) {
		each := m.each(q)
		if r.priority == High {
			ahead = min(ahead, m.ready[q].size)
		}
		turns := (n + turn - 1) / turn
		behind += time.Duration(m.running[q]/2+min(ahead, requests*turns*turn)) * each
		own += time.Duration(n) * each
	}
	if pictures > 0 {
		add(images, m.ready[images].size+m.raw.size, max(m.ready[images].requests, m.raw.requests), pictures)
	}
	if n := len(r.inputs) - pictures; n > 0 {
		q := r.texts()
		add(q, m.ready[q].size, m.ready[q].requests, n)
	}
	return behind, own
}

// each returns the time of an item of a queue when its lanes are busy with full batches; 0 when it is not known yet. The lock
// is held.
func (m *Model) each(q int) time.Duration {
	wide, lanes, length := 0, m.lanesOf(q), 1
	if q == quickTexts && lanes > 0 {
		wide = 1
	}
	if lanes == 0 {
		lanes = max(m.lanesOf(texts), 1) // the wide lanes have failed
	}
	tower := towerOf(q)
	if tower == TextTower {
		length = max(int(m.length), 1)
	}
	c := &m.costs[tower][wide]
	if !c.known() {
		return 0
	}
	rows := c.full(tower, length, m.opts.MaxBatch)
	return c.of(work(tower, rows, length)) / time.Duration(rows*lanes)
}
