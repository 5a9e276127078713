package ws

import (
	"errors"
	"net"
	"sync"
	"time"

	"github.com/gobwas/ws"
)

// writePiece is how much of a message has to be accepted within the timeout of writing, bytes.
const writePiece = 1 << 20

// keepBuffer is the most that a buffer of the pool holds, bytes; what a large answer needed is given back.
const keepBuffer = 1 << 20

// writer writes whole frames, one at a time. Its methods may be called from several goroutines.
type writer struct {
	socket  net.Conn
	timeout time.Duration

	mu     sync.Mutex
	closed bool      // a close frame was written, or writing has failed
	failed time.Time // when the last answer with status ERROR was written
}

// errClosed says that nothing can be written any more.
var errClosed = errors.New("the connection is closed")

// buffers are what messages are put together in. The first bytes are left for the header of the frame, so that header
// and payload are one write.
var buffers = sync.Pool{New: func() any { return new([]byte) }}

// headerRoom is the size of the longest header of an unmasked frame.
const headerRoom = 10

// message writes a message that encode appends to the buffer it is given. Only one message of a connection exists in
// encoded form at a time, however many are waiting for a client that does not read.
func (w *writer) message(op ws.OpCode, compress, isError bool, encode func(dst []byte) ([]byte, error)) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return errClosed
	}
	buf := buffers.Get().(*[]byte)
	defer func() {
		if cap(*buf) <= keepBuffer {
			buffers.Put(buf)
		}
	}()
	var err error
	if *buf, err = encode(append((*buf)[:0], make([]byte, headerRoom)...)); err != nil {
		return encodeError{err}
	}
	if compress && len(*buf)-headerRoom >= deflateLeast {
		err = w.deflated(op, (*buf)[headerRoom:])
	} else {
		err = w.frame(ws.Header{Fin: true, OpCode: op}, *buf)
	}
	if isError {
		w.failed = time.Now()
	}
	return err
}

// encodeError is an error of putting a message together; nothing was written.
type encodeError struct{ error }

// deflated writes a message compressed. w.mu is held.
func (w *writer) deflated(op ws.OpCode, message []byte) error {
	buf := buffers.Get().(*[]byte)
	defer func() {
		if cap(*buf) <= keepBuffer {
			buffers.Put(buf)
		}
	}()
	small, err := appendDeflated(append((*buf)[:0], make([]byte, headerRoom)...), message)
	if err != nil {
		return encodeError{err}
	}
	*buf = small
	return w.frame(ws.Header{Fin: true, OpCode: op, Rsv: ws.Rsv(true, false, false)}, small)
}

// frame writes a frame whose payload stands after headerRoom bytes of buf. w.mu is held.
func (w *writer) frame(h ws.Header, buf []byte) error {
	h.Length = int64(len(buf) - headerRoom)
	begin := headerRoom - ws.HeaderSize(h)
	var place headerPlace
	if err := ws.WriteHeader(&place, h); err != nil {
		return encodeError{err}
	}
	copy(buf[begin:], place.bytes[:place.n])
	for rest := buf[begin:]; len(rest) > 0; {
		piece := rest[:min(len(rest), writePiece)]
		if w.timeout > 0 {
			w.socket.SetWriteDeadline(time.Now().Add(w.timeout))
		}
		if _, err := w.socket.Write(piece); err != nil {
			w.closed = true // a part of a frame may be out
			return err
		}
		rest = rest[len(piece):]
	}
	return nil
}

// headerPlace receives a header.
type headerPlace struct {
	bytes [ws.MaxHeaderSize]byte
	n     int
}

func (p *headerPlace) Write(b []byte) (int, error) {
	n := copy(p.bytes[p.n:], b)
	p.n += n
	return n, nil
}

// control writes a ping or a pong.
func (w *writer) control(op ws.OpCode, payload []byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return errClosed
	}
	return w.frame(ws.Header{Fin: true, OpCode: op}, append(make([]byte, headerRoom, headerRoom+ws.MaxControlFramePayloadSize), payload...))
}

// tryPing writes a ping unless something else is being written, which finds a lost client as well.
func (w *writer) tryPing() error {
	if !w.mu.TryLock() {
		return nil
	}
	defer w.mu.Unlock()
	if w.closed {
		return nil
	}
	return w.frame(ws.Header{Fin: true, OpCode: ws.OpPing}, make([]byte, headerRoom))
}

// close writes the close frame, after which nothing is written. Code 0 makes one without a code.
func (w *writer) close(code ws.StatusCode, reason string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return
	}
	var body []byte
	if code != 0 {
		body = ws.NewCloseFrameBody(code, reason)
	}
	w.frame(ws.Header{Fin: true, OpCode: ws.OpClose}, append(make([]byte, headerRoom), body...)) // an error is the reader's to notice
	w.closed = true
}

// lastError is when the last answer with status ERROR was written.
func (w *writer) lastError() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.failed
}
