package ws

import "time"

const (
	// watchEvery is how often a connection that is held back looks whether its client is still there.
	watchEvery = 200 * time.Millisecond
	// askEvery of these looks asks with a ping as well: the end of a client's data lies behind what it sent before, and
	// does not come while nothing is read, but a ping to a socket that nobody has open any more is answered with a reset.
	askEvery = 10
)

// pause runs wait, in which the reader waits for something else than the socket. What the client sends then stays in the
// socket, its close frame too, so that the socket's state is watched meanwhile.
func (c *conn) pause(wait func() error) error {
	c.paused.Store(true)
	c.watch.Reset(watchEvery)
	err := wait()
	c.paused.Store(false)
	c.watch.Stop()
	return err
}

// look cuts the connection when its client has gone.
func (c *conn) look() {
	if !c.paused.Load() || c.ctx.Err() != nil {
		return
	}
	gone := c.peer != nil && peerGone(c.peer)
	if !gone && c.looks.Add(1)%askEvery == 0 {
		gone = c.out.tryPing() != nil
	}
	if gone {
		c.cut()
		return
	}
	c.watch.Reset(watchEvery)
}
