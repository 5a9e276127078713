package engine

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// newSlots starts a model on slots.
func newSlots(t *testing.T, o Options, slots ...Slot) *Model {
	t.Helper()
	return newSlotsOf(t, testSpec, o, slots...)
}

func newSlotsOf(t *testing.T, spec Spec, o Options, slots ...Slot) *Model {
	t.Helper()
	m, err := New(spec, runes{}, slots, o)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

var texted atomic.Int64

// distinct returns n texts of one length, different from each other and from all before.
func distinct(n int) []Input {
	inputs := make([]Input, n)
	for i := range inputs {
		inputs[i] = text(fmt.Sprintf("text %07d", texted.Add(1)))
	}
	return inputs
}

// checkSums looks at the answers to inputs; those with a token of bad must have failed, and only those.
func checkSums(t *testing.T, emb *Embeddings, inputs []Input, bad rune) {
	t.Helper()
	for i, in := range inputs {
		failed := emb.Errs != nil && emb.Errs[i] != nil
		if want := strings.ContainsRune(in.Text, bad); failed != want {
			t.Errorf("input %d failed: %v, want %v", i, failed, want)
		}
		if !failed && in.Tower == TextTower && emb.Row(i)[0] != textSum(in.Text) {
			t.Errorf("input %d has another one's row", i)
		}
	}
}

// TestBrokenLane shows that a lane that fails every batch harms nobody while another one works, and is made anew.
func TestBrokenLane(t *testing.T) {
	for name, script := range map[string]func(int) error{
		"error": func(int) error { return errors.New("device lost") },
		"panic": func(int) error { panic("index out of range") },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				broken, good, fresh := &fakeLane{script: script}, &fakeLane{each: time.Millisecond}, &fakeLane{}
				made := 0
				m := newSlots(t, Options{MaxBatch: 8}, Slot{Lane: broken, Rebuild: func() (Lane, error) {
					if made++; made < 3 {
						return nil, errors.New("still lost")
					}
					return fresh, nil
				}}, Slot{Lane: good})
				for range 10 {
					inputs := append(distinct(40), square(8, 7))
					emb, err := m.Encode(t.Context(), inputs)
					if err != nil || emb.Err() != nil {
						t.Fatal(err, emb.Err())
					}
					checkSums(t, emb, inputs, -1)
					if ok, why := m.Health(); !ok {
						t.Error("not healthy with a good lane left: ", why)
					}
				}
				time.Sleep(time.Minute)
				if _, err := m.Encode(t.Context(), distinct(40)); err != nil {
					t.Error(err)
				}
				m.Close()
				if made != 3 || fresh.count() == 0 || !broken.closed || !fresh.closed {
					t.Errorf("made anew %d times, ran %d batches then; closed: %v and %v", made, fresh.count(), broken.closed, fresh.closed)
				}
				checkEmpty(t, m)
			})
		})
	}
}

// TestPoison shows that items that no lane can stand fail alone, and that the lanes are not blamed for them.
func TestPoison(t *testing.T) {
	for lanes := 1; lanes <= 2; lanes++ {
		synctest.Test(t, func(t *testing.T) {
			var slots []Slot
			for range lanes {
				slots = append(slots, Slot{Lane: &fakeLane{each: time.Millisecond}, Rebuild: func() (Lane, error) {
					t.Error("a lane was made anew")
					return nil, errors.New("no")
				}})
			}
			m := newSlots(t, Options{MaxBatch: 16}, slots...)
			for _, bad := range []rune{poison, nan} {
				inputs := distinct(100)
				for _, i := range []int{0, 17, 18, 99} {
					inputs[i].Text += string(bad)
				}
				emb, err := m.Encode(t.Context(), inputs)
				if err != nil {
					t.Fatal(err)
				}
				checkSums(t, emb, inputs, bad)
			}
			m.Close()
			checkEmpty(t, m)
		})
	}
}

