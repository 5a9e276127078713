package engine

import (
	"sync"
	"sync/atomic"
	"time"

	"clipd/engine/preprocess"
)

// Lane runs batches, one at a time. A replica of a model has one or more; calls block until the batch is done.
type Lane interface {
	// RunImages embeds pixels, uint8 [rows, size, size, 3], into out, [rows, dim].
	RunImages(pixels []byte, rows, size int, out []float32) error
	// RunTexts embeds texts into out, [rows, dim].
	RunTexts(t TextBatch, out []float32) error
	Close()
}

// Slot is a lane and its place among the others.
type Slot struct {
	Lane    Lane
	Replica int
	// Wide: the lane computes with all the threads of its replica, and texts only. It takes the texts of small requests, for
	// which many threads are quicker than a few and as cheap; the other lanes of the replica rest meanwhile, unless
	// they are in the middle of a batch.
	Wide bool
	// Locked: the lane is only called from one thread, for runtimes that keep state by thread (CUDA's current device). Each batch
	// then costs two changes of threads, 10 to 40 us in all here, where two of goroutines take 0.4.
	Locked bool
	// Rebuild makes a new lane in place of one that has failed; nil: the old one is tried again after a while.
	Rebuild func() (Lane, error)
}

// Tokenizer turns a text into tokens.
type Tokenizer interface {
	// Append appends the tokens of text to dst, markers included, cut to contextLength.
	Append(dst []int32, text string, contextLength int) []int32
}

// Spec is what the scheduler must know of a model.
type Spec struct {
	Name          string
	Dim           int     // columns of an embedding
	ImageSize     int     // height and width of a prepared picture
	ContextLength int     // most tokens of a text
	PadID         int32   // fills the end of shorter rows
	Packs         bool    // the lanes take several texts in a line, and nothing is padded
	LogitScale    float32 // factor before the softmax of a ranking, exp applied
}

// Options bound a model's work. Zero fields mean the defaults.
type Options struct {
	MaxBatch  int               // most rows of a batch (minibatch_size); 32
	MaxQueued int               // inputs accepted and not yet answered; 16,384
	MaxWait   time.Duration     // a request that would wait longer for others than it takes itself, as estimated, is refused; 5 s
	Workers   int               // goroutines that decode and resize pictures; 4
	Limits    preprocess.Limits // of one picture

	// MaxDelay keeps a batch open to newcomers though a lane is free, until it has PreferredBatch rows (0: MaxBatch) or its
	// first item has waited so long; 0: a free lane takes what there is.
	MaxDelay       time.Duration
	PreferredBatch int

	// Watchdog is the least time after which a batch that does not end is given up, and its lane with it; 60 s. A batch that is
	// expected to take long has 30 times that long, one of unknown cost 10 times the least.
	Watchdog time.Duration

	// OnHealth is called when what Health returns changes, from a goroutine of its own; nil: nobody asks.
	OnHealth func(ok bool, reason string)

	// Observer hears what the model does; nil: nobody listens.
	Observer Observer

	// CacheBytes bounds a cache of embeddings by the content of texts and pictures; 0: none.
	CacheBytes int64
}

func (o Options) withDefaults() Options {
	if o.MaxBatch <= 0 {
		o.MaxBatch = 32
	}
	if o.MaxQueued <= 0 {
		o.MaxQueued = 16384
	}
	if o.MaxWait <= 0 {
		o.MaxWait = 5 * time.Second
	}
	if o.Workers <= 0 {
		o.Workers = 4
	}
	if o.Watchdog <= 0 {
		o.Watchdog = time.Minute
	}
	if o.PreferredBatch <= 0 || o.PreferredBatch > o.MaxBatch {
		o.PreferredBatch = o.MaxBatch
	}
	return o
}

// The queues of prepared items.
const (
	images     = iota
	texts      // of large requests, and all where no lane is wide
	quickTexts // of small requests, for the wide lanes
	queues
)

func towerOf(q int) Tower {
	if q == images {
		return ImageTower
	}
	return TextTower
}

