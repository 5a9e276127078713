package ws

import (
	"bufio"
	"context"
	"net"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/gobwas/ws"
	"golang.org/x/sync/semaphore"

	"clipd/frontend/fault"
	"clipd/frontend/limit"
)

// conn is one connection. Its reader is the goroutine that fasthttp gives it; requests and the end have their own.
type conn struct {
	door *Door
	session
	socket net.Conn // for writing, deadlines and closing
	peer   syscall.RawConn
	in     *bufio.Reader
	header [ws.MaxHeaderSize]byte // scratch of the reader
	out    writer

	ctx     context.Context // of the requests: ends with the connection
	cancel  context.CancelFunc
	reading context.Context // ends when nothing more is to be read
	stop    context.CancelFunc

	watch  *time.Timer // looks after the client while the reader waits for something else
	paused atomic.Bool // the reader does
	looks  atomic.Int32

	share   *limit.Share
	slots   chan struct{} // one for each request read or in progress; nil when there is no limit
	inputs  *semaphore.Weighted
	workers sync.WaitGroup // the requests in progress
	closer  sync.WaitGroup // the goroutine that sends the close frame

	mu        sync.Mutex
	progress  int       // requests read and not answered
	receiving bool      // a part of a message was read
	moved     time.Time // when a request was last read or answered
	refusing  bool      // the next request is refused
	end       *ending   // how the connection ends, once that is known
	over      bool      // the reader has ended
	closeBy   time.Time // when the reader gives up waiting for the client's close frame; zero before ours was sent
}

// readBuffer holds frame headers and small messages; what is larger is read from the socket into the request's own
// buffer.
const readBuffer = 4 << 10

// serve runs a connection until it is closed.
func (d *Door) serve(socket net.Conn, s session) {
	c := &conn{door: d, session: s, socket: socket, peer: rawConn(socket), in: bufio.NewReaderSize(socket, readBuffer), moved: time.Now()}
	if hijacked, ok := socket.(interface{ UnsafeConn() net.Conn }); ok {
		c.socket = hijacked.UnsafeConn() // closing the hijacked one does nothing
	}
	c.out = writer{socket: c.socket, timeout: d.options.WriteTimeout}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	c.reading, c.stop = context.WithCancel(c.ctx)
	defer c.cancel()
	c.watch = time.AfterFunc(watchEvery, c.look)
	c.watch.Stop()
	c.share = d.options.Bytes.Share(0)
	if n := d.options.Prefetch; n > 0 {
		c.slots = make(chan struct{}, n)
	}
	if n := d.options.StreamInputs; n > 0 {
		c.inputs = semaphore.NewWeighted(int64(n))
	}
	late := d.enter(c)
	defer d.leave(c)
	if late {
		c.goAway()
	}
	c.run()
	c.cancel()
	c.socket.Close() // wakes a write that is under way
	c.mu.Lock()
	c.over = true
	c.mu.Unlock()
	c.workers.Wait()
	c.closer.Wait()
}

// run reads until the connection is at its end.
func (c *conn) run() {
	defer c.recover()
	if c.dryRun {
		c.answerDryRun()
	}
	c.read()
}

// recover keeps a mistake of ours that one connection brings out from ending everybody else's.
func (c *conn) recover() {
	if p := recover(); p != nil {
		c.door.options.Log.Error().Str("stack", string(debug.Stack())).Msgf("BUG: a WebSocket connection panicked: %v", p)
		c.finish(endingOf(c.binary, fault.New(fault.Internal, "BUG: the server made a mistake; its log has the details")))
	}
}

// cut ends the connection without ceremony; the reader and the requests notice.
func (c *conn) cut() {
	c.cancel()
	c.socket.Close()
}

// took counts a request that was read. It returns false when the connection is at its end, and the request is not to be
// worked on.
func (c *conn) took() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.moved, c.receiving = time.Now(), false
	if c.end != nil {
		return false
	}
	c.progress++
	c.workers.Add(1)
	return true
}

// answered is the end of what took began.
func (c *conn) answered() {
	c.mu.Lock()
	c.progress--
	c.moved = time.Now()
	c.mu.Unlock()
	c.workers.Done()
}

// setReceiving says whether a message is being read.
func (c *conn) setReceiving(on bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.receiving = on
}
