package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestPriority shows that high priority goes first, and that it cannot starve the others.
func TestPriority(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &fakeLane{gate: make(chan struct{})}
		m := newTestModel(t, Options{MaxBatch: 4}, l)
		var mu sync.Mutex
		var order []Priority
		send := func(p Priority) {
			go func() {
				if emb, err := m.Embed(t.Context(), Request{Inputs: distinct(4), Priority: p}); err != nil || emb.Err() != nil {
					t.Error(err)
				}
				mu.Lock()
				order = append(order, p)
				mu.Unlock()
			}()
			synctest.Wait()
		}
		send(Normal) // takes the lane
		for range 3 {
			send(Normal)
		}
		for range 12 {
			send(High)
		}
		for range 16 {
			l.gate <- struct{}{}
			synctest.Wait()
		}
		m.Close()
		normal := 0
		for i, p := range order[1:] {
			if p == Normal {
				normal++
			}
			if i == highInARow-1 && normal > 0 {
				t.Errorf("a normal request was answered before those of high priority: %v", order)
			}
		}
		if at := 1 + 3*(highInARow+1); normal != 3 || len(order) != 16 || order[at-1] != Normal {
			t.Errorf("order of the answers: %v; every fifth batch must be a normal one", order)
		}
	})
}

// TestNoTimeLeft shows that an item whose deadline comes before it can be computed never reaches a lane, and that a request
// which cannot be answered in time is refused at once.
func TestNoTimeLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &fakeLane{each: 10 * time.Millisecond}
		m := newTestModel(t, Options{MaxBatch: 4, MaxQueued: 1000}, l)
		for range 20 { // so that the costs are known
			m.Encode(t.Context(), distinct(4))
		}
		go m.Encode(t.Context(), distinct(400))
		synctest.Wait()
		before := l.count()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		_, err := m.Encode(ctx, distinct(300))
		var e *Error
		if !errors.As(err, &e) || e.Kind != Overloaded || e.RetryAfter <= 0 || time.Since(began) != 0 {
			t.Errorf("300 texts of 10 ms within 1 s, beside 400 others: %v after %v", err, time.Since(began))
		}
		if _, err := m.Encode(ctx, distinct(4)); err != nil {
			t.Errorf("4 texts within 1 s: %v", err)
		}
		short, cancel := context.WithTimeout(t.Context(), 35*time.Millisecond)
		defer cancel()
		m.mu.Lock()
		m.costs = [2][2]cost{} // nothing is known, so that it is let in
		m.mu.Unlock()
		if _, err := m.Encode(short, distinct(1)); KindOf(err) != Deadline {
			t.Errorf("got %v", err)
		}
		m.Close()
		if got, most := l.count()-before, (400+4)/4+2; got > most {
			t.Errorf("%d batches; %d were of use", got, most)
		}
	})
}

// TestMaxWait shows that a queue is bounded by the time that it takes, and that a request beyond it is refused at once.
func TestMaxWait(t *testing.T) {
	for _, size := range []int{1, 8} { // texts of a request
		synctest.Test(t, func(t *testing.T) { overload(t, size) })
	}
}

func overload(t *testing.T, size int) {
	l := &fakeLane{each: 10 * time.Millisecond}
	m := newTestModel(t, Options{MaxBatch: 8, MaxWait: time.Second}, l)
	for range 20 {
		m.Encode(t.Context(), distinct(8))
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	accepted, refused, longest := 0, 0, time.Duration(0)
	for range 800 / size { // one text each 5 ms: twice what the lane can do
		wg.Go(func() {
			began := time.Now()
			_, err := m.Encode(t.Context(), distinct(size))
			took := time.Since(began)
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				accepted += size
				longest = max(longest, took)
				return
			}
			refused += size
			if KindOf(err) != Overloaded || !strings.Contains(err.Error(), "max_wait") || took != 0 {
				t.Errorf("refused with %v after %v", err, took)
			}
		})
		time.Sleep(time.Duration(size) * 5 * time.Millisecond)
	}
	wg.Wait()
	if accepted < 400 || refused < 200 {
		t.Errorf("%d accepted, %d refused; 400 could be computed meanwhile", accepted, refused)
	}
	most := 1500 * time.Millisecond
	if size > 1 {
		most = 2200 * time.Millisecond // those that come after it take turns, too
	}
	if longest > most {
		t.Errorf("an accepted request waited %v", longest)
	}
	if emb, err := m.Embed(t.Context(), Request{Inputs: distinct(1000)}); err != nil || emb.Err() != nil {
		t.Errorf("a large request at an idle model: %v", err)
	}
	m.Close()
}

// stopping is a tokenizer that ends its request's context at a text.
type stopping struct {
	runes
	cancel func()
	texts  int
}

func (s *stopping) Append(dst []int32, text string, contextLength int) []int32 {
	if s.texts++; s.texts == 300 {
		s.cancel()
	}
	return s.runes.Append(dst, text, contextLength)
}

// TestCancelWhileTokenizing shows that the texts of a caller who has gone are not tokenized to the end, and that its
// places are free.
func TestCancelWhileTokenizing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		tok := &stopping{cancel: cancel}
		l := &fakeLane{gate: make(chan struct{})}
		m, err := NewModel(testSpec, tok, []Lane{l}, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := m.Encode(ctx, distinct(10000)); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		if tok.texts != 300 || m.Queued() != 0 {
			t.Errorf("%d texts were tokenized, %d places are taken", tok.texts, m.Queued())
		}
		close(l.gate)
		m.Close()
		checkEmpty(t, m)
	})
}

