package jina

import (
	"errors"
	"io"
	"time"

	"google.golang.org/grpc"
)

// quietTime is how long nothing may move on a stream before it is taken for idle when the server shuts down.
const quietTime = time.Second

// call is the stream behind every call of clip_client: requests are worked on side by side and answered as they
// are done, or in order when the stream asks for it. No more than prefetch requests are read ahead of their
// answers, so that a client who does not read is held back by flow control.
//
// Whatever ends the stream early, a message that is none, an overloaded server, a shutdown, ends its reading; what was
// read before is answered, and then the stream ends with the status.
func (s *Service) call(stream grpc.ServerStream) error {
	key, err := s.key(stream.Context())
	if err == nil {
		err = s.gateway.Loaded()
	}
	var from Caller
	if err == nil {
		from, err = caller(stream.Context(), key)
	}
	if err != nil {
		return refuseStream(stream, err)
	}
	prefetch, inOrder, err := s.streamOptions(stream.Context())
	if err != nil {
		return err
	}
	answers := newAnswers(s, stream, key, from, prefetch, inOrder)
	defer answers.close()
	return refuseStream(stream, answers.wait(s.read(stream, answers)))
}

// read takes requests off the stream until it ends, and returns nil when the client has ended it.
func (s *Service) read(stream grpc.ServerStream, answers *answers) error {
	requests := receive(stream)
	defer requests.close()
	draining, quiet := s.gateway.Draining(), (<-chan time.Time)(nil)
	for {
		if err := answers.reserve(); err != nil {
			return err
		}
		select {
		case r := <-requests.next():
			requests.taken()
			if errors.Is(r.err, io.EOF) {
				return nil
			}
			if r.err != nil {
				return r.err
			}
			if err := answers.begin(&r.frame, r.at); err != nil {
				return err
			}
			if quiet != nil {
				quiet = time.After(quietTime)
			}
		case <-answers.reading.Done():
			return nil // wait knows why
		case <-draining:
			draining, quiet = nil, time.After(quietTime)
		case <-quiet:
			if !answers.busy() {
				return errShuttingDown
			}
			quiet = time.After(quietTime)
		case <-s.gateway.Stopped():
			return errShuttingDown
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
	frame
	err error
	at  time.Time
}

func receive(stream grpc.ServerStream) *receiver {
	r := &receiver{want: make(chan struct{}, 1), got: make(chan received, 1)}
	go func() {
		for range r.want {
			var f frame
			err := stream.RecvMsg(&f)
			r.got <- received{f, err, time.Now()}
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
