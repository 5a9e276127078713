package engine

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func newTestModel(t *testing.T, o Options, lanes ...Lane) *Model {
	t.Helper()
	m, err := NewModel(testSpec, runes{}, lanes, o)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestEncodeMixedKeepsOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := &fakeLane{}, &fakeLane{}
		m := newTestModel(t, Options{MaxBatch: 4}, a, b)
		var inputs []Input
		for i := range 50 {
			if i%3 == 0 {
				inputs = append(inputs, square(8, byte(i)))
			} else {
				inputs = append(inputs, text(strings.Repeat("x", i)))
			}
		}
		emb, err := m.Encode(t.Context(), inputs)
		if err != nil || emb.Err() != nil {
			t.Fatal(err, emb.Err())
		}
		for i, in := range inputs {
			want := []float32{textSum(in.Text), 1}
			if in.Tower == ImageTower {
				want = []float32{float32(3 * 64 * i), 2}
			}
			if row := emb.Row(i); row[0] != want[0] || row[1] != want[1] {
				t.Errorf("input %d: got %v, want %v", i, row[:2], want)
			}
			if rows := emb.Row(i)[2]; rows > 4 {
				t.Errorf("input %d rode in a batch of %v rows; the limit is 4", i, rows)
			}
		}
		m.Close()
		if !a.closed || !b.closed {
			t.Error("a lane was not closed")
		}
		if m.Queued() != 0 {
			t.Errorf("%d items queued after Close", m.Queued())
		}
	})
}

// TestBatchStaysOpen shows that a batch is cut when the lane is free and not before: what arrives while the lane works
// rides together in the next batch.
func TestBatchStaysOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &fakeLane{gate: make(chan struct{})}
		m := newTestModel(t, Options{MaxBatch: 32}, l)
		var wg sync.WaitGroup
		send := func(s string) {
			wg.Go(func() {
				if emb, err := m.Encode(t.Context(), []Input{text(s)}); err != nil || emb.Row(0)[0] != textSum(s) {
					t.Errorf("%q: %v", s, err)
				}
			})
		}
		send("first")
		synctest.Wait()
		for i := range 10 {
			send(fmt.Sprint("later", i))
			synctest.Wait()
		}
		l.gate <- struct{}{}
		l.gate <- struct{}{}
		wg.Wait()
		m.Close()
		if got := fmt.Sprint(l.batches); got != "[1 10]" {
			t.Errorf("batches of %s rows, want [1 10]", got)
		}
	})
}

// TestGather shows that callers who come back a little later, one after the other, ride together, and that a lonely
// caller waits for nothing.
func TestGather(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &fakeLane{took: 16 * time.Millisecond}
		m := newTestModel(t, Options{}, l)
		var wg sync.WaitGroup
		for c := range 8 {
			wg.Go(func() {
				for range 20 {
					if _, err := m.Encode(t.Context(), []Input{text(fmt.Sprint("caller ", c))}); err != nil {
						t.Error(err)
					}
					time.Sleep(time.Duration(100+100*c) * time.Microsecond)
				}
			})
		}
		wg.Wait()
		if n := len(l.batches); n > 25 { // 20 rounds of 8 in one, after a start of 1 and 7
			t.Errorf("8 callers of 20 texts took %d batches: %v", n, l.batches)
		}
		l.batches = nil
		began := time.Now()
		for range 10 {
			m.Encode(t.Context(), []Input{text("alone")})
			time.Sleep(time.Millisecond)
		}
		if took := time.Since(began); took > 10*17*time.Millisecond+2*time.Millisecond {
			t.Errorf("10 lonely texts took %v, 17 ms each were due", took)
		}
		m.Close()
	})
}

// TestSharedOut shows that idle lanes share the work of one request.
func TestSharedOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := &fakeLane{gate: make(chan struct{})}, &fakeLane{gate: make(chan struct{})}
		m := newTestModel(t, Options{MaxBatch: 32}, a, b)
		synctest.Wait()
		go func() {
			m.Encode(t.Context(), distinct(16))
		}()
		synctest.Wait()
		if len(a.batches) != 1 || len(b.batches) != 1 || a.batches[0] != 8 || b.batches[0] != 8 {
			t.Errorf("lanes took %v and %v, want 8 rows each", a.batches, b.batches)
		}
		close(a.gate)
		close(b.gate)
		m.Close()
	})
}

