package jina

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"clipd/frontend/jina/pb"
	"clipd/frontend/limit"
)

func packedBy(t *testing.T, c *compressor, message []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	z, err := c.Compress(&out)
	if err != nil {
		t.Fatal(err)
	}
	z.Write(message)
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// gRPC hands on what it did not unpack, marked, and the mark is no message.
func TestMarks(t *testing.T) {
	for _, c := range compressors {
		message := []byte(strings.Repeat("what was sent ", 1000))
		packed := packedBy(t, c, message)
		r, err := c.Decompress(bytes.NewReader(packed))
		if err != nil {
			t.Fatal(err)
		}
		marked, _ := io.ReadAll(r)
		if _, err := weigh(marked, requestKind); err == nil {
			t.Error(c.name, "a marked message can be one that was sent")
		}
		got, coding := unmark(marked)
		if !bytes.Equal(got, packed) || coding != c {
			t.Error(c.name, "the mark was not found")
		}
		for most := range map[int64]bool{int64(len(message)): true, int64(len(message)) - 1: true, 1: true} {
			var asked int64
			plain, err := c.unpack(packed, most, func(n int64) error { asked = n; return nil })
			if whole := most == int64(len(message)); whole != bytes.Equal(plain, message) || whole != (err == nil) || asked > most {
				t.Errorf("%s, at most %d: %d bytes, %v; asked for %d", c.name, most, len(plain), err, asked)
			}
		}
		for _, broken := range [][]byte{nil, packed[:1], packed[:len(packed)/2], packed[:len(packed)-1], []byte("nothing of the kind")} {
			if plain, err := c.unpack(broken, 1<<20, func(int64) error { return nil }); err == nil {
				t.Errorf("%s: %q became %d bytes", c.name, broken[:min(len(broken), 20)], len(plain))
			}
		}
	}
	for _, plain := range []string{"", "\x00", "\x00gzip", "\x00lzma\x00x", "\x0a\x00"} {
		if got, coding := unmark([]byte(plain)); string(got) != plain || coding != nil {
			t.Errorf("%q is taken for %v", plain, coding)
		}
	}
}

// Compressed messages take of the budget what they are when they are unpacked, before they are unpacked: many at a time
// are no more than the budget has.
func TestCompressedMessagesTakeOfTheBudget(t *testing.T) {
	const limitBytes, message = 16 << 20, 4 << 20
	budget := limit.NewBytes(limitBytes)
	model := &gateModel{gate: make(chan struct{})}
	server := startTest(t, GatewayOptions{}, model, "clip", Options{Bytes: budget, MaxMessage: message + 1000})
	conn := server.dial(t)
	request := textRequest(strings.Repeat("a", message))
	var wg sync.WaitGroup
	var mu sync.Mutex
	refused, ended := 0, 0
	for range 20 {
		wg.Go(func() {
			_, err := pb.NewJinaSingleDataRequestRPCClient(conn).ProcessSingleData(t.Context(), request, grpc.UseCompressor("gzip"))
			mu.Lock()
			defer mu.Unlock()
			ended++
			if status.Code(err) == codes.ResourceExhausted && strings.Contains(err.Error(), "max_inflight_bytes") {
				refused++
			} else if err != nil {
				t.Error(err)
			}
		})
	}
	eventually(t, "those for whom there is no room have been refused", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return ended+int(model.inside.Load()) == 20
	})
	if n := int64(model.inside.Load()); n == 0 || n*message > limitBytes || budget.Used() < n*message {
		t.Errorf("%d requests are in progress, and hold %d of the %d bytes", n, budget.Used(), limitBytes)
	}
	close(model.gate)
	wg.Wait()
	if refused == 0 {
		t.Error("nobody was refused")
	}
	eventually(t, "everything is given back", func() bool { return budget.Used() == 0 })
}

// A stream whose requests are larger than its share of the budget does not wait for itself, and is not refused for what
// it sent itself.
func TestCompressedStream(t *testing.T) {
	budget := limit.NewBytes(16 << 20)
	server := startTest(t, GatewayOptions{}, hashModel{}, "clip", Options{Bytes: budget, MaxMessage: 8 << 20})
	stream, err := pb.NewJinaRPCClient(server.dial(t)).Call(t.Context(), grpc.UseCompressor("deflate"))
	if err != nil {
		t.Fatal(err)
	}
	const n = 6
	go func() {
		for i := range n {
			stream.Send(textRequest(strings.Repeat(fmt.Sprint(i), 3<<20)))
		}
		stream.CloseSend()
	}()
	for range n {
		a, err := stream.Recv()
		if err != nil || a.Header.Status != nil {
			t.Fatal(err, a.GetHeader().GetStatus())
		}
	}
	if _, err := stream.Recv(); err != io.EOF {
		t.Error(err)
	}
	eventually(t, "everything is given back", func() bool { return budget.Used() == 0 })
}
