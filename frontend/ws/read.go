package ws

import (
	"errors"
	"io"
	"math"
	"unicode/utf8"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsflate"

	"clipd/frontend/fault"
)

// errDone ends the reader: the client has left, or is to be left.
var errDone = errors.New("the connection has ended")

// read reads frames until the client has left. When the connection ends it reads on, to see the client's close frame, and
// takes nothing any more.
func (c *conn) read() {
	m := message{conn: c}
	defer m.drop()
	for {
		h, err := c.nextHeader(m.open)
		if err == nil {
			err = m.checkHeader(&h)
		}
		switch {
		case err != nil:
		case h.OpCode.IsControl():
			err = c.control(h)
		case c.isEnding():
			err = c.late(h)
		default:
			err = m.frame(h)
		}
		var broken ws.ProtocolError
		if errors.As(err, &broken) || errors.Is(err, ws.ErrHeaderLengthMSB) {
			c.finish(violation(err.Error()))
			c.linger()
			return
		}
		if err != nil {
			return
		}
		if m.open && c.isEnding() {
			m.drop() // the rest of it is skipped
		}
	}
}

// nextHeader waits for a frame and reads its header. Between messages silence is answered with a ping; a message that was
// begun must go on.
func (c *conn) nextHeader(open bool) (ws.Header, error) {
	idle := c.door.options.IdleTimeout
	for asked := false; ; {
		c.setReadDeadline(idle)
		_, err := c.in.Peek(1)
		if err == nil {
			break
		}
		if !timedOut(err) || c.isClosed() || asked {
			return ws.Header{}, err
		}
		if open && !c.isEnding() {
			c.finish(endingOf(c.binary, fault.New(fault.Invalid, "a message was begun and not ended: nothing came for %v", idle)))
			continue
		}
		asked = true
		if err := c.out.control(ws.OpPing, nil); err != nil && !errors.Is(err, errClosed) {
			return ws.Header{}, err
		}
	}
	c.setReadDeadline(idle)
	return ws.ReadHeaderBuffer(c.in, c.header[:])
}

// checkHeader checks a frame against RFC 6455 and RFC 7692, and takes the bit of compression from it.
func (m *message) checkHeader(h *ws.Header) error {
	state := ws.StateServerSide
	if m.more {
		state = state.Set(ws.StateFragmented)
	}
	compressed := false
	if m.conn.deflate {
		plain, set, err := wsflate.UnsetBit(*h)
		if err != nil {
			return err
		}
		*h, compressed = plain, set
	}
	if err := ws.CheckHeader(*h, state); err != nil {
		return err
	}
	if h.OpCode.IsData() && h.OpCode != ws.OpContinuation {
		m.op, m.compressed = h.OpCode, compressed
	}
	if h.OpCode.IsData() {
		m.more = !h.Fin
	}
	return nil
}

// late skips a data frame that nobody is to take. After the end of the input there must be none.
func (c *conn) late(h ws.Header) error {
	c.mu.Lock()
	afterEnd := *c.end == normal && !c.dryRun
	c.mu.Unlock()
	if afterEnd {
		c.finish(ending{code: ws.StatusPolicyViolation, reason: "a message came after the end of the input"})
	}
	return c.skip(h.Length)
}

// skip reads past n bytes.
func (c *conn) skip(n int64) error {
	for n > 0 {
		c.setReadDeadline(c.door.options.IdleTimeout)
		k, err := c.in.Discard(int(min(n, readBuffer)))
		if n -= int64(k); err != nil {
			return err
		}
	}
	return nil
}

// control answers a control frame.
func (c *conn) control(h ws.Header) error {
	payload := make([]byte, h.Length)
	if _, err := io.ReadFull(c.in, payload); err != nil {
		return err
	}
	ws.Cipher(payload, h.Mask, 0)
	switch h.OpCode {
	case ws.OpPing:
		if err := c.out.control(ws.OpPong, payload); err != nil && !errors.Is(err, errClosed) {
			return err
		}
	case ws.OpClose:
		return c.leave(payload)
	}
	return nil
}

// leave answers the client's close frame. Nobody waits for the answers any more.
func (c *conn) leave(payload []byte) error {
	c.cancel()
	code, reason := ws.ParseCloseFrameData(payload)
	switch err := ws.CheckCloseFrameData(code, reason); {
	case len(payload) == 0:
		c.out.close(0, "")
	case len(payload) == 1:
		c.out.close(ws.StatusProtocolError, "a close frame has either no payload or a code of two bytes")
	case !utf8.ValidString(reason):
		c.out.close(ws.StatusInvalidFramePayloadData, "the reason of the close frame is not UTF-8")
	case err != nil:
		c.out.close(ws.StatusProtocolError, err.Error())
	case code > lastCloseCode:
		c.out.close(ws.StatusProtocolError, "close codes end at 4999")
	default:
		c.out.close(code, "")
	}
	return errDone
}

// lastCloseCode is the largest one that has a meaning (RFC 6455, section 7.4.2).
const lastCloseCode = 4999

// room returns how many bytes a message of have bytes grows by with a frame of more, or a fault when it is too large.
func (c *conn) room(have, more int64) (int64, error) {
	most := c.door.options.MaxMessage
	if more > most-have {
		size := int64(math.MaxInt64)
		if more < math.MaxInt64-have {
			size = have + more
		}
		return 0, tooLarge(size, most)
	}
	return have + more, nil
}

func tooLarge(size, most int64) error {
	return fault.New(fault.TooLarge, "the message has %d bytes or more; at most %d are allowed (max_message)", size, most)
}
