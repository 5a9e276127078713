package door

import (
	"net"
	"sync"
	"time"

	"clipd/frontend/upload"
)

// watched is the state of a gRPC connection whose messages are watched as they arrive; nothing, of others.
type watched struct {
	watch   *upload.Watch // nil: not watched
	writing sync.Mutex    // held while bytes are looked at and written
}

// write looks at what is written, if somebody wants to, and writes it.
func (w *watched) write(p []byte, write func([]byte) (int, error)) (int, error) {
	if w.watch == nil {
		return write(p)
	}
	w.writing.Lock()
	defer w.writing.Unlock()
	w.watch.Sent(p)
	return write(p)
}

// farewellTime is how long a connection that is ended may take the frame that says why.
const farewellTime = 100 * time.Millisecond

// farewell writes a last frame, unless that would have to wait.
func (w *watched) farewell(c net.Conn, frame []byte, write func([]byte) (int, error)) {
	if !w.writing.TryLock() {
		return
	}
	defer w.writing.Unlock()
	if w.watch.BetweenFrames() {
		c.SetWriteDeadline(time.Now().Add(farewellTime))
		write(frame)
	}
}

// watch has the messages of a gRPC connection watched.
func (d *Door) watch(c net.Conn) {
	switch c := c.(type) {
	case *plainConn:
		c.watch = d.o.Uploads.Watch(c.RemoteAddr(), func(goAway []byte) {
			c.farewell(c, goAway, c.TCPConn.Write)
			c.CloseWrite()
			c.Close()
		})
	case *tlsConn:
		c.watch = d.o.Uploads.Watch(c.RemoteAddr(), func(goAway []byte) {
			c.farewell(c, goAway, c.Conn.Write)
			c.tcp.CloseWrite()
			c.tcp.Close() // first: TLS would wait for room for its own farewell
			c.Close()
		})
	}
}
