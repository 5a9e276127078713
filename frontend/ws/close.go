package ws

import (
	"net"
	"time"

	"github.com/gobwas/ws"

	"clipd/frontend/fault"
)

// ending is how a connection ends.
type ending struct {
	code   ws.StatusCode
	reason string
	broken bool // what the client sends cannot be told apart any more
}

// normal is the end of a connection whose input has ended.
var normal = ending{code: ws.StatusNormalClosure}

const (
	// holdBack is how long a close frame waits after an answer with status ERROR: clip_client loses the exception
	// when it reads both at once, in 5 to 40 % of such calls.
	holdBack = 300 * time.Millisecond
	// closeTimeout is how long the client may take to answer a close frame.
	closeTimeout = 5 * time.Second
)

// endingOf is how a connection ends because of an error. A message that is none has the code that RFC 6455 has for what is
// wrong with it. For everything else, too large, overloaded, not ready, too slow, not allowed, a client of binary messages
// gets 1011: it is clip_client, which raises ConnectionError with the reason for that code alone. For any other it raises a
// bare asyncio.CancelledError, which says nothing and which `except Exception` does not catch. Others get the code of the
// fault, such as 1009, too big, or 1013, try again later.
func endingOf(binary bool, err error) ending {
	f := fault.Of(err)
	code, reason := f.Close()
	switch f.Code {
	case fault.Malformed, fault.Invalid, fault.MediaType:
	default:
		if binary {
			code = int(ws.StatusInternalServerError)
		}
	}
	return ending{code: ws.StatusCode(code), reason: reason}
}

// violation is how a connection ends whose frames are broken (1002); nothing after them can be read.
func violation(reason string) ending {
	return ending{code: ws.StatusProtocolError, reason: reason, broken: true}
}

// finish ends the connection: nothing more is taken, what was read is answered, then comes the close frame. Only the
// first call counts; an error may still take the place of the normal end before the close frame is sent.
func (c *conn) finish(e ending) {
	c.mu.Lock()
	defer c.mu.Unlock()
	first := c.end == nil
	if first || *c.end == normal {
		c.end = &e
	}
	if !first || c.over {
		return
	}
	c.stop()
	c.closer.Go(c.close)
}

// close sends the close frame when all answers are out.
func (c *conn) close() {
	c.workers.Wait()
	if wait := holdBack - time.Since(c.out.lastError()); wait > 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-c.ctx.Done(): // the client left
		}
	}
	c.mu.Lock()
	e := *c.end
	c.mu.Unlock()
	c.door.options.Log.Debug().Int("code", int(e.code)).Str("reason", e.reason).Msg("closing a WebSocket")
	c.out.close(e.code, e.reason)
	if half, ok := c.socket.(interface{ CloseWrite() error }); ok && e.broken {
		half.CloseWrite() // its close frame would not be understood; the end of its data is
	}
	c.mu.Lock()
	c.closeBy = time.Now().Add(closeTimeout)
	c.socket.SetReadDeadline(c.closeBy)
	c.mu.Unlock()
}

// setReadDeadline bounds the next read; 0 is no bound but that of closing.
func (c *conn) setReadDeadline(after time.Duration) {
	var at time.Time
	if after > 0 {
		at = time.Now().Add(after)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closeBy.IsZero() {
		at = c.closeBy
	}
	c.socket.SetReadDeadline(at)
}

// isEnding reports whether nothing more is to be taken.
func (c *conn) isEnding() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.end != nil
}

// isClosed reports whether the close frame was sent.
func (c *conn) isClosed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.closeBy.IsZero()
}

// goAway ends the connection because the server ends.
func (c *conn) goAway() {
	e := endingOf(c.binary, errShuttingDown)
	if !c.binary {
		e.code = ws.StatusGoingAway
	}
	c.finish(e)
}

// endIfQuiet ends a connection whose server shuts down, and on which nothing moves. A clip_client that has no request
// open does not notice that it is closed: it would wait for ever for the answer to its next one. So it is told when it sends
// that, and meanwhile stays open.
func (c *conn) endIfQuiet() {
	c.mu.Lock()
	quiet := c.end == nil && c.progress == 0 && !c.receiving && time.Since(c.moved) >= quietTime
	if quiet && c.binary {
		c.refusing = true
	}
	c.mu.Unlock()
	if quiet && !c.binary {
		c.goAway()
	}
}

// isRefusing reports whether the next request is to be refused.
func (c *conn) isRefusing() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.refusing
}

// linger reads what a client with broken frames still sends, so that closing the socket does not throw away what it has
// not read yet.
func (c *conn) linger() {
	var scrap [readBuffer]byte
	for {
		c.setReadDeadline(0)
		if _, err := c.in.Read(scrap[:]); err != nil {
			return
		}
	}
}

// timedOut reports whether an error is that of a deadline.
func timedOut(err error) bool {
	e, ok := err.(net.Error)
	return ok && e.Timeout()
}