// TestTurns shows that a single text does not wait behind another request's 1,000.
func TestTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &fakeLane{gate: make(chan struct{})}
		m := newTestModel(t, Options{MaxBatch: 8}, l)
		many := make([]Input, 1000)
		for i := range many {
			many[i] = text(fmt.Sprint("text number ", i))
		}
		go m.Encode(t.Context(), many)
		synctest.Wait()
		done := make(chan struct{})
		go func() {
			m.Encode(t.Context(), []Input{text("alone")})
			close(done)
		}()
		synctest.Wait()
		steps := 0
		for finished := false; !finished; steps++ {
			l.gate <- struct{}{}
			synctest.Wait()
			select {
			case <-done:
				finished = true
			default:
			}
		}
		if steps > 3 { // the batch in progress, perhaps one more, and its own
			t.Errorf("a single text waited for %d batches", steps)
		}
		close(l.gate)
		m.Close()
	})
}

// TestLikeLengths shows that short texts are not padded to long ones of other requests more than a batch's
// bucket, and that every row is answered.
func TestLikeLengths(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &fakeLane{gate: make(chan struct{})}
		m := newTestModel(t, Options{MaxBatch: 4}, l)
		var inputs []Input
		for i := range 16 {
			n := 5
			if i%2 == 1 {
				n = 60
			}
			inputs = append(inputs, text(strings.Repeat("y", n-1)+string(rune('a'+i))))
		}
		close(l.gate)
		emb, err := m.Encode(t.Context(), inputs)
		if err != nil || emb.Err() != nil {
			t.Fatal(err, emb.Err())
		}
		short := 0
		for i := 0; i < 16; i += 2 {
			if emb.Row(i)[3] == 7 {
				short++
			}
		}
		if short < 4 {
			t.Errorf("only %d of 8 short texts rode in short rows", short)
		}
		m.Close()
	})
}

func TestOneBadInputFailsAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &fakeLane{}
		m := newTestModel(t, Options{MaxBatch: 16}, l)
		inputs := []Input{text("a"), text("b" + string(rune(poison))), text("c"), text(string(rune(nan))), text("e"),
			{Tower: ImageTower, Image: []byte("no picture")}, square(8, 1)}
		emb, err := m.Encode(t.Context(), inputs)
		if err != nil {
			t.Fatal(err)
		}
		for i := range inputs {
			bad := i == 1 || i == 3 || i == 5
			if (emb.Errs[i] != nil) != bad {
				t.Errorf("input %d: error %v", i, emb.Errs[i])
			}
		}
		if KindOf(emb.Errs[1]) != Internal || KindOf(emb.Errs[3]) != Internal || KindOf(emb.Errs[5]) != Invalid {
			t.Errorf("kinds %v %v %v", KindOf(emb.Errs[1]), KindOf(emb.Errs[3]), KindOf(emb.Errs[5]))
		}
		if emb.Row(2)[0] != textSum("c") {
			t.Error("a good neighbour lost its row")
		}
		m.Close()
	})
}

func TestLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &fakeLane{gate: make(chan struct{})}
		m := newTestModel(t, Options{MaxQueued: 10}, l)
		inputs := make([]Input, 8)
		for i := range inputs {
			inputs[i] = text("x")
		}
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, err := m.Encode(t.Context(), inputs); err != nil {
				t.Error(err)
			}
		})
		synctest.Wait()
		if _, err := m.Encode(t.Context(), inputs); KindOf(err) != Overloaded || !strings.Contains(err.Error(), "max_queued") {
			t.Errorf("a full queue answered %v", err)
		}
		if _, err := m.Encode(t.Context(), make([]Input, 11)); KindOf(err) != Invalid {
			t.Errorf("a request larger than the queue answered %v", err)
		}
		close(l.gate)
		wg.Wait()
		m.Close()
		if _, err := m.Encode(t.Context(), inputs); KindOf(err) != Unavailable {
			t.Errorf("a closed model answered %v", err)
		}
	})
}

func TestCancelFreesThePlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &fakeLane{gate: make(chan struct{})}
		m := newTestModel(t, Options{MaxBatch: 2, MaxQueued: 100}, l)
		ctx, cancel := context.WithCancel(t.Context())
		inputs := make([]Input, 100)
		for i := range inputs {
			inputs[i] = text(fmt.Sprint("waiting ", i))
			if i%2 == 0 {
				inputs[i] = square(8, byte(i))
			}
		}
		result := make(chan error, 1)
		go func() {
			_, err := m.Encode(ctx, inputs)
			result <- err
		}()
		synctest.Wait()
		cancel()
		synctest.Wait()
		if q := m.Queued(); q > 2 {
			t.Errorf("%d items still queued after the caller went away; only the running batch may be", q)
		}
		close(l.gate)
		if err := <-result; KindOf(err) != Deadline || !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		if emb, err := m.Encode(t.Context(), []Input{text("next")}); err != nil || emb.Row(0)[0] != textSum("next") {
			t.Errorf("the next request failed: %v", err)
		}
		m.Close()
		if rows := sum(l.batches); rows > 3+1 {
			t.Errorf("%d rows reached the lane, most of them for nobody", rows)
		}
	})
}

func TestDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &fakeLane{gate: make(chan struct{})}
		m := newTestModel(t, Options{}, l)
		go m.Encode(t.Context(), []Input{text("holds the lane")})
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := m.Encode(ctx, []Input{text("late")}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		close(l.gate)
		m.Close()
		if len(l.batches) != 1 {
			t.Errorf("an input whose deadline had passed reached the lane: batches %v", l.batches)
		}
	})
}

// TestDrainAnswersAccepted shows that closing loses nothing that was accepted.
func TestDrainAnswersAccepted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &fakeLane{gate: make(chan struct{})}
		m := newTestModel(t, Options{MaxBatch: 3}, l)
		answered := make(chan *Embeddings, 1)
		go func() {
			emb, err := m.Encode(t.Context(), []Input{text("1"), text("2"), text("3"), text("4"), square(8, 9)})
			if err != nil {
				t.Error(err)
			}
			answered <- emb
		}()
		synctest.Wait()
		drained := m.Drain()
		select {
		case <-drained:
			t.Error("drained with items in progress")
		default:
		}
		close(l.gate)
		<-drained
		if emb := <-answered; emb.Err() != nil {
			t.Error(emb.Err())
		}
		m.Close()
	})
}

// TestEveryItemAnsweredOnce throws many requests of random size, some cancelled, at two lanes. A second answer would
// panic, a lost one would hang.
func TestEveryItemAnsweredOnce(t *testing.T) {
	bothForms(t, func(t *testing.T, spec Spec) {
		m, err := NewModel(spec, runes{}, []Lane{&fakeLane{}, &fakeLane{}, &fakeLane{}}, Options{MaxBatch: 7, Workers: 3})
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for g := range 40 {
			rnd := rand.New(rand.NewPCG(1, uint64(g)))
			wg.Go(func() {
				for range 20 {
					inputs := make([]Input, 1+rnd.IntN(30))
					for i := range inputs {
						switch rnd.IntN(8) {
						case 0:
							inputs[i] = square(8, byte(i))
						case 1:
							inputs[i] = Input{Tower: ImageTower, Image: []byte{1, 2, 3}}
						default:
							inputs[i] = text(strings.Repeat("z", rnd.IntN(100)))
						}
					}
					ctx, cancel := context.WithCancel(t.Context())
					if rnd.IntN(4) == 0 {
						go cancel()
					}
					emb, err := m.Encode(ctx, inputs)
					cancel()
					if err != nil {
						continue
					}
					for i, in := range inputs {
						bad := emb.Errs != nil && emb.Errs[i] != nil
						if bad != (in.Image != nil) {
							t.Errorf("input %d: bad = %v", i, bad)
						}
						if in.Tower == TextTower && emb.Row(i)[0] != textSum(in.Text) {
							t.Errorf("input %d has another one's row", i)
						}
					}
				}
			})
		}
		wg.Wait()
		m.Close()
		checkEmpty(t, m)
	})
}

func TestNewModelRefuses(t *testing.T) {
	if _, err := NewModel(testSpec, runes{}, nil, Options{}); err == nil {
		t.Error("no lane was accepted")
	}
	if _, err := NewModel(Spec{Name: "empty"}, runes{}, []Lane{&fakeLane{}}, Options{}); err == nil {
		t.Error("an empty spec was accepted")
	}
}

// checkEmpty looks at a closed model for anything left over.
func checkEmpty(t *testing.T, m *Model) {
	t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	left := m.staged + m.queued + len(m.retries) + len(m.flights)
	for _, q := range []*queue{&m.raw, &m.ready[images], &m.ready[texts], &m.ready[quickTexts]} {
		left += q.size + q.requests
		for _, r := range q.rings {
			if r.head != nil || r.tail != nil {
				left++
			}
		}
	}
	for _, n := range m.running {
		left += n
	}
	if left != 0 {
		t.Errorf("left over: staged %d, queued %d, running %v, %d retries, %d flights, queues %+v", m.staged, m.queued, m.running, len(m.retries), len(m.flights), m.ready)
	}
}

func sum(s []int) int {
	n := 0
	for _, v := range s {
		n += v
	}
	return n
}
