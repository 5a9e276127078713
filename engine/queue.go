package engine

import "time"

// queue holds the items of many requests and lets the requests take turns of a few items, so that a request of one item
// does not wait behind one of 10,000, and one of a few is answered whole before those that came after it. Requests of high priority come first, but no more
// than highInARow batches in a row. Within a request, items lie in groups (texts of like length; pictures have one
// group), since a batch is padded to its longest row. Callers lock.
type queue struct {
	place    place
	rings    [2]ring // by Priority
	size     int
	requests int
	row      int // batches in a row that began with a high priority while others waited
}

// place names a queue within a request.
type place int

// The places.
const (
	rawPlace   place = iota // pictures that wait for a worker
	imagePlace              // prepared pictures
	textPlace               // tokenized texts
	places
)

// highInARow bounds how long high priority keeps the others waiting: of so many batches and one more, one is theirs.
const highInARow = 4

// ring is a list of requests in the order of their turns.
type ring struct{ head, tail *share }

// share is what one request has waiting in one queue.
type share struct {
	req        *request
	next, prev *share
	listed     bool // in the ring
	waiting    int
	groups     []group

	oneGroup [1]group // groups begins here: most requests have one item
	oneItem  [1]item
}

// group is a first-in, first-out list of items of like length.
type group struct {
	bucket int
	items  []item
}

func (r *ring) push(s *share) {
	s.listed, s.prev, s.next = true, r.tail, nil
	if r.tail != nil {
		r.tail.next = s
	} else {
		r.head = s
	}
	r.tail = s
}

func (r *ring) remove(s *share) {
	if s.prev != nil {
		s.prev.next = s.next
	} else {
		r.head = s.next
	}
	if s.next != nil {
		s.next.prev = s.prev
	} else {
		r.tail = s.prev
	}
	s.listed, s.prev, s.next = false, nil, nil
}

func (q *queue) push(it item, bucket int) {
	s := it.req.share(q.place)
	if !s.listed {
		q.rings[it.req.priority].push(s)
		q.requests++
	}
	s.push(it, bucket)
	q.size++
}

func (s *share) push(it item, bucket int) {
	s.waiting++
	for i := range s.groups {
		if s.groups[i].bucket == bucket {
			s.groups[i].items = append(s.groups[i].items, it)
			return
		}
	}
	g := group{bucket: bucket}
	if s.groups == nil {
		s.groups = s.oneGroup[:0]
		g.items = s.oneItem[:0]
	}
	g.items = append(g.items, it)
	s.groups = append(s.groups, g)
}

// limits bound a batch.
type limits struct {
	tower  Tower
	rows   int
	step   int   // tokens of a bucket
	cost   *cost // bounds rows by their length, and padding; nil: neither
	most   int   // of rows, whatever it costs
	tokens int   // of a batch that is packed; 0: it is not
}

// turnOf returns how many items of a request go into a batch before those of the next one: a part of a batch, so that
// several requests fit in.
func turnOf(rows int) int { return min(max(rows/4, 1), 8) }

// scanMost bounds how many requests are asked for an item of a batch's bucket.
const scanMost = 512

// take appends up to l.rows items to dst; fewer when one of them must not lie in so large a batch. The request whose
// turn it is gives its oldest item, which decides the bucket; the others, and then it again, add items of that
// bucket, and shorter ones as long as padding them costs less than a batch of their own.
func (q *queue) take(dst []item, l limits) []item {
	first, second := High, Normal
	if q.rings[High].head == nil || q.row >= highInARow && q.rings[Normal].head != nil {
		first, second = Normal, High
	}
	if first == High && q.rings[Normal].head != nil {
		q.row++
	} else {
		q.row = 0
	}
	lead := q.rings[first].head
	if lead == nil {
		return dst
	}
	t := taking{limits: l, q: q, items: dst, begin: len(dst), bucket: lead.oldest()}
	t.waste = 1 << 30
	if l.cost != nil && l.tower == TextTower && l.tokens == 0 {
		length := (t.bucket + 1) * l.step
		t.rows = min(t.rows, l.cost.full(l.tower, length, l.most))
		t.waste = l.cost.padding(t.waste)
	}
	t.from(&q.rings[first])
	t.from(&q.rings[second])
	return t.items
}

