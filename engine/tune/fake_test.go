package tune

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"clipd/engine"
)

// machine is a scripted one: what a batch costs follows from its rows, the threads of the lane, and how many lanes the
// cores must carry.
type machine struct {
	t      *testing.T
	cores  int
	wide   bool          // it makes wide lanes
	opened time.Duration // what it takes to open a model
	serial float64       // part of a batch that more threads make no quicker
	row    time.Duration // of work, on one thread
	fixed  time.Duration // of each batch
	noise  float64       // most deviation of a visit from its price, either way
	rnd    *rand.Rand
	bonus  map[Setting]float64 // factor on the price
	fails  func(Setting) error

	mu     sync.Mutex
	visits []Setting
	open   int // models that are not closed
}

// lane is one of a machine's, with its price.
type lane struct {
	machine *machine
	price   func(rows int) time.Duration
}

func (l lane) run(rows int) error {
	time.Sleep(l.price(rows))
	return nil
}

func (l lane) RunImages(_ []byte, rows, _ int, out []float32) error {
	fill(out)
	return l.run(rows)
}

func (l lane) RunTexts(b engine.TextBatch, out []float32) error {
	fill(out)
	return l.run(b.Rows)
}

func (lane) Close() {}

// fill writes an answer that is none of those that the engine refuses.
func fill(out []float32) {
	for i := range out {
		out[i] = 1
	}
}

// bytes is a tokenizer whose tokens are the text's bytes.
type bytes struct{}

func (bytes) Append(dst []int32, text string, _ int) []int32 {
	dst = append(dst, 300)
	for _, b := range []byte(text) {
		dst = append(dst, int32(b))
	}
	return append(dst, 301)
}

var spec = engine.Spec{Name: "fake", Dim: 4, ImageSize: 4, ContextLength: 77, LogitScale: 100}

// closing counts the models that are open.
type closing struct {
	*engine.Model
	machine *machine
}

func (c closing) Close() {
	c.Model.Close()
	c.machine.mu.Lock()
	c.machine.open--
	c.machine.mu.Unlock()
}

func (m *machine) Open(ctx context.Context, s Setting) (Model, Setting, error) {
	if s.Lanes == 0 {
		s.Lanes = m.cores
	}
	if s.Threads == 0 {
		s.Threads = s.Lanes * max(m.cores/s.Lanes, 1)
	}
	s.Wide = s.Wide && m.wide && s.Lanes > 1
	m.visits = append(m.visits, s)
	time.Sleep(m.opened)
	if m.fails != nil {
		if err := m.fails(s); err != nil {
			return nil, s, err
		}
	}
	factor := 1.0
	if f, found := m.bonus[s]; found {
		factor = f
	}
	if m.noise > 0 {
		factor *= 1 + m.noise*(2*m.rnd.Float64()-1)
	}
	if over := float64(s.Threads) / float64(m.cores); over > 1 {
		factor *= 1.2 * over
	}
	threads := max(s.Threads/s.Lanes, 1)
	price := func(threads int) func(rows int) time.Duration {
		return func(rows int) time.Duration {
			quicker := m.serial + (1-m.serial)/float64(threads)
			return time.Duration(factor * (float64(m.fixed) + float64(rows)*float64(m.row)*quicker))
		}
	}
	var slots []engine.Slot
	if s.Wide {
		slots = append(slots, engine.Slot{Lane: lane{m, price(s.Threads)}, Wide: true})
	}
	for range s.Lanes {
		slots = append(slots, engine.Slot{Lane: lane{m, price(threads)}})
	}
	model, err := engine.New(spec, bytes{}, slots, engine.Options{MaxBatch: s.Minibatch, Workers: 8})
	if err != nil {
		return nil, s, err
	}
	m.mu.Lock()
	m.open++
	m.mu.Unlock()
	return closing{model, m}, s, nil
}

// newMachine is one with 4 cores, on which more lanes carry more and more threads a lane make a lonely caller's wait shorter.
func newMachine(t *testing.T) *machine {
	m := &machine{t: t, cores: 4, opened: 50 * time.Millisecond, serial: 0.3, row: 4 * time.Millisecond, fixed: 2 * time.Millisecond,
		rnd: rand.New(rand.NewPCG(7, 7))}
	t.Cleanup(func() {
		if m.open != 0 {
			t.Errorf("%d models were not closed", m.open)
		}
	})
	return m
}

// pnm is a picture of one colour that the preprocessing reads.
func pnm(value byte) []byte { return append([]byte("P5 4 4 255\n"), make16(value)...) }

func make16(value byte) []byte {
	data := make([]byte, 16)
	for i := range data {
		data[i] = value
	}
	return data
}

func material() (m Material) {
	for i := range 512 {
		m.Texts = append(m.Texts, fmt.Sprintf("text %d", i))
	}
	for i := range 128 {
		m.Pictures = append(m.Pictures, pnm(byte(i)))
	}
	return m
}

var errBroken = errors.New("this setting is broken")
