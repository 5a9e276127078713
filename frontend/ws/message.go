package ws

import (
	"errors"
	"io"
	"time"
	"unicode/utf8"

	"github.com/gobwas/ws"

	"clipd/frontend/fault"
	"clipd/frontend/metrics"
)

const (
	// readPiece is how much of a message has to come within the idle timeout, bytes.
	readPiece = 256 << 10
	// trusted is the size up to which a buffer is made for the length that a frame announces, bytes. Beyond it the
	// buffer is never more than growth times what has really come: memory and budget are not to be had for a header of
	// 14 bytes. A larger message is moved once or twice, with a sixteenth of its bytes.
	trusted = 1 << 20
	growth  = 16
	// smallFrame is read before there is a place for a request, bytes: it may be the end of the input.
	smallFrame = ws.MaxControlFramePayloadSize
)

// message is what the reader puts together from frames, until it is handed on.
type message struct {
	conn       *conn
	op         ws.OpCode
	compressed bool
	more       bool // frames of it are still to come
	open       bool // a part of it was taken
	slot       bool // a place among the requests in progress is kept
	buf        []byte
	charged    int64 // bytes of the connection's share that it holds
}

// frame reads a data frame, and hands on the message that it completes. A frame that cannot be taken is read past; the
// connection is ending then.
func (m *message) frame(h ws.Header) error {
	c, rest := m.conn, h.Length
	err := m.take(h, &rest)
	if f := new(fault.Error); errors.As(err, &f) {
		e := endingOf(c.binary, f)
		e.broken = rest > readPiece
		c.finish(e)
		if e.broken { // not worth waiting for: it may be terabytes
			m.drop()
			c.linger()
			return errDone
		}
	}
	if c.isEnding() || c.reading.Err() != nil {
		m.drop()
		return c.skip(rest)
	}
	if err != nil || !h.Fin {
		return err
	}
	err = m.complete()
	m.drop()
	if f := new(fault.Error); errors.As(err, &f) {
		c.finish(endingOf(c.binary, f))
	}
	return nil
}

// take reads a frame's payload into the message. rest is what it has not read.
func (m *message) take(h ws.Header, rest *int64) error {
	c := m.conn
	if (m.op == ws.OpBinary) != c.binary {
		return c.wrongKind()
	}
	if !m.open {
		m.open = true
		c.setReceiving(true)
	}
	size, err := c.room(int64(len(m.buf)), h.Length)
	if err != nil {
		return err
	}
	if !h.Fin || size > smallFrame {
		if err := m.reserve(); err != nil {
			return err
		}
	}
	for *rest > 0 {
		if len(m.buf) == cap(m.buf) {
			if err := m.grow(size); err != nil {
				return err
			}
		}
		have := len(m.buf)
		piece := m.buf[have:min(cap(m.buf), have+int(min(*rest, readPiece)))]
		c.setReadDeadline(c.door.options.IdleTimeout)
		if _, err := io.ReadFull(c.in, piece); err != nil {
			return err
		}
		ws.Cipher(piece, h.Mask, int((h.Length-*rest)%4))
		m.buf = m.buf[:have+len(piece)]
		*rest -= int64(len(piece))
	}
	return nil
}

// grow makes room in the buffer, on the way to a message of size bytes.
func (m *message) grow(size int64) error {
	size = min(size, max(trusted, growth*int64(len(m.buf))))
	if err := m.charge(size); err != nil {
		return err
	}
	larger := make([]byte, len(m.buf), size)
	copy(larger, m.buf)
	m.buf = larger
	return nil
}

// charge makes the message hold size bytes of the connection's share. What it held is given back first: with it in hand it
// could wait for itself.
func (m *message) charge(size int64) error {
	c := m.conn
	c.share.Give(m.charged)
	m.charged = 0
	err := c.pause(func() error { return c.share.Take(c.reading, size) })
	if err == nil {
		m.charged = size
	}
	return err
}

// reserve waits for a place among the requests in progress.
func (m *message) reserve() error {
	c := m.conn
	if m.slot || c.slots == nil {
		return nil
	}
	select {
	case c.slots <- struct{}{}:
		m.slot = true
		return nil
	default:
	}
	return c.pause(func() error {
		select {
		case c.slots <- struct{}{}:
			m.slot = true
			return nil
		case <-c.reading.Done():
			return c.reading.Err()
		}
	})
}

// complete takes the message as a request, or as the end of the input.
func (m *message) complete() error {
	c, arrived := m.conn, time.Now()
	if m.compressed {
		if err := m.inflate(); err != nil {
			return err
		}
	}
	if !c.binary && !utf8.Valid(m.buf) {
		return fault.New(fault.Malformed, "a text message is not UTF-8")
	}
	if c.form().isEnd(m.buf) {
		c.finish(normal)
		return nil
	}
	if c.isRefusing() {
		c.goAway()
		return nil
	}
	if err := m.reserve(); err != nil {
		return err
	}
	if !c.took() {
		return nil
	}
	t := task{conn: c, arrived: arrived, charged: m.charged, slot: m.slot}
	t.counted = c.door.options.Gateway.Begin(metrics.WebSocket, arrived)
	m.charged, m.slot = 0, false
	return t.begin(m.buf)
}

// inflate decompresses the message, within the limits of a plain one.
func (m *message) inflate() error {
	most, compressed := m.conn.door.options.MaxMessage, int64(cap(m.buf))
	plain, err := inflate(m.buf, most, func(size int64) error { return m.charge(compressed + size) })
	if errors.Is(err, errInflated) {
		return tooLarge(most+1, most)
	}
	if err != nil {
		return err
	}
	m.buf = plain
	return m.charge(int64(cap(plain)))
}

// drop forgets what was read of the message and gives back what it held.
func (m *message) drop() {
	c := m.conn
	c.share.Give(m.charged)
	if m.slot {
		<-c.slots
	}
	if m.open {
		c.setReceiving(false)
	}
	m.buf, m.charged, m.slot, m.open = nil, 0, false, false
}
