package ws

import (
	"context"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"google.golang.org/protobuf/proto"

	"clipd/engine"
	"clipd/frontend/limit"
)

// countModel counts the requests that came to it.
type countModel struct{ came atomic.Int64 }

func (m *countModel) Embed(ctx context.Context, r engine.Request) (*engine.Embeddings, error) {
	m.came.Add(1)
	return hashModel{}.Embed(ctx, r)
}

// flood sends a message over and over, until the connection takes no more for a while or breaks, and returns how many it
// took.
func flood(t *testing.T, c *client, payload []byte) int64 {
	t.Helper()
	frame, err := ws.CompileFrame(ws.MaskFrame(ws.NewBinaryFrame(payload)))
	if err != nil {
		t.Fatal(err)
	}
	n := int64(0)
	for {
		c.SetWriteDeadline(time.Now().Add(time.Second))
		if _, err := c.Write(frame); err != nil {
			return n
		}
		n++
	}
}

// TestSlowReader shows that a client which sends and does not read is held back, with memory and work bounded.
func TestSlowReader(t *testing.T) {
	model := &countModel{}
	s := start(t, model, Options{Prefetch: 8})
	request := textRequest(string(make([]byte, 64<<10)))
	body, err := proto.Marshal(request)
	if err != nil {
		t.Fatal(err)
	}
	c := dial(t, s.address, "/", binary)
	before := heap()
	sent := flood(t, c, body)
	// What is on its way lies in the sockets' buffers; the kernel's limits for them are some MiB in each direction.
	const sockets = 64 << 20
	if bytes := sent * int64(len(body)); bytes > sockets {
		t.Errorf("the server took %d bytes", bytes)
	}
	if n := model.came.Load(); n > sent {
		t.Errorf("%d requests came of %d", n, sent)
	}
	if after := heap(); after > before+8*4*uint64(len(body)) {
		t.Errorf("the heap grew from %d to %d bytes with 8 requests of %d bytes in progress", before, after, len(body))
	}
	came := model.came.Load()
	time.Sleep(50 * time.Millisecond) // more would come at once
	if n := model.came.Load(); n != came {
		t.Errorf("%d more requests were worked on for a client that does not read", n-came)
	}
	// It goes on where it stopped when the client reads. A frame was cut off by the flood's end, hence no more is sent.
	for range came {
		c.answer()
	}
}

// TestWriteTimeout shows that a client which takes no answers loses its connection.
func TestWriteTimeout(t *testing.T) {
	s := start(t, hashModel{}, Options{Prefetch: 8, WriteTimeout: 100 * time.Millisecond})
	body, err := proto.Marshal(textRequest(string(make([]byte, 64<<10))))
	if err != nil {
		t.Fatal(err)
	}
	flood(t, dial(t, s.address, "/", binary), body)
	eventually(t, "the connection has ended", s.idle)
}

// TestBudgetHoldsBack shows that the requests of a connection wait for the bytes of its share, and that all is given
// back.
func TestBudgetHoldsBack(t *testing.T) {
	model := newGateModel()
	budget := limit.NewBytes(8 * 10_000) // a share is an eighth: one request of 6,000 bytes, not two
	s := start(t, model, Options{Prefetch: 100, Bytes: budget})
	c := dial(t, s.address, "/", binary)
	for range 5 {
		c.request(pictureRequest(jpeg(6000)))
	}
	c.end()
	eventually(t, "a request is in progress", func() bool { return model.inside.Load() == 1 })
	if used := budget.Used(); used < 6000 || used > 10_000 {
		t.Errorf("%d bytes of the budget are used", used)
	}
	close(model.gate)
	for range 5 {
		if a := c.answer(); a.Header.Status != nil {
			t.Error(a.Header.Status)
		}
	}
	c.closed(ws.StatusNormalClosure, "")
	if used := budget.Used(); used != 0 {
		t.Errorf("%d bytes of the budget were not given back", used)
	}
}

