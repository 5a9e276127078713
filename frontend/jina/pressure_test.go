package jina

import (
	"io"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"clipd/frontend/jina/pb"
	"clipd/frontend/limit"
)

const window = 64 << 10 // of HTTP/2, the least that gRPC has

// TestASlowReaderHoldsItsOwnStreamBack sends 40 MB without reading an answer. Each answer has its picture in it, so
// the windows are soon full; then nothing more is read than prefetch allows. When the client reads at last everything
// comes.
func TestASlowReaderHoldsItsOwnStreamBack(t *testing.T) {
	const prefetch, requests = 4, 500
	budget := limit.NewBytes(0)
	server := startTest(t, GatewayOptions{}, hashModel{}, "clip_t", Options{Prefetch: prefetch, Bytes: budget, WriteTimeout: time.Hour},
		grpc.InitialWindowSize(window), grpc.InitialConnWindowSize(window))
	conn := server.dial(t, grpc.WithInitialWindowSize(window), grpc.WithInitialConnWindowSize(window))
	stream := rawStream(t, conn, callMethod)
	m := pictureRequest(1)
	m.Parameters = nil // the picture comes back
	one := marshal(t, m)
	w, err := weigh(one, requestKind)
	if err != nil {
		t.Fatal(err)
	}
	var sent atomic.Int64
	go func() {
		for range requests {
			if stream.SendMsg(one) != nil {
				return
			}
			sent.Add(1)
		}
		stream.CloseSend()
	}()
	// Answered and lying in the client's window and the server's queue; in progress; and in the server's window and the
	// pipe, with one that the client's transport holds.
	queued := int64(window+64<<10)/int64(len(one)) + 2
	most := queued + prefetch + int64(window+1<<20)/int64(len(one)) + 2
	last := int64(-1)
	eventually(t, "the client held back", func() bool {
		time.Sleep(50 * time.Millisecond)
		now := sent.Load()
		held := now == last && now > prefetch
		last = now
		return held
	})
	if last > most || last >= requests/4 {
		t.Errorf("%d requests were taken from a client that reads nothing; at most %d should be", last, most)
	}
	answers := queued * int64(len(one)+4<<10) // those that wait, with an embedding each
	if used, most := budget.Used(), prefetch*(int64(len(one))+w.memory())+answers; used > most {
		t.Errorf("%d bytes are in progress, at most %d should be", used, most)
	}
	all, err := answersOf(t, stream)
	if len(all) != requests || err != io.EOF {
		t.Errorf("%d answers, %v", len(all), err)
	}
	eventually(t, "the budget whole again", func() bool { return budget.Used() == 0 })
}

// TestAStalledStreamEnds shows that a client that takes nothing loses its stream and all that the stream held.
func TestAStalledStreamEnds(t *testing.T) {
	budget := limit.NewBytes(0)
	before := settle()
	server := startTest(t, GatewayOptions{}, hashModel{}, "clip_t", Options{Prefetch: 4, Bytes: budget, WriteTimeout: 50 * time.Millisecond},
		grpc.InitialWindowSize(window), grpc.InitialConnWindowSize(window))
	conn := server.dial(t, grpc.WithInitialWindowSize(window), grpc.WithInitialConnWindowSize(window))
	stream := rawStream(t, conn, callMethod)
	m := pictureRequest(1)
	m.Parameters = nil
	one := marshal(t, m)
	var sent atomic.Int64
	go func() {
		for range 20 {
			if stream.SendMsg(one) != nil {
				break // when the client reads the status below
			}
			sent.Add(1)
		}
	}()
	// What the transport has of its answers is in memory as long as the connection, and counts.
	eventually(t, "requests taken, and their bytes given back", func() bool {
		return sent.Load() > 4 && budget.Used() <= 2*int64(len(one)+4<<10)
	})
	all, err := answersOf(t, stream)
	if status.Code(err) != codes.DeadlineExceeded || len(all) > 8 {
		t.Errorf("%d answers, then %v", len(all), err)
	}
	conn.Close()
	eventually(t, "the budget whole again", func() bool { runtime.GC(); return budget.Used() == 0 })
	before.compare(t)
}

// TestCompressedAnswersStall shows that the timeout is in force where the transport's own buffers hide what is written.
func TestCompressedAnswersStall(t *testing.T) {
	server := startTest(t, GatewayOptions{}, hashModel{}, "clip_t", Options{Prefetch: 4, WriteTimeout: 20 * time.Millisecond})
	conn := server.dial(t, grpc.WithInitialWindowSize(window), grpc.WithInitialConnWindowSize(window))
	stream, err := pb.NewJinaRPCClient(conn).Call(metadata.AppendToOutgoingContext(t.Context(), "__prefetch__", "2"), grpc.UseCompressor("gzip"))
	if err != nil {
		t.Fatal(err)
	}
	m := pictureRequest(4)
	m.Parameters = nil
	for range 4 {
		if stream.Send(m) != nil {
			break
		}
	}
	for {
		if _, err = stream.Recv(); err != nil {
			break
		}
		time.Sleep(100 * time.Millisecond) // answers of 240 KB wait for the window meanwhile
	}
	if status.Code(err) != codes.DeadlineExceeded {
		t.Error(err)
	}
}
