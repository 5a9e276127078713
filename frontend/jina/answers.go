package jina

import (
	"sync"
	"time"

	"golang.org/x/sync/semaphore"
	"google.golang.org/grpc"

	"clipd/frontend/jina/pb"
)

// answers works on the requests of one stream and sends their answers while others are still coming in.
type answers struct {
	stream    grpc.BidiStreamingServer[pb.DataRequestProto, pb.DataRequestProto]
	slots     chan struct{} // one for each request in progress; nil when there is no limit
	reserved  bool          // a slot is kept for the next request
	inputs    *semaphore.Weighted
	maxInputs int64 // of inputs
	inOrder   bool
	wg        sync.WaitGroup
	last      chan struct{} // closed when the answer to the last request is out

	mu       sync.Mutex // one Send at a time, as gRPC demands
	progress int        // requests in progress
	err      error      // of the first Send that failed
}

func newAnswers(stream grpc.BidiStreamingServer[pb.DataRequestProto, pb.DataRequestProto], prefetch, inputs int, inOrder bool) *answers {
	a := &answers{stream: stream, inOrder: inOrder, last: make(chan struct{}), maxInputs: int64(inputs)}
	if prefetch > 0 {
		a.slots = make(chan struct{}, prefetch)
	}
	if inputs > 0 {
		a.inputs = semaphore.NewWeighted(a.maxInputs)
	}
	close(a.last)
	return a
}

// reserve waits until one more request may be read, and keeps its place until begin takes it.
func (a *answers) reserve() error {
	if a.slots == nil || a.reserved {
		return a.stream.Context().Err()
	}
	select {
	case a.slots <- struct{}{}:
		a.reserved = true
		return nil
	case <-a.stream.Context().Done():
		return a.stream.Context().Err()
	}
}

// begin hands a request to the executor in a goroutine of its own, in the place that reserve kept, once there is
// room for its documents.
func (a *answers) begin(g *Gateway, req *pb.DataRequestProto, arrived time.Time) error {
	ctx := a.stream.Context()
	weight := min(int64(countDocuments(req.GetData().GetDocs().GetDocs())), a.maxInputs)
	if a.inputs != nil {
		if err := a.inputs.Acquire(ctx, weight); err != nil {
			return err
		}
	}
	a.reserved = false
	previous, mine := a.last, make(chan struct{})
	a.last = mine
	a.count(1)
	a.wg.Go(func() {
		if err := g.Handle(ctx, &Call{Request: req, Arrived: arrived}); err != nil {
			a.fail(err)
		}
		if a.inputs != nil {
			a.inputs.Release(weight)
		}
		if a.inOrder {
			<-previous
		}
		a.send(req)
		close(mine)
		a.count(-1)
		if a.slots != nil {
			<-a.slots
		}
	})
	return nil
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

func (a *answers) send(answer *pb.DataRequestProto) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.err == nil {
		a.err = a.stream.Send(answer)
	}
}

// fail ends the stream with an error once the answers to what was read are out.
func (a *answers) fail(err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.err == nil {
		a.err = err
	}
}

// wait ends the stream: when the answers to all requests read so far are out, it returns err, or else the error of
// sending.
func (a *answers) wait(err error) error {
	a.wg.Wait()
	if err != nil {
		return err
	}
	return a.err
}
