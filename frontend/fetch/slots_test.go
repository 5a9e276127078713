package fetch

import (
	"context"
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"clipd/engine"
)

func TestSlots(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSlots(3, 2)
		take := func(host string) func() {
			t.Helper()
			give, err := s.take(t.Context(), host)
			if err != nil {
				t.Fatal(err)
			}
			return give
		}
		refused := func(host string) {
			t.Helper()
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			if _, err := s.take(ctx, host); err != errNoTurn {
				t.Errorf("a load from %s over the limit: %v", host, err)
			}
		}
		a, b := take("slow"), take("slow")
		refused("slow")
		// Those that wait for a slow host leave the other places to others.
		var waiting []func()
		done := make(chan struct{})
		go func() {
			for range 2 {
				waiting = append(waiting, take("slow"))
			}
			close(done)
		}()
		synctest.Wait()
		c := take("quick")
		refused("quick")
		refused("third")
		c()
		c = take("third")
		c()
		a()
		b()
		<-done
		for _, give := range waiting {
			give()
		}
		if len(s.hosts) != 0 || len(s.all) != 0 {
			t.Errorf("%d hosts and %d loads are still counted", len(s.hosts), len(s.all))
		}
	})
}

// TestWaitingForATurnEnds fills all places for a host with loads that hang.
func TestWaitingForATurnEnds(t *testing.T) {
	arrived, open := make(chan struct{}, 2*loadsPerHost), make(chan struct{})
	base, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		<-open
		io.WriteString(w, picture)
	})
	l := mustNew(t, Options{HTTP: true, Networks: here, Timeout: time.Hour}, hooks{})
	done := make(chan error)
	for range loadsPerHost {
		go func() {
			_, err := l.Load(t.Context(), base)
			done <- err
		}()
	}
	for range loadsPerHost {
		<-arrived
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := l.Load(ctx, base); engine.KindOf(err) != engine.Deadline {
		t.Errorf("a caller's time ends while waiting: %v", err)
	}
	quick := *l.web
	quick.timeout = 20 * time.Millisecond
	if _, err := (Loader{web: &quick}).Load(t.Context(), base); engine.KindOf(err) != engine.Overloaded {
		t.Errorf("the load's time ends while waiting: %v", err)
	}
	if n := len(arrived); n != 0 {
		t.Errorf("%d loads more than the limit came", n)
	}
	close(open)
	for range loadsPerHost {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}
