package engine

import (
	"math"
	"sync"

	"clipd/engine/preprocess"
)

// Lane runs batches, one at a time. A replica of a model has one or more; calls block until the batch is done.
type Lane interface {
	// RunImages embeds pixels, uint8 [rows, size, size, 3], into out, [rows, dim].
	RunImages(pixels []byte, rows, size int, out []float32) error
	// RunTexts embeds ids, int32 [rows, length], padded at the end of each row, into out, [rows, dim].
	RunTexts(ids []int32, rows, length int, out []float32) error
	Close()
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
	LogitScale    float32 // factor before the softmax of a ranking, exp applied
}

// Options bound a model's work. Zero fields mean the defaults.
type Options struct {
	MaxBatch  int               // most rows of a batch (minibatch_size); 32
	MaxQueued int               // inputs accepted and not yet answered; 16,384
	Workers   int               // goroutines that decode and resize pictures; 4
	Limits    preprocess.Limits // of one picture
}

func (o Options) withDefaults() Options {
	if o.MaxBatch <= 0 {
		o.MaxBatch = 32
	}
	if o.MaxQueued <= 0 {
		o.MaxQueued = 16384
	}
	if o.Workers <= 0 {
		o.Workers = 4
	}
	return o
}

// Model schedules the inputs of one CLIP model onto its lanes. It is safe for concurrent use.
type Model struct {
	Spec
	opts      Options
	tokenizer Tokenizer
	lanes     int

	mu      sync.Mutex
	work    sync.Cond     // a picture waits to be prepared and the stage has room, or the model closes
	batches sync.Cond     // an item is ready, or the model closes
	raw     queue         // pictures that wait for a worker
	ready   [2]queue      // prepared items, by tower
	last    Tower         // the tower of the last batch; the other one goes first
	idle    int           // lanes that wait for an item
	queued  int           // items accepted and not yet answered
	staged  int           // pictures that hold a buffer of the stage
	free    [][]byte      // buffers of the stage that nobody holds
	closed  bool          // nothing more is accepted
	stopped bool          // workers and lanes go home
	drained chan struct{} // closed when closed and nothing is queued
	wg      sync.WaitGroup
}

// NewModel starts the workers of a model and a goroutine for each lane, and owns the lanes from then on.
func NewModel(spec Spec, tokenizer Tokenizer, lanes []Lane, o Options) (*Model, error) {
	if len(lanes) == 0 {
		return nil, Errorf(Invalid, "model %s has no lane", spec.Name)
	}
	if spec.Dim <= 0 || spec.ImageSize <= 0 || spec.ContextLength < 2 {
		return nil, Errorf(Invalid, "model %s: dim %d, image size %d and context length %d must be positive",
			spec.Name, spec.Dim, spec.ImageSize, spec.ContextLength)
	}
	m := &Model{Spec: spec, opts: o.withDefaults(), tokenizer: tokenizer, lanes: len(lanes), drained: make(chan struct{})}
	m.work.L, m.batches.L = &m.mu, &m.mu
	m.raw = newQueue(1)
	m.ready[ImageTower] = newQueue(1)
	m.ready[TextTower] = newQueue(bucket(spec.ContextLength) + 1)
	for range m.opts.Workers {
		m.wg.Go(m.prepareImages)
	}
	for _, l := range lanes {
		m.wg.Go(func() { m.serve(l) })
	}
	return m, nil
}

// bucketStep is the grain of the buckets: texts whose numbers of tokens lie within one step share one.
const bucketStep = 8

// bucket returns the bucket of a text of n tokens.
func bucket(n int) int { return (n - 1) / bucketStep }

// rowLength returns the length that the rows of a batch are padded to, whose longest has n tokens. A runtime pays for a
// length that differs from its last one (OpenVINO about 2.4 ms on ViT-B/32, measured) and for every padded
// token of every row (0.2 ms), so few rows are rounded up coarsely and many not at all.
func (m *Model) rowLength(rows, n int) int {
	step := 1
	switch {
	case rows <= 4:
		step = 8
	case rows <= 12:
		step = 4
	}
	return min((n+step-1)/step*step, m.ContextLength)
}

// stageSize is the most pictures that are prepared ahead of the lanes.
func (m *Model) stageSize() int { return max(2*m.lanes*m.opts.MaxBatch, m.opts.Workers) }

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
	}
	return m.drained
}

// Close refuses new inputs, answers the accepted ones and ends the workers and lanes.
func (m *Model) Close() {
	<-m.Drain()
	m.mu.Lock()
	m.stopped = true
	m.work.Broadcast()
	m.batches.Broadcast()
	m.mu.Unlock()
	m.wg.Wait()
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

// finite reports whether no value of row is NaN or infinite.
func finite(row []float32) bool {
	var sum float32
	for _, v := range row {
		sum += v * 0 // 0, or NaN once a value is not finite
	}
	return !math.IsNaN(float64(sum))
}
