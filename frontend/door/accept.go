package door

import (
	"errors"
	"net"
	"time"
)

// An error of accept is mostly a lack of descriptors or memory, which goes away when connections end. Trying again
// waits from minWait, doubling, to maxWait.
const (
	minWait = 5 * time.Millisecond
	maxWait = time.Second
)

// accept takes connections in until the door is closed.
func (d *Door) accept() {
	defer d.running.Done()
	var wait time.Duration
	failures := 0
	for {
		c, err := d.inner.Accept()
		if err != nil {
			select {
			case <-d.draining:
				return
			default:
			}
			if errors.Is(err, net.ErrClosed) {
				d.o.Log.Error().Err(err).Msg("the listening socket was closed by somebody else")
				d.shut()
				return
			}
			if failures++; failures == 1 {
				d.o.Log.Error().Err(err).Stringer("address", d.Addr()).Int("open", d.o.Connections.Open()).
					Msg("cannot accept connections; trying again until it works")
			}
			wait = min(max(2*wait, minWait), maxWait)
			timer := time.NewTimer(wait)
			select {
			case <-d.draining:
				timer.Stop()
				return
			case <-timer.C:
			}
			continue
		}
		if failures > 0 {
			d.o.Log.Info().Int("failures", failures).Stringer("address", d.Addr()).Msg("accepting connections again")
			wait, failures = 0, 0
		}
		d.admit(c.(*net.TCPConn))
	}
}

// admit counts a connection and looks at it in a goroutine of its own.
func (d *Door) admit(c *net.TCPConn) {
	place, why := d.o.Connections.take(c.RemoteAddr())
	if place == nil {
		d.turnAway(c, why)
		return
	}
	if !d.enter(c) {
		c.Close()
		place.release()
		return
	}
	go func() {
		defer d.running.Done()
		d.receive(c, place)
	}()
}