// TestHang shows that the watchdog gives up a batch that does not end: its rows are tried elsewhere, the one that hangs
// fails alone, and the lanes are replaced.
func TestHang(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hang := make(chan struct{})
		var mu sync.Mutex
		var all []*fakeLane
		lane := func() (Lane, error) {
			mu.Lock()
			defer mu.Unlock()
			all = append(all, &fakeLane{hang: hang})
			return all[len(all)-1], nil
		}
		var slots []Slot
		for range 2 {
			l, _ := lane()
			slots = append(slots, Slot{Lane: l, Rebuild: lane})
		}
		m := newSlots(t, Options{MaxBatch: 16, Watchdog: 5 * time.Second}, slots...)
		for range 2 * knownBatches { // so that it is known what to expect
			if _, err := m.Encode(t.Context(), distinct(8)); err != nil {
				t.Fatal(err)
			}
		}
		inputs := distinct(30)
		inputs[3].Text += string(rune(sick))
		began := time.Now()
		emb, err := m.Encode(t.Context(), inputs)
		if err != nil {
			t.Fatal(err)
		}
		checkSums(t, emb, inputs, sick)
		if took := time.Since(began); took > 11*time.Second {
			t.Errorf("the answer took %v; the row hangs twice for 5 s", took)
		}
		time.Sleep(time.Minute)
		if ok, why := m.Health(); !ok {
			t.Error("not healthy after the lanes were replaced: ", why)
		}
		if emb, err = m.Encode(t.Context(), distinct(20)); err != nil || emb.Err() != nil {
			t.Error(err, emb.Err())
		}
		m.Close()
		close(hang) // the calls return at last; nobody may care
		synctest.Wait()
		if len(all) != 4 {
			t.Errorf("%d lanes were made, want 2 and one for each that hung", len(all))
		}
		for i, l := range all {
			if !l.closed {
				t.Errorf("lane %d was not closed", i)
			}
		}
		checkEmpty(t, m)
	})
}

// TestNoLaneLeft shows that a model whose only lane is lost says so, refuses at once, answers what waited, and comes back.
func TestNoLaneLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		lost, told := true, []bool(nil)
		script := func(int) error {
			mu.Lock()
			defer mu.Unlock()
			if lost {
				return errors.New("device lost")
			}
			return nil
		}
		m := newSlots(t, Options{MaxBatch: 4, OnHealth: func(ok bool, reason string) { told = append(told, ok) }},
			Slot{Lane: &fakeLane{script: script}, Rebuild: func() (Lane, error) {
				if err := script(0); err != nil {
					return nil, err
				}
				return &fakeLane{}, nil
			}})
		for range failsMost {
			emb, err := m.Encode(t.Context(), distinct(1))
			if err != nil || KindOf(emb.Err()) != Internal {
				t.Errorf("a lost lane answered %v, %v", err, emb.Err())
			}
		}
		synctest.Wait()
		if ok, why := m.Health(); ok || !strings.Contains(why, "device lost") {
			t.Errorf("health %v, %q", ok, why)
		}
		if _, err := m.Encode(t.Context(), distinct(1)); KindOf(err) != Unavailable || !strings.Contains(err.Error(), "device lost") {
			t.Errorf("got %v", err)
		}
		mu.Lock()
		lost = false
		mu.Unlock()
		time.Sleep(time.Minute)
		if emb, err := m.Encode(t.Context(), distinct(9)); err != nil || emb.Err() != nil {
			t.Errorf("after the lane came back: %v", err)
		}
		m.Close()
		if fmt.Sprint(told) != "[false true]" {
			t.Errorf("told %v", told)
		}
	})
}

