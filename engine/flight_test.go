package engine

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestJoin shows that the same content in progress is computed once, for texts and for pictures of both kinds, across
// requests and within one, and that its failure is everybody's.
func TestJoin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &fakeLane{gate: make(chan struct{})}
		m := newTestModel(t, Options{}, l)
		var wg sync.WaitGroup
		send := func(check func(*Embeddings), inputs ...Input) {
			wg.Go(func() {
				emb, err := m.Encode(t.Context(), inputs)
				if err != nil {
					t.Error(err)
					return
				}
				check(emb)
			})
			synctest.Wait()
		}
		same := text("the same")
		bad := text(string(rune(poison)))
		row := func(i int, want float32) func(*Embeddings) {
			return func(emb *Embeddings) {
				if emb.Errs != nil || emb.Row(i)[0] != want {
					t.Errorf("got %v, %v", emb.Errs, emb.Data)
				}
			}
		}
		failed := func(emb *Embeddings) {
			if emb.Err() == nil {
				t.Error("a poisonous text has an answer")
			}
		}
		send(row(0, textSum("holds the lane")), text("holds the lane"))
		send(row(0, textSum("the same")), same)
		send(row(0, 3*64*9), square(8, 9), square(8, 9))
		send(row(3, textSum("the same")), same, square(8, 9), text("other"), same)
		send(row(0, 3*64*10), square(8, 10))
		send(failed, bad)
		send(failed, bad, bad)
		if got := m.Stats().Joined; got != 6 {
			t.Errorf("%d inputs joined, want 6", got)
		}
		close(l.gate)
		wg.Wait()
		rows := 0
		for _, n := range l.batches {
			rows += n
		}
		if rows > 1+5+5 { // the poisonous one is tried again, with the other texts of its batch
			t.Errorf("%d rows were computed: %v", rows, l.batches)
		}
		m.Close()
		checkEmpty(t, m)
	})
}

// TestLeaderLeaves shows that those who joined are answered when the one whose item it was goes away, in each phase.
func TestLeaderLeaves(t *testing.T) {
	for _, phase := range []string{"waiting", "in the lane"} {
		for name, in := range map[string]Input{"text": text("the same"), "picture": square(8, 5)} {
			t.Run(name+" "+phase, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					l := &fakeLane{gate: make(chan struct{})}
					m := newTestModel(t, Options{}, l)
					if phase == "waiting" {
						go m.Encode(t.Context(), distinct(1))
						synctest.Wait()
					}
					ctx, cancel := context.WithCancel(t.Context())
					left := make(chan error)
					go func() { _, err := m.Encode(ctx, []Input{in}); left <- err }()
					synctest.Wait()
					result := make(chan *Embeddings, 3)
					for i := range 3 {
						own := t.Context()
						if i == 0 {
							own = ctx // goes away, too
						}
						go func() { emb, _ := m.Encode(own, []Input{in}); result <- emb }()
					}
					synctest.Wait()
					cancel()
					if err := <-left; !errors.Is(err, context.Canceled) {
						t.Errorf("the leader got %v", err)
					}
					close(l.gate)
					answers := 0
					for range 3 {
						if emb := <-result; emb != nil && emb.Errs == nil && emb.Row(0)[0] > 0 {
							answers++
						}
					}
					if answers != 2 {
						t.Errorf("%d of those who stayed were answered, want 2", answers)
					}
					m.Close()
					checkEmpty(t, m)
				})
			})
		}
	}
}

// TestJoinsNoLarger shows that a single text does not wait for the turn of the same one in a large request.
func TestJoinsNoLarger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &fakeLane{gate: make(chan struct{})}
		m := newTestModel(t, Options{MaxBatch: 4}, l)
		many := distinct(1000)
		go m.Encode(t.Context(), many)
		synctest.Wait()
		done := make(chan struct{})
		go func() { m.Encode(t.Context(), many[999:]); close(done) }()
		synctest.Wait()
		for range 2 {
			l.gate <- struct{}{}
			synctest.Wait()
		}
		select {
		case <-done:
		default:
			t.Error("a single text waits behind a large request that has it, too")
		}
		close(l.gate)
		m.Close()
		checkEmpty(t, m)
	})
}