// taking is a batch in the making.
type taking struct {
	limits
	q      *queue
	items  []item
	begin  int
	bucket int
	waste  int // tokens of padding that shorter items may still cost
	used   int // tokens of a batch that is packed
}

// from goes round a ring until the batch is full or a whole round gave nothing.
func (t *taking) from(r *ring) {
	misses, turn := 0, turnOf(t.rows)
	for s := r.head; s != nil && len(t.items)-t.begin < t.rows && misses < scanMost; {
		next := s.next
		it, ok := t.give(s)
		if !ok {
			misses++
			s = next
			continue
		}
		t.items = append(t.items, it)
		t.q.size--
		for range turn - 1 {
			if s.waiting == 0 || len(t.items)-t.begin >= t.rows {
				break
			}
			if it, ok = t.give(s); !ok {
				break
			}
			t.items = append(t.items, it)
			t.q.size--
		}
		r.remove(s)
		if s.waiting > 0 {
			r.push(s) // behind those that gave nothing, so that turns go on in the next batch
			if next == nil {
				next = s
			}
		} else {
			t.q.requests--
		}
		s = next
	}
}

// give takes the next item of a request for the batch.
func (t *taking) give(s *share) (item, bool) {
	if most := s.req.maxBatch; most > 0 {
		if len(t.items)-t.begin >= most {
			return item{}, false
		}
		t.rows = min(t.rows, most)
	}
	best := -1
	for i := range s.groups {
		if b := s.groups[i].bucket; b <= t.bucket && (best < 0 || b > s.groups[best].bucket) {
			best = i
		}
	}
	if best < 0 {
		return item{}, false
	}
	if shorter := (t.bucket - s.groups[best].bucket) * t.step; shorter > t.waste {
		return item{}, false
	} else if shorter > 0 {
		t.waste -= shorter
	}
	if t.tokens > 0 {
		n := len(s.groups[best].items[0].ids)
		if t.used += n; t.used > t.tokens {
			t.used -= n
			return item{}, false
		}
	}
	return s.pop(best), true
}

// oldest returns the bucket of the item that its request gave first.
func (s *share) oldest() int {
	best := 0
	for i := range s.groups {
		if s.groups[i].items[0].index < s.groups[best].items[0].index {
			best = i
		}
	}
	return s.groups[best].bucket
}

// first returns when the item became ready whose turn it is, or that of the other priority if that was earlier.
func (q *queue) first() time.Time {
	var first time.Time
	for _, r := range q.rings {
		if r.head == nil {
			continue
		}
		if ready := r.head.groups[0].items[0].ready; first.IsZero() || ready.Before(first) {
			first = ready
		}
	}
	return first
}

// pop takes the first item of a group.
func (s *share) pop(i int) item {
	g := &s.groups[i]
	it := g.items[0]
	g.items[0] = item{}
	g.items = g.items[1:]
	s.waiting--
	if len(g.items) == 0 {
		last := len(s.groups) - 1
		s.groups[i] = s.groups[last]
		s.groups[last] = group{}
		s.groups = s.groups[:last]
	}
	return it
}

// remove takes all items of a request out and returns them.
func (q *queue) remove(r *request) []item {
	s := r.shares[q.place]
	if s == nil || !s.listed {
		return nil
	}
	q.rings[r.priority].remove(s)
	q.requests--
	items := make([]item, 0, s.waiting)
	for i := range s.groups {
		items = append(items, s.groups[i].items...)
	}
	clear(s.groups)
	s.groups, s.waiting = s.groups[:0], 0
	q.size -= len(items)
	return items
}
