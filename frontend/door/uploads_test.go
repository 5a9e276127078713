package door

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	h2 "golang.org/x/net/http2" // http2 and limit are names of this package
	"golang.org/x/net/http2/hpack"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	_ "google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"

	limits "clipd/frontend/limit"
	"clipd/frontend/upload"
)

func uploads(size int64, wait time.Duration) *upload.Budget {
	return upload.NewBudget(upload.Options{Bytes: limits.NewBytes(size), Wait: wait, MaxStreams: 1000})
}

// noise is bytes that do not compress.
func noise(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}

func (s *served) client(creds credentials.TransportCredentials) *grpc.ClientConn {
	s.t.Helper()
	c, err := grpc.NewClient("passthrough:"+s.port(), grpc.WithTransportCredentials(creds))
	if err != nil {
		s.t.Fatal(err)
	}
	return c
}

// TestUploadsOfHonestClients sends all kinds of messages, of which no byte stays in the budget.
func TestUploadsOfHonestClients(t *testing.T) {
	server, client := serverTLS(t)
	check := func(config *tls.Config, creds credentials.TransportCredentials) {
		t.Helper()
		defer noLeak(t)()
		budget := uploads(64<<20, time.Minute)
		s := serve(t, Options{GRPC: true, HTTP: true, TLS: config, Uploads: budget})
		c := s.client(creds)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		var group sync.WaitGroup
		big := noise(1 << 20)
		for i := range 4 {
			group.Go(func() {
				for _, size := range []int{0, 1, 16379, 16380, 100_000, len(big)} {
					var options []grpc.CallOption
					if i%2 == 1 {
						options = append(options, grpc.UseCompressor("gzip"))
					}
					out := &wrapperspb.BytesValue{}
					if err := c.Invoke(ctx, "/test.Echo/Echo", wrapperspb.Bytes(big[:size]), out, options...); err != nil || !bytes.Equal(out.Value, big[:size]) {
						t.Errorf("%d bytes: got %d, %v", size, len(out.Value), err)
					}
				}
			})
			group.Go(func() { // many messages of one stream
				stream, err := c.NewStream(ctx, &echo.Streams[0], "/test.Echo/Count")
				if err != nil {
					t.Error(err)
					return
				}
				total := 0
				for n := range 40 {
					stream.SendMsg(wrapperspb.Bytes(big[:n*n*50]))
					total += n * n * 50
				}
				stream.CloseSend()
				out := &wrapperspb.BytesValue{}
				if err := stream.RecvMsg(out); err != nil || string(out.Value) != fmt.Sprint(total) {
					t.Errorf("%q, %v; want %d", out.Value, err, total)
				}
			})
			group.Go(func() { // cancelled in the middle of a message
				ctx, cancel := context.WithCancel(ctx)
				time.AfterFunc(time.Duration(i)*time.Millisecond, cancel)
				c.Invoke(ctx, "/test.Echo/Echo", wrapperspb.Bytes(big), &wrapperspb.BytesValue{})
				cancel()
			})
			group.Go(func() { // ended by the server while the client sends
				stream, err := c.NewStream(ctx, &echo.Streams[1], "/test.Echo/Refuse")
				if err != nil {
					t.Error(err)
					return
				}
				for stream.SendMsg(wrapperspb.Bytes(big[:100_000])) == nil {
				}
				if err := stream.RecvMsg(&wrapperspb.BytesValue{}); status.Code(err) != codes.ResourceExhausted {
					t.Errorf("the refused stream: %v", err)
				}
			})
		}
		group.Wait()
		eventually(t, "the budget is not given back", func() bool { return budget.Used() == 0 })
		if budget.Ended() != 0 {
			t.Errorf("%d connections were ended", budget.Ended())
		}
		c.Close()
		s.stop()
	}
	check(nil, insecure.NewCredentials())
	check(server, credentials.NewTLS(client))
}

// hostile is a client that speaks HTTP/2 by hand.
type hostile struct {
	net.Conn
	framer *h2.Framer
	end    chan error // what it read in the end: errGoAway, or why there was none
}

type errGoAway struct {
	code h2.ErrCode
	text string
}

func (e errGoAway) Error() string { return e.code.String() + ": " + e.text }

func (s *served) hostile(config *tls.Config) *hostile {
	s.t.Helper()
	h := &hostile{Conn: s.dial(), end: make(chan error, 1)}
	if config != nil {
		config = config.Clone()
		config.NextProtos = []string{"h2"}
		h.Conn = tls.Client(h.Conn, config)
	}
	h.framer = h2.NewFramer(h.Conn, h.Conn)
	h.Write(preface)
	h.framer.WriteSettings()
	go func() {
		var last error
		for {
			f, err := h.framer.ReadFrame()
			if err != nil {
				if last == nil {
					last = err
				}
				h.end <- last
				return
			}
			if f, ok := f.(*h2.GoAwayFrame); ok {
				last = errGoAway{f.ErrCode, string(f.DebugData())}
			}
		}
	}()
	return h
}