// TestLostWhileWaiting shows that what waits for the only lane is answered when it cannot be made anew, and that Close
// does not wait for it.
func TestLostWhileWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hang := make(chan struct{})
		defer close(hang)
		m := newSlots(t, Options{MaxBatch: 4, Watchdog: time.Second}, Slot{Lane: &fakeLane{hang: hang}})
		inputs := distinct(50)
		inputs[0].Text += string(rune(sick))
		emb, err := m.Encode(t.Context(), append(inputs, square(8, 1)))
		if err != nil {
			t.Fatal(err)
		}
		for i, err := range emb.Errs {
			if err == nil && i < 50 { // the picture may have gone first
				t.Errorf("input %d has an answer from a lane that hangs", i)
			}
		}
		m.Close()
		checkEmpty(t, m)
	})
}

// TestChaos throws requests of all kinds at lanes that fail, panic, hang and answer NaN at random: every item is answered
// once, with its own row or an error.
func TestChaos(t *testing.T) {
	bothForms(t, func(t *testing.T, spec Spec) {
		hang := make(chan struct{})
		var mu sync.Mutex
		rnd := rand.New(rand.NewPCG(7, 7))
		chance := func(n int) int {
			mu.Lock()
			defer mu.Unlock()
			return rnd.IntN(n)
		}
		script := func(int) error {
			switch chance(40) {
			case 0:
				return errors.New("out of luck")
			case 1:
				panic("out of luck")
			case 2:
				time.Sleep(time.Duration(chance(20)) * time.Second)
			}
			return nil
		}
		lane := func() (Lane, error) {
			if chance(4) == 0 {
				return nil, errors.New("no luck either")
			}
			return &fakeLane{script: script, hang: hang, took: time.Millisecond, each: 100 * time.Microsecond}, nil
		}
		good := func() Lane { return &fakeLane{script: script, hang: hang, each: time.Millisecond} }
		m := newSlotsOf(t, spec, Options{MaxBatch: 8, Workers: 2, Watchdog: 5 * time.Second, MaxQueued: 300},
			Slot{Lane: good(), Wide: true, Rebuild: lane}, Slot{Lane: good(), Rebuild: lane}, Slot{Lane: good(), Rebuild: lane})
		var wg sync.WaitGroup
		answered := 0
		for c := range 24 {
			own := rand.New(rand.NewPCG(3, uint64(c)))
			wg.Go(func() {
				for range 25 {
					inputs := make([]Input, 1+own.IntN(24))
					for i := range inputs {
						inputs[i] = text(strings.Repeat("q", own.IntN(60)) + fmt.Sprint(own.IntN(1000)))
						switch own.IntN(40) {
						case 0:
							inputs[i].Text += string(rune(poison))
						case 1:
							inputs[i].Text += string(rune(nan))
						case 2, 3, 4:
							inputs[i] = square(8, byte(own.IntN(200)))
						}
						if own.IntN(400) == 0 {
							inputs[i] = text(string(rune(sick)))
						}
					}
					ctx, cancel := context.WithCancel(t.Context())
					if own.IntN(4) == 0 {
						ctx, cancel = context.WithTimeout(ctx, time.Duration(own.IntN(50))*time.Millisecond)
					}
					emb, err := m.Embed(ctx, Request{Inputs: inputs, Priority: Priority(own.IntN(2)), MaxBatch: own.IntN(2) * 5})
					cancel()
					if err != nil {
						time.Sleep(time.Second)
						continue
					}
					mu.Lock()
					answered++
					mu.Unlock()
					for i, in := range inputs {
						if emb.Errs != nil && emb.Errs[i] != nil {
							continue
						}
						want := textSum(in.Text)
						if in.Tower == ImageTower {
							want = 3 * 64 * float32(in.Pixels.Data[0])
						}
						if emb.Row(i)[0] != want {
							t.Errorf("input %d has another one's row", i)
						}
					}
				}
			})
		}
		wg.Wait()
		if answered < 100 {
			t.Errorf("only %d requests were answered", answered)
		}
		m.Close()
		close(hang)
		time.Sleep(time.Minute) // the calls that were given up return
		checkEmpty(t, m)
	})
}
