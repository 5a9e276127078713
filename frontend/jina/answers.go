package jina

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"
	"google.golang.org/grpc"

	"clipd/engine"
	"clipd/frontend/auth"
	"clipd/frontend/fault"
	"clipd/frontend/jina/pb"
	"clipd/frontend/metrics"
)

// answers works on the requests of one stream and sends their answers while others are still coming in.
type answers struct {
	stage    stage
	stream   grpc.ServerStream
	sender   *sender
	caller   Caller
	slots    chan struct{} // one for each request in progress; nil when there is no limit
	reserved bool          // a slot is kept for the next request
	inOrder  bool
	wg       sync.WaitGroup
	last     chan struct{} // closed when the answer to the last request is out

	reading context.Context // ends, with the stream or by fail, when nothing more shall be read
	stop    context.CancelFunc

	mu       sync.Mutex
	progress int   // requests in progress
	err      error // the first of those that end the stream
}

func newAnswers(s *Service, stream grpc.ServerStream, key *auth.Key, caller Caller, prefetch int, inOrder bool) *answers {
	a := &answers{stream: stream, inOrder: inOrder, last: make(chan struct{}), caller: caller}
	a.stage = stage{service: s, key: key, share: s.options.Bytes.Share(0)}
	if prefetch > 0 {
		a.slots = make(chan struct{}, prefetch)
	}
	if n := int64(s.options.StreamInputs); n > 0 {
		a.stage.inputs, a.stage.most = semaphore.NewWeighted(n), n
	}
	a.reading, a.stop = context.WithCancel(stream.Context())
	a.sender = newSender(stream, s.options.Bytes, s.options.WriteTimeout, a.stop) // wait returns the reason
	close(a.last)
	return a
}

func (a *answers) close() { a.stop() }

// reserve waits until one more request may be read, and keeps its place until begin takes it.
func (a *answers) reserve() error {
	if a.slots == nil || a.reserved {
		return a.reading.Err()
	}
	select {
	case a.slots <- struct{}{}:
		a.reserved = true
		return nil
	case <-a.reading.Done():
		return a.reading.Err()
	}
}

// begin hands a request to the gateway in a goroutine of its own, in the place that reserve kept, once there is
// room for its bytes and documents. Its error ends the stream.
func (a *answers) begin(message *frame, arrived time.Time) error {
	ctx, cancel := a.caller.Allow(a.reading, arrived)
	defer cancel()
	counted, received := a.stage.service.gateway.Begin(metrics.GRPC, arrived), len(message.data)
	req, held, err := a.stage.admit(ctx, message)
	if req == nil {
		counted.End("", fault.Of(err), received, -1)
		return err
	}
	a.reserved = false
	previous, mine := a.last, make(chan struct{})
	a.last = mine
	a.count(1)
	c := &Call{Caller: a.caller, Request: req, Arrived: arrived}
	a.wg.Go(func() {
		defer func() {
			held.end()
			close(mine)
			a.count(-1)
			if a.slots != nil {
				<-a.slots
			}
		}()
		answered := a.handle(c, err)
		if a.inOrder {
			select {
			case <-previous:
			case <-a.stream.Context().Done():
			}
		}
		sent := -1
		if answered {
			sent = a.send(c.Request)
		}
		counted.End(c.Request.Header.GetExecEndpoint(), c.Fault, received, sent)
	})
	return nil
}

// handle answers a request, or puts the refusal into its answer; false says that the stream's status is the answer.
func (a *answers) handle(c *Call, refusal error) bool {
	if refusal != nil {
		finish(c, "gateway", time.Now(), engine.Times{}, refusal)
		return true
	}
	if err := a.stage.service.gateway.Handle(a.stream.Context(), c); err != nil && !TimedOut(err) {
		a.fail(err)
		return false
	}
	return true
}

func (a *answers) count(n int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.progress += n
}

// busy reports whether a request is in progress.
func (a *answers) busy() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.progress > 0
}

func (a *answers) send(answer *pb.DataRequestProto) (bytes int) {
	bytes, err := a.sender.send(answer)
	if err != nil {
		a.fail(err)
	}
	return bytes
}

// fail ends the reading. The stream ends with the first such error when what was read is answered.
func (a *answers) fail(err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.err == nil {
		a.err = err
		a.stop()
	}
}

// wait waits for the answers to everything that was read and returns what the stream ends with: the error that ended
// the work or, when there was none, err, which ended the reading. It does not wait for a client that takes nothing.
func (a *answers) wait(err error) error {
	out := make(chan struct{})
	go func() {
		a.wg.Wait()
		close(out)
	}()
	select {
	case <-out:
	case <-a.sender.stalled:
		return a.sender.stall()
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.err != nil {
		return a.err
	}
	return err
}