// open begins a call.
func (h *hostile) open(stream uint32, method string) error {
	var block bytes.Buffer
	e := hpack.NewEncoder(&block)
	for _, f := range [][2]string{{":method", "POST"}, {":scheme", "http"}, {":path", "/test.Echo/" + method}, {":authority", "x"},
		{"content-type", "application/grpc"}, {"te", "trailers"}} {
		e.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]})
	}
	return h.framer.WriteHeaders(h2.HeadersFrameParam{StreamID: stream, BlockFragment: block.Bytes(), EndHeaders: true})
}

// begin sends a part of a message of length bytes.
func (h *hostile) begin(stream uint32, length, sent int) error {
	if err := h.framer.WriteData(stream, false, binary.BigEndian.AppendUint32([]byte{0}, uint32(length))); err != nil {
		return err
	}
	for part := make([]byte, 16384); sent > 0; sent -= len(part) {
		if err := h.framer.WriteData(stream, false, part[:min(sent, len(part))]); err != nil {
			return err
		}
	}
	return nil
}

// heap is the memory in use after a collection, bytes.
func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC() // what pools have kept through the first
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestPartialMessagesFillTheBudgetOnly parks all but the last byte of messages on hundreds of streams.
func TestPartialMessagesFillTheBudgetOnly(t *testing.T) {
	server, client := serverTLS(t)
	const budgetSize, streams, each = 16 << 20, 300, 512 << 10 // 150 MiB in all
	check := func(serverConfig, clientConfig *tls.Config, creds credentials.TransportCredentials) {
		t.Helper()
		defer noLeak(t)()
		budget := uploads(budgetSize, 1500*time.Millisecond)
		s := serve(t, Options{GRPC: true, HTTP: true, TLS: serverConfig, Uploads: budget},
			grpc.InitialWindowSize(each+1<<10), grpc.InitialConnWindowSize(1<<30))
		honest := s.client(creds)
		call := func() {
			t.Helper()
			out := &wrapperspb.BytesValue{}
			if err := honest.Invoke(t.Context(), "/test.Echo/Echo", wrapperspb.Bytes(make([]byte, 5000)), out); err != nil || len(out.Value) != 5000 {
				t.Errorf("an honest call: %d bytes, %v", len(out.Value), err)
			}
		}
		call()
		before := heap()
		h := s.hostile(clientConfig)
		sent := make(chan error, 1)
		go func() {
			for i := range uint32(streams) {
				if err := errors.Join(h.open(2*i+1, "Echo"), h.begin(2*i+1, each, each-1)); err != nil {
					sent <- err
					return
				}
			}
			sent <- nil
		}()
		eventually(t, "the budget did not fill", func() bool { return budget.Waiting() == 1 })
		if used := budget.Used(); used > budgetSize || used < budgetSize/2 {
			t.Errorf("%d bytes of %d are taken", used, budgetSize)
		}
		// The test's own buffers, and those that are on the way, fit beside the budget.
		if grown := heap() - before; grown > budgetSize+8<<20 || grown < budgetSize/2 {
			t.Errorf("the heap grew by %d KiB, want about the budget's %d", grown>>10, budgetSize>>10)
		}
		call() // reading is held back on the other connection only
		if err := <-sent; err == nil {
			t.Error("all was taken in")
		}
		err := <-h.end
		if away, ok := err.(errGoAway); ok && (away.code != h2.ErrCodeEnhanceYourCalm || !strings.Contains(away.text, "no memory for more")) || err == nil {
			t.Errorf("the hostile client heard: %v", err)
		}
		eventually(t, "the budget is not given back", func() bool { return budget.Used() == 0 })
		eventually(t, "the memory is not given back", func() bool { return heap()-before < 4<<20 })
		if budget.Ended() != 1 {
			t.Errorf("%d connections were ended, want 1", budget.Ended())
		}
		call()
		honest.Close()
		h.Close()
		s.stop()
	}
	check(nil, nil, insecure.NewCredentials())
	check(server, client, credentials.NewTLS(client))
}

