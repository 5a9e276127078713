package jina

import (
	"context"
	"sync"

	"google.golang.org/grpc"

	"clipd/frontend/jina/pb"
)

// answers sends the answers of one stream while its requests are still coming in.
type answers struct {
	stream  grpc.BidiStreamingServer[pb.DataRequestProto, pb.DataRequestProto]
	slots   chan struct{} // one for each request in progress; nil when there is no limit
	inOrder bool
	wg      sync.WaitGroup

	mu   sync.Mutex // one Send at a time, as gRPC demands
	err  error      // of the first Send that failed
	last chan struct{}
}

func newAnswers(stream grpc.BidiStreamingServer[pb.DataRequestProto, pb.DataRequestProto], prefetch int, inOrder bool) *answers {
	a := &answers{stream: stream, inOrder: inOrder, last: make(chan struct{})}
	if prefetch > 0 {
		a.slots = make(chan struct{}, prefetch)
	}
	close(a.last)
	return a
}

// reserve waits until one more request may be read.
func (a *answers) reserve() error {
	if a.slots == nil {
		return a.stream.Context().Err()
	}
	select {
	case a.slots <- struct{}{}:
		return nil
	case <-a.stream.Context().Done():
		return a.stream.Context().Err()
	}
}

// begin works on a request in a goroutine of its own, in the place that reserve kept.
func (a *answers) begin(work func(context.Context) *pb.DataRequestProto) {
	previous, mine := a.last, make(chan struct{})
	a.last = mine
	a.wg.Go(func() {
		answer := work(a.stream.Context())
		if a.inOrder {
			<-previous
		}
		a.send(answer)
		close(mine)
		if a.slots != nil {
			<-a.slots
		}
	})
}

func (a *answers) send(answer *pb.DataRequestProto) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.err == nil {
		a.err = a.stream.Send(answer)
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