// Model schedules the inputs of one CLIP model onto its lanes. It is safe for concurrent use.
type Model struct {
	Spec
	opts      Options
	tokenizer Tokenizer
	slots     []*slot
	wide      int  // slots that are; their queue is quickTexts
	crowded   bool // small requests waited for a wide lane and are now for the narrow ones
	step      int  // tokens of a bucket
	cache     *cache
	joined    atomic.Uint64

	telling sync.Mutex // guards the calls of OnHealth

	mu      sync.Mutex
	work    sync.Cond     // a picture waits to be prepared and the stage has room, or the model closes
	raw     queue         // pictures that wait for a worker
	ready   [queues]queue // prepared items
	running [queues]int   // rows that lanes work on
	retries []*again
	flights map[contentKey]*flight
	serial  uint64     // of the last batch
	costs   [2][2]cost // of a batch, by Tower, of narrow and of wide lanes
	length  float64    // mean tokens of a text, of late
	last    int        // the queue of the last batch of a narrow lane; another one goes first
	queued  int        // items accepted and not yet answered
	staged  int        // pictures that hold a buffer of the stage
	free    [][]byte   // buffers of the stage that nobody holds
	healthy bool
	reason  string        // when not healthy
	closed  bool          // nothing more is accepted
	stopped bool          // workers and lanes go home
	drained chan struct{} // closed when closed and nothing is queued
	end     chan struct{} // closed when stopped
	wg      sync.WaitGroup
}

// NewModel starts a model on lanes that are all alike; see New.
func NewModel(spec Spec, tokenizer Tokenizer, lanes []Lane, o Options) (*Model, error) {
	slots := make([]Slot, len(lanes))
	for i, l := range lanes {
		slots[i].Lane = l
	}
	return New(spec, tokenizer, slots, o)
}

// New starts the workers of a model and a goroutine for each lane, and owns the lanes from then on.
func New(spec Spec, tokenizer Tokenizer, slots []Slot, o Options) (*Model, error) {
	if spec.Dim <= 0 || spec.ImageSize <= 0 || spec.ContextLength < 2 {
		return nil, Errorf(Invalid, "model %s: dim %d, image size %d and context length %d must be positive",
			spec.Name, spec.Dim, spec.ImageSize, spec.ContextLength)
	}
	m := &Model{Spec: spec, opts: o.withDefaults(), tokenizer: tokenizer, step: bucketStep, healthy: true,
		flights: make(map[contentKey]*flight), drained: make(chan struct{}), end: make(chan struct{})}
	var err error
	if m.cache, err = newCache(o.CacheBytes); err != nil {
		return nil, Errorf(Invalid, "model %s: a cache of %d bytes: %v", spec.Name, o.CacheBytes, err)
	}
	m.work.L = &m.mu
	m.raw.place, m.ready[images].place = rawPlace, imagePlace
	m.ready[texts].place, m.ready[quickTexts].place = textPlace, textPlace
	for i, s := range slots {
		m.slots = append(m.slots, m.newSlot(i, s))
		if s.Wide {
			m.wide++
		}
	}
	if len(slots) == m.wide {
		return nil, Errorf(Invalid, "model %s has no lane for pictures", spec.Name)
	}
	for range m.opts.Workers {
		m.wg.Go(m.prepareImages)
	}
	for _, s := range m.slots {
		m.start(s, s.Lane)
	}
	return m, nil
}

// bucketStep is the grain of the buckets: texts whose numbers of tokens lie within one step share one.
const bucketStep = 4

// bucket returns the bucket of a text of n tokens. Where texts are packed, those of any length go together.
func (m *Model) bucket(n int) int {
	if m.Packs {
		return 0
	}
	return (n - 1) / m.step
}

// stageSize is the most pictures that are prepared ahead of the lanes.
func (m *Model) stageSize() int {
	return max(2*(len(m.slots)-m.wide)*m.opts.MaxBatch, m.opts.Workers)
}

// Queued returns how many inputs are accepted and not yet answered.
func (m *Model) Queued() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.queued
}

// Drain refuses new inputs and returns a channel that is closed when the accepted ones are answered.
func (m *Model) Drain() <-chan struct{} {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.closed {
		m.closed = true
		if m.queued == 0 {
			close(m.drained)
		}
		m.kick() // nobody comes any more whom a lane could wait for
	}
	return m.drained
}

// Close refuses new inputs, answers the accepted ones and ends the workers and lanes. It does not wait for a
// lane that the watchdog gave up.
func (m *Model) Close() {
	<-m.Drain()
	m.mu.Lock()
	if !m.stopped {
		m.stopped = true
		close(m.end)
	}
	m.work.Broadcast()
	for _, s := range m.slots {
		s.look()
		s.timer.Stop()
	}
	m.mu.Unlock()
	m.wg.Wait()
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, r := range m.retries { // of callers who have gone: all others are answered
		for _, it := range r.items {
			m.answer(it, Errorf(Unavailable, "the server is shutting down"))
		}
	}
	m.retries = nil
}

// settle counts n items as answered. The lock is held.
func (m *Model) settle(n int) {
	m.queued -= n
	if m.queued < 0 {
		panic("BUG: more items answered than accepted")
	}
	if m.closed && m.queued == 0 && n > 0 {
		close(m.drained)
	}
}