// TestClientHearsWhyItIsEnded is about a message larger than the budget.
func TestClientHearsWhyItIsEnded(t *testing.T) {
	server, client := serverTLS(t)
	check := func(config *tls.Config, creds credentials.TransportCredentials) {
		t.Helper()
		s := serve(t, Options{GRPC: true, TLS: config, Uploads: uploads(1<<20, 50*time.Millisecond)})
		c := s.client(creds)
		defer c.Close()
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		err := c.Invoke(ctx, "/test.Echo/Echo", wrapperspb.Bytes(noise(3<<20)), &wrapperspb.BytesValue{})
		if status.Code(err) != codes.Unavailable || !strings.Contains(err.Error(), "no memory for more") || !strings.Contains(err.Error(), "ENHANCE_YOUR_CALM") {
			t.Errorf("the client heard: %v", err)
		}
		// The next call goes over a new connection.
		out := &wrapperspb.BytesValue{}
		if err := c.Invoke(ctx, "/test.Echo/Echo", wrapperspb.Bytes(noise(1000)), out, grpc.WaitForReady(true)); err != nil {
			t.Errorf("a smaller message: %v", err)
		}
	}
	check(nil, insecure.NewCredentials())
	check(server, credentials.NewTLS(client))
}

// TestUploadsAreGivenBack ends connections in the middle of messages, by the client and by the server, while one waits.
func TestUploadsAreGivenBack(t *testing.T) {
	defer noLeak(t)()
	budget := uploads(1<<20, time.Hour)
	s := serve(t, Options{GRPC: true, HTTP: true, Uploads: budget}, grpc.InitialWindowSize(4<<20), grpc.InitialConnWindowSize(1<<30))
	park := func(sent int) *hostile {
		h := s.hostile(nil)
		go func() {
			h.open(1, "Echo")
			h.begin(1, 3<<20, sent)
		}()
		return h
	}
	first := park(600 << 10)
	eventually(t, "the first is not counted", func() bool { return budget.Used() > 600<<10 })
	park(900 << 10)
	eventually(t, "the second does not wait", func() bool { return budget.Waiting() == 1 })
	first.Close()
	eventually(t, "the second does not get what the first had", func() bool {
		return budget.Waiting() == 0 && budget.Used() > 900<<10 && budget.Used() < 1000<<10
	})
	park(600 << 10)
	eventually(t, "the third does not wait", func() bool { return budget.Waiting() == 1 })
	s.stop()
	eventually(t, "the budget is not given back", func() bool { return budget.Used() == 0 && budget.Waiting() == 0 })
}

// TestServerEndedStreamsAreForgotten has a client that never ends its side, nor reads.
func TestServerEndedStreamsAreForgotten(t *testing.T) {
	budget := uploads(8<<20, time.Hour)
	s := serve(t, Options{GRPC: true, Uploads: budget}, grpc.InitialWindowSize(1<<20), grpc.InitialConnWindowSize(1<<30))
	h := s.hostile(nil)
	for i := range uint32(2500) { // more than a client may have open
		if err := errors.Join(h.open(2*i+1, "Refuse"), h.framer.WriteData(2*i+1, false, []byte("\x00\x00\x00\x00\x00and the next one\x00"))); err != nil {
			t.Fatalf("stream %d: %v", i, err)
		}
		// At its own pace, so that the server's answers come between.
		if i%100 == 99 {
			eventually(t, "what is parked on ended streams is still counted", func() bool { return budget.Used() == 0 })
		}
	}
	if budget.Ended() != 0 {
		t.Errorf("%d connections were ended", budget.Ended())
	}
	h.Close()
}

// TestNonsenseAfterThePreface leaves the word to grpc-go, which closes.
func TestNonsenseAfterThePreface(t *testing.T) {
	defer noLeak(t)()
	budget := uploads(1<<20, time.Hour)
	s := serve(t, Options{GRPC: true, Uploads: budget})
	for _, text := range []string{
		"\xff\xff\xff\xff\xff\xff\xff\xff\xff",
		"\x00\x00\x00\x04\x00\x00\x00\x00\x00" + "\x00\x00\x03\x00\x00\x00\x00\x00\x00abc",               // DATA on stream 0
		"\x00\x00\x00\x04\x00\x00\x00\x00\x00" + "\x00\x00\x02\x00\x08\x00\x00\x00\x01\xffa",             // padding longer than the frame
		"\x00\x00\x00\x04\x00\x00\x00\x00\x00" + "\x00\x00\x01\x03\x00\x00\x00\x00\x01a",                 // a short RST_STREAM
		"\x00\x00\x00\x04\x00\x00\x00\x00\x00" + "\xff\xff\xff\x00\x00\x00\x00\x00\x01" + "so much more", // far too long
	} {
		c := s.dial()
		c.Write(append(append([]byte(nil), preface...), text...))
		if _, err := io.Copy(io.Discard, c); errors.Is(err, context.DeadlineExceeded) || isTimeout(err) {
			t.Errorf("%q: the connection was not closed", text)
		}
		c.Close()
	}
	s.stop()
	if budget.Used() != 0 {
		t.Errorf("%d bytes are taken", budget.Used())
	}
}

func isTimeout(err error) bool {
	var n net.Error
	return errors.As(err, &n) && n.Timeout()
}
