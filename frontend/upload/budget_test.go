package upload

import (
	"bytes"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"clipd/frontend/limit"
)

const (
	full  = 16384                 // the length of a whole frame
	block = 16384 + frameOverhead // its memory
)

// client is one connection of a test.
type client struct {
	*Watch
	goAway []byte // it was ended with
}

func (b *Budget) connect() *client {
	c := &client{}
	c.Watch = b.Watch(&net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 1}, func(goAway []byte) {
		c.goAway = goAway
		c.Close()
	})
	if err := c.Received(preface); err != nil {
		panic(err)
	}
	return c
}

// begin sends whole frames of a message on a new stream and no end of it.
func (c *client) begin(stream uint32, frames int) error {
	if err := c.Received([]byte(headers(stream) + data(stream, message(1<<30, full-prefixSize)))); err != nil {
		return err
	}
	return c.grow(stream, frames-1)
}

func (c *client) grow(stream uint32, frames int) error {
	for range frames {
		if err := c.Received([]byte(data(stream, strings.Repeat("m", full)))); err != nil {
			return err
		}
	}
	return nil
}

// background does something and returns where its error will be.
func background(do func() error) <-chan error {
	done := make(chan error, 1)
	go func() { done <- do() }()
	return done
}

// pending fails the test when something has ended that has to wait.
func pending(t *testing.T, done <-chan error) {
	t.Helper()
	synctest.Wait()
	select {
	case err := <-done:
		t.Fatalf("it did not wait: %v", err)
	default:
	}
}

func TestWaitsForRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBudget(Options{Bytes: limit.NewBytes(10 * block)})
		one, two, three := b.connect(), b.connect(), b.connect()
		if err := one.begin(1, 9); err != nil {
			t.Fatal(err)
		}
		second := background(func() error { return two.begin(1, 3) })
		pending(t, second)
		third := background(func() error { return three.begin(1, 1) })
		pending(t, third)
		if b.Waiting() != 2 {
			t.Errorf("%d connections wait, want 2", b.Waiting())
		}
		// Small messages that come whole need no room.
		small := b.connect()
		if err := small.Received([]byte(headers(1) + data(1, message(10, 10)))); err != nil {
			t.Errorf("a small message: %v", err)
		}
		time.Sleep(DefaultWait - time.Second)
		pending(t, second)
		one.Sent([]byte(frame(frameReset, 0, 1, "code"))) // the server ends the stream of the first
		if err := <-second; err != nil {
			t.Errorf("the second after there was room: %v", err)
		}
		if err := <-third; err != nil {
			t.Errorf("the third after there was room: %v", err)
		}
		if b.Used() != 4*block || b.Ended() != 0 || b.Waiting() != 0 {
			t.Errorf("%d bytes are taken, %d connections ended, %d wait", b.Used(), b.Ended(), b.Waiting())
		}
		for _, c := range []*client{one, two, three, small} {
			c.Close()
		}
		if b.Used() != 0 || len(b.watches) != 0 {
			t.Errorf("after closing %d bytes are taken, %d connections known", b.Used(), len(b.watches))
		}
	})
}

// TestMostExpensiveIsEnded: not the one that waits, not a large message that came just now, but the one that has had
// much for long.
func TestMostExpensiveIsEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		b := NewBudget(Options{Bytes: limit.NewBytes(20 * block), Log: zerolog.New(&log)})
		hostile, slow, fast, late := b.connect(), b.connect(), b.connect(), b.connect()
		slow.begin(1, 1)
		hostile.begin(1, 4)
		time.Sleep(time.Hour)
		fast.begin(1, 15)
		waiting := background(func() error { return late.begin(1, 2) })
		pending(t, waiting)
		time.Sleep(DefaultWait)
		if err := <-waiting; err != nil {
			t.Errorf("the one that waited: %v", err)
		}
		synctest.Wait()
		if hostile.goAway == nil || slow.goAway != nil || fast.goAway != nil || late.goAway != nil || b.Ended() != 1 {
			t.Errorf("ended: hostile %t, slow %t, fast %t, late %t", hostile.goAway != nil, slow.goAway != nil, fast.goAway != nil, late.goAway != nil)
		}
		if !strings.Contains(string(hostile.goAway), "no memory for more") {
			t.Errorf("the farewell is %q", hostile.goAway)
		}
		if err := hostile.Received([]byte(data(1, "x"))); err != ErrEnded {
			t.Errorf("reading from the ended one: %v", err)
		}
		if b.Used() != 18*block {
			t.Errorf("%d blocks are taken, want 18", b.Used()/block)
		}
		// A burst is one line.
		for range 3 {
			again := b.connect()
			again.begin(1, 3)
		}
		if b.Ended() < 2 || strings.Count(log.String(), "\n") != 1 {
			t.Errorf("%d connections ended, and the log says:\n%s", b.Ended(), log.String())
		}
	})
}