// TestCancelInTheLane shows that a caller does not wait for the batch that it has left, and that its place is free.
func TestCancelInTheLane(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &fakeLane{gate: make(chan struct{})}
		m := newTestModel(t, Options{MaxQueued: 2}, l)
		ctx, cancel := context.WithCancel(t.Context())
		result := make(chan error)
		go func() {
			_, err := m.Encode(ctx, []Input{text("a"), square(8, 1)})
			result <- err
		}()
		synctest.Wait()
		cancel()
		if err := <-result; !errors.Is(err, context.Canceled) || m.Queued() != 0 {
			t.Errorf("got %v with %d places taken", err, m.Queued())
		}
		go func() { result <- func() error { _, err := m.Encode(t.Context(), distinct(2)); return err }() }()
		synctest.Wait()
		close(l.gate)
		if err := <-result; err != nil {
			t.Error(err)
		}
		m.Close()
		checkEmpty(t, m)
	})
}

// TestMaxDelay shows that a batch is kept open for as long as asked, and no longer once it has the preferred size.
func TestMaxDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &fakeLane{}
		m := newTestModel(t, Options{MaxDelay: 100 * time.Millisecond, PreferredBatch: 4}, l)
		began := time.Now()
		send := func(n int, took time.Duration) {
			go func(began time.Time) {
				if _, err := m.Encode(t.Context(), distinct(n)); err != nil || time.Since(began) != took {
					t.Errorf("%d texts: %v after %v, want %v", n, err, time.Since(began), took)
				}
			}(began)
		}
		send(1, 100*time.Millisecond)
		time.Sleep(60 * time.Millisecond)
		send(2, 100*time.Millisecond)
		time.Sleep(time.Second)
		began = time.Now()
		send(3, 10*time.Millisecond)
		time.Sleep(10 * time.Millisecond)
		send(1, 10*time.Millisecond)
		synctest.Wait()
		began = time.Now()
		send(1, 50*time.Millisecond) // closing ends the wait
		time.Sleep(50 * time.Millisecond)
		m.Close()
		synctest.Wait()
		if got := l.batches; len(got) != 3 || got[0] != 3 || got[1] != 4 || got[2] != 1 {
			t.Errorf("batches of %v rows, want 3, 4 and 1", got)
		}
	})
}

// TestWide shows that small requests ride on the wide lane and large ones do not, that a narrow lane lets one batch of the
// wide one go first, and that narrow lanes serve small requests once the wide one has failed.
func TestWide(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wide, narrow := &fakeLane{gate: make(chan struct{})}, &fakeLane{}
		lost := false
		wide.script = func(int) error {
			if lost {
				return errors.New("device lost")
			}
			return nil
		}
		m := newSlots(t, Options{}, Slot{Lane: wide, Wide: true, Rebuild: func() (Lane, error) { return nil, errors.New("lost") }}, Slot{Lane: narrow})
		small := func() {
			if emb, err := m.Encode(t.Context(), distinct(2)); err != nil || emb.Err() != nil {
				t.Error(err)
			}
		}
		go small()
		synctest.Wait()
		go m.Encode(t.Context(), append(distinct(30), square(8, 1)))
		synctest.Wait()
		if wide.count() != 1 || narrow.count() != 0 {
			t.Errorf("%d wide and %d narrow batches", wide.count(), narrow.count())
		}
		go small()
		synctest.Wait()
		wide.gate <- struct{}{}
		synctest.Wait()
		// Two batches of the large request, and the small one that had to wait.
		if wide.count() != 1 || narrow.count() != 3 {
			t.Errorf("%d wide and %d narrow batches after the first wide one", wide.count(), narrow.count())
		}
		lost = true
		close(wide.gate)
		for range 5 {
			small()
		}
		if ok, _ := m.Health(); !ok || narrow.count() < 8 || wide.count() < 2 {
			t.Errorf("the narrow lane ran %d batches", narrow.count())
		}
		m.Close()
		checkEmpty(t, m)
	})
}

// TestFewOrMany shows who serves small requests: the wide lane when there are few of them, also beside narrow lanes that are
// busy with something large, and the narrow ones together when there are many.
func TestFewOrMany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wide := &fakeLane{gate: make(chan struct{})}
		narrow := [2]*fakeLane{{gate: make(chan struct{})}, {gate: make(chan struct{})}}
		m := newSlots(t, Options{MaxBatch: 16}, Slot{Lane: wide, Wide: true}, Slot{Lane: narrow[0]}, Slot{Lane: narrow[1]})
		check := func(what string, w, n int) {
			t.Helper()
			synctest.Wait()
			if got := narrow[0].count() + narrow[1].count(); wide.count() != w || got != n {
				t.Errorf("%s: %d wide and %d narrow batches, want %d and %d", what, wide.count(), got, w, n)
			}
		}
		next := 0
		ask := func(n int) {
			for range n {
				next++
				in := text(fmt.Sprint("small ", next))
				go m.Encode(t.Context(), []Input{in})
			}
			synctest.Wait()
		}
		ask(1)
		check("one", 1, 0)
		ask(6)
		check("six behind it", 1, 0)
		wide.gate <- struct{}{}
		check("six are many", 1, 2)
		ask(1)
		check("one more beside small ones", 1, 2)
		narrow[0].gate <- struct{}{}
		check("it rides on a narrow lane", 1, 3)
		close(narrow[0].gate)
		close(narrow[1].gate)
		synctest.Wait()
		ask(1)
		check("one again", 2, 3)
		ask(1)
		wide.gate <- struct{}{}
		check("one that waited for it", 2, 4)

		narrow[0].gate, narrow[1].gate = make(chan struct{}), make(chan struct{})
		go m.Encode(t.Context(), distinct(60))
		check("a large request", 2, 6)
		ask(1)
		check("one small beside it", 3, 6)
		close(wide.gate)
		close(narrow[0].gate)
		close(narrow[1].gate)
		m.Close()
		checkEmpty(t, m)
	})
}
