package jina

import (
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"clipd/frontend/fault"
	"clipd/frontend/limit"
)

// sender sends the answers of one stream, one at a time as gRPC demands, and notices a client that takes none. The
// transport accepts an answer when what it accepted before was written for the most part, so the answer that waits shows
// whether the client reads.
type sender struct {
	stream  grpc.ServerStream
	budget  *limit.Bytes  // in which answers count until they are written; nil: no end
	timeout time.Duration // 0 = none
	mu      sync.Mutex    // held while sending
	written atomic.Int64  // bytes of answers that were written to the connection
	stalled chan struct{} // closed when nothing was written for the timeout while an answer waited
	once    sync.Once
	onStall func() // is called when stalled has been closed
}

func newSender(stream grpc.ServerStream, budget *limit.Bytes, timeout time.Duration, onStall func()) *sender {
	return &sender{stream: stream, budget: budget, timeout: timeout, stalled: make(chan struct{}), onStall: onStall}
}

// send waits its turn and returns when the transport has the answer, or when the stream has ended. It tells the answer's
// size in bytes.
func (s *sender) send(m proto.Message) (size int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.stalled:
		return 0, s.stall()
	default:
	}
	if s.timeout > 0 {
		defer s.watch()()
	}
	size = proto.Size(m)
	hold, err := newHold(s.budget, size)
	if err != nil {
		return size, err
	}
	hold.watch(s.timeout, cutter(s.stream.Context()))
	err = s.stream.SendMsg(&reply{m, func(bytes int) { s.written.Add(int64(bytes)) }, hold})
	if err != nil {
		hold.end()
	}
	return size, err
}

// watch declares the stream stalled when a timeout passes without a byte written, until the function it returns is called.
func (s *sender) watch() (end func()) {
	done := make(chan struct{})
	go func() {
		seen := s.written.Load()
		timer := time.NewTimer(s.timeout)
		defer timer.Stop()
		for {
			select {
			case <-done:
				return
			case <-timer.C:
			}
			now := s.written.Load()
			if now == seen {
				s.once.Do(func() {
					close(s.stalled)
					s.onStall()
				})
				return
			}
			seen = now
			timer.Reset(s.timeout)
		}
	}()
	return func() { close(done) }
}

func (s *sender) stall() error {
	return fault.New(fault.Deadline, "the client took nothing of an answer for %v (write_timeout)", s.timeout)
}
