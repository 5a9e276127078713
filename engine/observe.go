package engine

import "time"

// Observer hears what a model does, from the goroutines that do it: its methods have to be quick, must not call the model,
// and are called from many at a time.
type Observer interface {
	// Prepared: inputs of a tower were tokenized together, or one picture was decoded and resized, within a time.
	Prepared(t Tower, inputs int, took time.Duration)
	// Ran: a batch has ended.
	Ran(b Batch)
	// Waited: an input was ready for so long before a lane took it, for its first batch.
	Waited(t Tower, waited time.Duration)
	// Rebuilt: a lane that had been taken out was made anew, or could not be.
	Rebuilt(err error)
}

// Batch is what an Observer hears of a batch.
type Batch struct {
	Tower   Tower
	Rows    int
	Tokens  int // texts: tokens of all rows
	Padding int // texts: places for tokens that were left over, beside those
	Took    time.Duration
	Again   bool  // its inputs were in a batch that failed
	Err     error // why it failed as a whole; nil: it did not
}

// prepared tells the observer.
func (m *Model) prepared(t Tower, inputs int, began, ready time.Time) {
	if o := m.opts.Observer; o != nil {
		o.Prepared(t, inputs, ready.Sub(began))
	}
}

// ran tells the observer about a batch that ended, before its items are answered.
func (m *Model) ran(b *batch, left time.Time, err error) {
	o := m.opts.Observer
	if o == nil {
		return
	}
	t := towerOf(b.queue)
	told := Batch{Tower: t, Rows: len(b.items), Took: left.Sub(b.taken), Again: b.retry != nil, Err: err}
	for i := range b.items {
		told.Tokens += len(b.items[i].ids)
		if b.retry == nil {
			o.Waited(t, b.taken.Sub(b.items[i].ready))
		}
	}
	if t == TextTower {
		told.Padding = b.form.tokens() - told.Tokens
	}
	o.Ran(told)
}

// rebuilt tells the observer.
func (m *Model) rebuilt(err error) {
	if o := m.opts.Observer; o != nil {
		o.Rebuilt(err)
	}
}

// Activity is what a model does at a moment.
type Activity struct {
	Queued    int    // inputs accepted and not yet answered
	Undecoded int    // pictures that wait for a worker
	Waiting   [2]int // inputs that are ready and wait for a lane, by Tower
	Running   [2]int // inputs that lanes work on, by Tower
	Lanes     int    // in service
	LanesOut  int    // taken out, until they are made anew
}

// Activity returns what the model does now.
func (m *Model) Activity() Activity {
	m.mu.Lock()
	defer m.mu.Unlock()
	a := Activity{Queued: m.queued, Undecoded: m.raw.size}
	for q := range m.ready {
		a.Waiting[towerOf(q)] += m.ready[q].size
		a.Running[towerOf(q)] += m.running[q]
	}
	for _, r := range m.retries {
		a.Waiting[towerOf(r.queue)] += len(r.items)
	}
	for _, s := range m.slots {
		if s.out {
			a.LanesOut++
		} else {
			a.Lanes++
		}
	}
	return a
}
