package engine

// queue holds the items of many requests and lets the requests take turns: one item of each after the other, so
// that a request of one item does not wait behind one of 10,000. Within a request, items lie in buckets (texts of
// like length; pictures have one bucket), since a batch is padded to its longest row. Callers lock.
type queue struct {
	buckets int
	ring    []*share // requests with items waiting; the one whose turn it is comes first
	byReq   map[*request]*share
	size    int
	spare   []*share // scratch of take
}

// share is what one request has waiting: a first-in, first-out list for each bucket.
type share struct {
	req     *request
	waiting int
	lists   [][]item
}

func newQueue(buckets int) queue {
	return queue{buckets: buckets, byReq: make(map[*request]*share)}
}

func (q *queue) push(it item, bucket int) {
	s := q.byReq[it.req]
	if s == nil {
		s = &share{req: it.req, lists: make([][]item, q.buckets)}
		q.byReq[it.req] = s
		q.ring = append(q.ring, s)
	}
	s.lists[bucket] = append(s.lists[bucket], it)
	s.waiting++
	q.size++
}

// take appends up to n items to dst, n >= 1; fewer when one of them must not lie in so large a batch. The request whose turn it is gives its oldest item, which decides
// the bucket; the others, and then it again, add items of that bucket or of shorter ones.
func (q *queue) take(dst []item, n int) []item {
	if len(q.ring) == 0 {
		return dst
	}
	bucket := q.ring[0].oldest()
	before := len(dst)
	want := before + n
	// Requests that gave something move behind those that did not, so turns go on in the next batch.
	served := q.spare[:0]
	for progress := true; progress && len(dst) < want; {
		progress = false
		rest := q.ring[:0]
		for i, s := range q.ring {
			if len(dst) == want {
				rest = append(rest, q.ring[i:]...)
				break
			}
			it, ok := item{}, s.fits(len(dst)-before)
			if ok {
				it, ok = s.pop(bucket)
			}
			if !ok {
				rest = append(rest, s)
				continue
			}
			if most := s.req.maxBatch; most > 0 {
				want = min(want, before+most)
			}
			progress = true
			q.size--
			dst = append(dst, it)
			if s.waiting > 0 {
				served = append(served, s)
			} else {
				delete(q.byReq, s.req)
			}
		}
		rest = append(rest, served...)
		clear(q.ring[min(len(rest), len(q.ring)):])
		q.ring, served = rest, served[:0]
	}
	clear(served[:cap(served)])
	q.spare = served[:0]
	return dst
}

// fits reports whether the request allows one more item beside so many in a batch.
func (s *share) fits(beside int) bool { return s.req.maxBatch <= 0 || beside < s.req.maxBatch }

// oldest returns the bucket of the item that its request gave first.
func (s *share) oldest() int {
	best := -1
	for b, list := range s.lists {
		if len(list) > 0 && (best < 0 || list[0].index < s.lists[best][0].index) {
			best = b
		}
	}
	return best
}

// pop takes the first item of the bucket, or of the longest bucket below it that has one.
func (s *share) pop(bucket int) (item, bool) {
	for b := bucket; b >= 0; b-- {
		if list := s.lists[b]; len(list) > 0 {
			it := list[0]
			list[0] = item{}
			s.lists[b] = list[1:]
			s.waiting--
			return it, true
		}
	}
	return item{}, false
}

// remove takes all items of a request out and returns them.
func (q *queue) remove(r *request) []item {
	s := q.byReq[r]
	if s == nil {
		return nil
	}
	delete(q.byReq, r)
	for i, other := range q.ring {
		if other == s {
			q.ring = append(q.ring[:i], q.ring[i+1:]...)
			break
		}
	}
	items := make([]item, 0, s.waiting)
	for _, list := range s.lists {
		items = append(items, list...)
	}
	q.size -= len(items)
	return items
}
