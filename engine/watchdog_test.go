package engine

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// TestPatience shows that a batch of unknown cost has long, that a large one has many times what it is expected to take, and
// that a pause of the whole process is not taken for a batch that hangs.
func TestPatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &fakeLane{took: 9 * time.Minute}
		m := newTestModel(t, Options{}, l)
		for range 2 * knownBatches {
			if emb, err := m.Encode(t.Context(), distinct(1)); err != nil || emb.Err() != nil {
				t.Fatalf("a slow model: %v", err)
			}
		}
		l.took = time.Hour // while others have the machine
		if emb, err := m.Encode(t.Context(), distinct(1)); err != nil || emb.Err() != nil {
			t.Errorf("seven times as slow: %v", err)
		}
		m.Close()

		hang := make(chan struct{})
		l = &fakeLane{hang: hang}
		m = newTestModel(t, Options{Watchdog: 10 * time.Second}, l)
		done := make(chan time.Time, 1)
		go func() {
			inputs := distinct(1)
			inputs[0].Text += string(rune(sick))
			m.Encode(t.Context(), inputs)
			done <- time.Now()
		}()
		synctest.Wait()
		m.mu.Lock()
		s := m.slots[0]
		b := s.batch
		b.taken = b.taken.Add(-time.Hour) // as after a pause of an hour
		m.mu.Unlock()
		m.look(s, b)
		m.mu.Lock()
		if s.batch == nil || s.out {
			t.Error("given up at once after a pause")
		}
		m.mu.Unlock()
		time.Sleep(patienceUnknown * 10 * time.Second)
		if ok, _ := m.Health(); ok {
			t.Error("a batch that hangs was not given up")
		}
		close(hang)
		<-done
		m.Close()
	})
}

// TestWakeUp shows that a lane which was woken for something that is gone by now does not keep another one asleep.
func TestWakeUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newSlots(t, Options{}, Slot{Lane: &fakeLane{}, Wide: true}, Slot{Lane: &fakeLane{}})
		synctest.Wait()
		m.mu.Lock()
		m.slots[1].woken = true // its items were cancelled, and it has not looked yet
		m.mu.Unlock()
		if _, err := m.Encode(t.Context(), distinct(1)); err != nil {
			t.Error(err)
		}
		m.Close()
		checkEmpty(t, m)
	})
}

// TestSlowStart shows that a stall at the start does not make the model refuse what it can do.
func TestSlowStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &fakeLane{script: func(batch int) error {
			if batch < 2 {
				time.Sleep(40 * time.Second)
			}
			return nil
		}, took: 10 * time.Millisecond}
		m := newTestModel(t, Options{MaxWait: time.Second}, l)
		var refused atomic.Int64
		send := func(allowed time.Duration) {
			ctx, cancel := context.WithTimeout(t.Context(), allowed)
			defer cancel()
			if _, err := m.Encode(ctx, distinct(1)); err != nil {
				refused.Add(1)
			}
		}
		send(time.Minute)
		send(time.Minute)
		for range 50 {
			for range 4 {
				go send(500 * time.Millisecond)
			}
			time.Sleep(100 * time.Millisecond)
		}
		time.Sleep(time.Second)
		if refused.Load() > 0 {
			t.Errorf("%d of 202 requests were refused at a low load", refused.Load())
		}
		m.Close()
	})
}