// TestBudgetIsNotForHeaders shows that the header of a large frame takes no more than a trusted piece of the budget.
func TestBudgetIsNotForHeaders(t *testing.T) {
	budget := limit.NewBytes(1 << 30)
	s := start(t, hashModel{}, Options{Prefetch: 4, Bytes: budget})
	before := heap()
	var clients []*client
	for range 20 {
		c := dial(t, s.address, "/", binary)
		if err := ws.WriteHeader(c.Conn, ws.Header{Fin: true, OpCode: ws.OpBinary, Masked: true, Length: 100 << 20}); err != nil {
			t.Fatal(err)
		}
		clients = append(clients, c)
	}
	eventually(t, "all frames have begun", func() bool { return budget.Used() == 20*trusted })
	if after := heap(); after > before+20*2*trusted {
		t.Errorf("the heap grew from %d to %d bytes", before, after)
	}
	for _, c := range clients {
		c.Close()
	}
	eventually(t, "the budget is back", func() bool { return budget.Used() == 0 })
}

// TestLargeMessage sends more than is trusted, in one frame and in many.
func TestLargeMessage(t *testing.T) {
	budget := limit.NewBytes(1 << 30)
	s := start(t, hashModel{}, Options{Prefetch: 2, Bytes: budget})
	r := pictureRequest(jpeg(5<<20), jpeg(300))
	body, err := proto.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	c := dial(t, s.address, "/", binary)
	c.send(ws.OpBinary, body)
	for rest, op := body, ws.OpBinary; len(rest) > 0; op = ws.OpContinuation {
		n := min(len(rest), 100_001)
		c.frame(ws.NewFrame(op, n == len(rest), rest[:n]))
		rest = rest[n:]
	}
	c.end()
	for range 2 {
		a := c.answer()
		docs := a.Data.GetDocs().GetDocs()
		if a.Header.Status != nil || len(docs) != 2 {
			t.Fatalf("%d documents, %v", len(docs), a.Header.Status)
		}
		for i, d := range docs {
			if string(d.GetBlob()) != string(r.Data.GetDocs().Docs[i].GetBlob()) || d.Embedding == nil {
				t.Errorf("document %d came back changed", i)
			}
		}
	}
	c.closed(ws.StatusNormalClosure, "")
}

// TestGoneClient shows that a client that goes away ends the work on its requests.
func TestGoneClient(t *testing.T) {
	check := func(how string, prefetch, requests, want int, leave func(c *client)) {
		t.Helper()
		model := newGateModel()
		s := start(t, model, Options{Prefetch: prefetch})
		c := dial(t, s.address, "/", binary)
		for range requests {
			c.request(textRequest("x"))
		}
		eventually(t, how+": requests in progress", func() bool { return int(model.inside.Load()) == want })
		leave(c)
		eventually(t, how+": nothing in progress", func() bool { return model.inside.Load() == 0 })
		eventually(t, how+": the connection has ended", s.idle)
		if n := int(model.came.Load()); n != want {
			t.Errorf("%s: %d requests were worked on, want %d", how, n, want)
		}
	}
	reset := func(c *client) {
		c.Conn.(*net.TCPConn).SetLinger(0)
		c.Close()
	}
	check("end of data", 10, 5, 5, func(c *client) { c.Close() })
	check("reset", 10, 5, 5, reset)
	check("close frame", 10, 5, 5, func(c *client) { c.send(ws.OpClose, nil) })
	check("after the end of its input", 10, 5, 5, func(c *client) { c.end(); c.Close() })
	// The server reads nothing now: the end lies behind what was sent before.
	check("held back, end of data", 3, 10, 3, func(c *client) { c.Close() })
	check("held back, reset", 3, 10, 3, reset)
	body, err := proto.Marshal(textRequest(string(make([]byte, 64<<10))))
	if err != nil {
		t.Fatal(err)
	}
	check("held back, end of data behind full buffers", 3, 3, 3, func(c *client) {
		flood(t, c, body)
		c.Close()
	})
}