// TestCache shows that contents are answered from the cache, that failures are not kept, and that the bound holds.
func TestCache(t *testing.T) {
	l := &fakeLane{}
	const most = 100 * (entryBytes + 4*testDim)
	m := newTestModel(t, Options{CacheBytes: most}, l)
	inputs := []Input{text("a"), square(8, 3), text(string(rune(poison)))}
	for range 3 {
		emb, err := m.Encode(t.Context(), inputs)
		if err != nil || emb.Errs[0] != nil || emb.Errs[1] != nil || emb.Errs[2] == nil ||
			emb.Row(0)[0] != textSum("a") || emb.Row(1)[0] != 3*64*3 {
			t.Fatal(err, emb)
		}
	}
	if s := m.Stats(); s.CacheHits != 4 || s.CacheMisses != 5 {
		t.Errorf("%+v, want 4 hits and 5 misses", s)
	}
	before := l.count()
	if _, err := m.Encode(t.Context(), inputs[:2]); err != nil || l.count() != before {
		t.Errorf("a request that the cache knows reached the lane: %v", err)
	}
	for range 50 {
		if _, err := m.Encode(t.Context(), distinct(50)); err != nil {
			t.Fatal(err)
		}
	}
	m.cache.rows.CleanUp()
	if s := m.Stats(); s.CacheBytes > most || s.CacheBytes == 0 {
		t.Errorf("the cache takes %d bytes; at most %d are allowed", s.CacheBytes, most)
	}
	m.Close()
	checkEmpty(t, m)
}

func TestContentKey(t *testing.T) {
	pixels := func(h, w, c int) Input {
		return Input{Tower: ImageTower, Pixels: &Pixels{Height: h, Width: w, Channels: c, Data: make([]byte, h*w*c)}}
	}
	data := []byte("abc")
	all := []Input{text(""), text("abc"), text("abd"), {Tower: ImageTower, Image: data}, pixels(4, 6, 1), pixels(6, 4, 1), pixels(2, 4, 3), pixels(4, 6, 3)}
	seen := map[contentKey]int{}
	for i := range all {
		k := all[i].key()
		if k != all[i].key() {
			t.Errorf("input %d has two keys", i)
		}
		if other, ok := seen[k]; ok {
			t.Errorf("inputs %d and %d have one key", i, other)
		}
		seen[k] = i
	}
}

// TestJoinChaos lets many callers, some of whom go away, ask for few contents: everyone who stays has its own row.
func TestJoinChaos(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lane := func() Slot { return Slot{Lane: &fakeLane{took: time.Millisecond, each: 100 * time.Microsecond}} }
		wide := lane()
		wide.Wide = true
		m := newSlots(t, Options{MaxBatch: 6, Workers: 2, MaxQueued: 400}, wide, lane(), lane())
		var wg sync.WaitGroup
		for c := range 30 {
			own := rand.New(rand.NewPCG(5, uint64(c)))
			wg.Go(func() {
				for range 40 {
					inputs := make([]Input, 1+own.IntN(12))
					for i := range inputs {
						inputs[i] = text(fmt.Sprint("text ", own.IntN(12)))
						if own.IntN(3) == 0 {
							inputs[i] = square(8, byte(own.IntN(5)))
						}
					}
					ctx, cancel := context.WithTimeout(t.Context(), time.Duration(1+own.IntN(20))*time.Millisecond)
					emb, err := m.Embed(ctx, Request{Inputs: inputs, Priority: Priority(own.IntN(2)), MaxBatch: 3 * own.IntN(2)})
					cancel()
					if err != nil {
						continue
					}
					for i, in := range inputs {
						want := textSum(in.Text)
						if in.Tower == ImageTower {
							want = 3 * 64 * float32(in.Pixels.Data[0])
						}
						if emb.Errs != nil || emb.Row(i)[0] != want {
							t.Errorf("input %d: %v, %v", i, emb.Errs, emb.Row(i))
						}
					}
				}
			})
		}
		wg.Wait()
		m.Close()
		checkEmpty(t, m)
		if m.Stats().Joined < 100 {
			t.Errorf("only %d inputs joined", m.Stats().Joined)
		}
	})
}