// TestAllWaitForEachOther sees that connections which together have begun too much do not all end.
func TestAllWaitForEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBudget(Options{Bytes: limit.NewBytes(20 * block)})
		var all []<-chan error
		var clients []*client
		for range 4 {
			c := b.connect()
			c.begin(1, 5)
			clients = append(clients, c)
		}
		for _, c := range clients {
			done := background(func() error {
				defer c.Close() // as if the message were whole
				return c.grow(1, 7)
			})
			pending(t, done)
			all = append(all, done)
		}
		ended := 0
		for _, done := range all {
			if <-done != nil {
				ended++
			}
		}
		if ended == 0 || ended > 3 || int(b.Ended()) != ended || b.Used() != 0 {
			t.Errorf("%d of 4 were ended (%d counted), %d bytes are taken", ended, b.Ended(), b.Used())
		}
	})
}

func TestStalledGoesFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBudget(Options{Bytes: limit.NewBytes(10 * block), StallTimeout: time.Minute})
		stalled, steady, late := b.connect(), b.connect(), b.connect()
		stalled.begin(1, 2)
		steady.begin(1, 5)
		for range 3 {
			time.Sleep(50 * time.Second)
			steady.grow(1, 1)
		}
		if stalled.goAway != nil || b.Ended() != 0 {
			t.Fatal("a stalled message was ended although nobody needed its memory")
		}
		began := time.Now()
		if err := late.begin(1, 1); err != nil {
			t.Errorf("the one that needs memory: %v", err)
		}
		synctest.Wait()
		if time.Since(began) != 0 || stalled.goAway == nil || steady.goAway != nil {
			t.Errorf("it took %v; ended: stalled %t, steady %t", time.Since(began), stalled.goAway != nil, steady.goAway != nil)
		}
		if !strings.Contains(string(stalled.goAway), "not gone on") {
			t.Errorf("the farewell is %q", stalled.goAway)
		}
	})
}

func TestCloseEndsTheWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBudget(Options{Bytes: limit.NewBytes(block)})
		one, two := b.connect(), b.connect()
		one.begin(1, 1)
		waiting := background(func() error { return two.begin(1, 1) })
		pending(t, waiting)
		two.Close()
		if err := <-waiting; err != ErrEnded {
			t.Errorf("the closed one: %v", err)
		}
		if b.Waiting() != 0 || b.Used() != block {
			t.Errorf("%d wait, %d bytes are taken", b.Waiting(), b.Used())
		}
		if err := two.Received([]byte("x")); err != ErrEnded {
			t.Errorf("reading from the closed one: %v", err)
		}
		two.Close() // again
		one.Close()
		if b.Used() != 0 {
			t.Errorf("%d bytes are taken", b.Used())
		}
	})
}

// TestLargerThanTheBudget has nobody else to end.
func TestLargerThanTheBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBudget(Options{Bytes: limit.NewBytes(5 * block)})
		c := b.connect()
		if err := c.begin(1, 6); err != ErrEnded {
			t.Errorf("a message larger than the budget: %v", err)
		}
		synctest.Wait()
		if c.goAway == nil || b.Used() != 0 || b.Waiting() != 0 {
			t.Errorf("%q, %d bytes are taken, %d wait", c.goAway, b.Used(), b.Waiting())
		}
	})
}

func TestTooManyStreams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBudget(Options{Bytes: limit.NewBytes(1 << 30), MaxStreams: 10})
		patient, greedy := b.connect(), b.connect()
		for i := range uint32(10_000) {
			id := 2*i + 1
			if err := patient.Received([]byte(headers(id))); err != nil {
				t.Fatalf("stream %d, of which none is open: %v", id, err)
			}
			patient.Sent([]byte(frame(frameHeaders, flagEndStream, id, "trailers")))
		}
		if len(patient.streams) != 0 {
			t.Errorf("%d ended streams are kept", len(patient.streams))
		}
		var err error
		opened := 0
		for ; err == nil && opened < 1000; opened++ {
			err = greedy.Received([]byte(headers(uint32(2*opened + 1))))
		}
		if err != ErrEnded || opened != 2*10+128+1 {
			t.Errorf("%v after %d streams", err, opened)
		}
		synctest.Wait()
		if !strings.Contains(string(greedy.goAway), "twice as many streams") {
			t.Errorf("the farewell is %q", greedy.goAway)
		}
	})
}

func TestNoBudget(t *testing.T) {
	var b *Budget
	w := b.Watch(nil, nil)
	if err := w.Received([]byte("x")); err != nil {
		t.Error(err)
	}
	w.Sent([]byte("x"))
	w.Close()
	if b.Used() != 0 || b.Ended() != 0 || b.Waiting() != 0 {
		t.Error("no budget counts something")
	}
}

// TestRent holds the sum against its definition.
func TestRent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBudget(Options{Bytes: limit.NewBytes(1 << 30)})
		c := b.connect()
		for id := uint32(1); id < 20; id += 2 {
			c.begin(id, int(id))
			time.Sleep(time.Second)
		}
		c.Received([]byte(frame(frameReset, 0, 7, "code")))
		c.grow(5, 3)
		want := 0.0
		for _, s := range c.streams {
			want += float64(s.held) * float64(b.now()-s.began)
		}
		if got := c.rent(b.now()); got < want*0.999999 || got > want*1.000001 {
			t.Errorf("the rent is %g, want %g", got, want)
		}
	})
}
