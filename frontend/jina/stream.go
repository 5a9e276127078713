package jina

import (
	"errors"
	"io"
	"time"

	"google.golang.org/grpc"

	"clipd/frontend/jina/pb"
)

// quietTime is how long nothing may move on a stream before it is taken for idle when the server shuts down.
const quietTime = time.Second

// Call is the stream behind every call of clip_client: requests are worked on side by side and answered as they
// are done, or in order when the stream asks for it. No more than prefetch requests are read ahead of their
// answers, so that a client who does not read is held back by flow control.
func (s *Service) Call(stream grpc.BidiStreamingServer[pb.DataRequestProto, pb.DataRequestProto]) error {
	if err := s.gateway.Ready(); err != nil {
		return err
	}
	prefetch, inOrder, err := s.streamOptions(stream.Context())
	if err != nil {
		return err
	}
	answers := newAnswers(stream, prefetch, s.options.StreamInputs, inOrder)
	requests := receive(stream)
	defer requests.close()
	draining, quiet := s.gateway.Draining(), (<-chan time.Time)(nil)
	for {
		if err := answers.reserve(); err != nil {
			return answers.wait(err)
		}
		select {
		case r := <-requests.next():
			requests.taken()
			if errors.Is(r.err, io.EOF) {
				return answers.wait(nil)
			}
			if r.err != nil {
				return answers.wait(r.err)
			}
			if err := answers.begin(s.gateway, r.message, r.at); err != nil {
				return answers.wait(err)
			}
			if quiet != nil {
				quiet = time.After(quietTime)
			}
		case <-draining:
			draining, quiet = nil, time.After(quietTime)
		case <-quiet:
			if !answers.busy() {
				return answers.wait(errShuttingDown)
			}
			quiet = time.After(quietTime)
		case <-s.gateway.Stopped():
			return answers.wait(errShuttingDown)
		}
	}
}

// receiver reads a stream in a goroutine of its own, one message when it is asked for one, so that a handler can wait
// for other things meanwhile. The goroutine ends with the stream.
type receiver struct {
	want  chan struct{}
	got   chan received
	asked bool
}

type received struct {
	message *pb.DataRequestProto
	err     error
	at      time.Time
}

func receive(stream grpc.BidiStreamingServer[pb.DataRequestProto, pb.DataRequestProto]) *receiver {
	r := &receiver{want: make(chan struct{}, 1), got: make(chan received, 1)}
	go func() {
		for range r.want {
			m, err := stream.Recv()
			r.got <- received{m, err, time.Now()}
		}
	}()
	return r
}

// next returns where the next message will be, and has it read unless that is under way.
func (r *receiver) next() <-chan received {
	if !r.asked {
		r.asked = true
		r.want <- struct{}{}
	}
	return r.got
}

// taken says that the message that next promised was taken.
func (r *receiver) taken() { r.asked = false }

func (r *receiver) close() { close(r.want) }
