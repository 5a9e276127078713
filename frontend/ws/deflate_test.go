package ws

import (
	"bytes"
	"strings"
	"testing"

	"github.com/coder/websocket"
	"github.com/gobwas/ws"
	"google.golang.org/protobuf/proto"

	"clipd/frontend/limit"
)

func TestNegotiateDeflate(t *testing.T) {
	const whole = "permessage-deflate;server_no_context_takeover;client_no_context_takeover"
	check := func(want string, lines ...string) {
		t.Helper()
		var all [][]byte
		for _, l := range lines {
			all = append(all, []byte(l))
		}
		if got := strings.ReplaceAll(negotiateDeflate(all), " ", ""); got != want {
			t.Errorf("%q: got %q, want %q", lines, got, want)
		}
	}
	check("")
	check("", "")
	check("", "x-webkit-deflate-frame")
	check(whole, "permessage-deflate")
	check(whole, "permessage-deflate; client_max_window_bits") // browsers
	check(whole, "permessage-deflate; client_max_window_bits=10")
	check(whole+";server_max_window_bits=15", "permessage-deflate; server_max_window_bits=15")
	check("", "permessage-deflate; server_max_window_bits=10")
	check(whole, "permessage-deflate; server_max_window_bits=10, permessage-deflate")
	check(whole, "foo; a=\"b, c\"", "permessage-deflate")
	check("", "permessage-deflate; nonsense")
	check("", "permessage-deflate; server_max_window_bits")
	check("", ";;,=")
}

func TestInflate(t *testing.T) {
	any := func(int64) error { return nil }
	for _, size := range []int{0, 1, 5, 1000, 100_000} {
		plain := bytes.Repeat([]byte("abcde"), size/5+1)[:size]
		small, err := appendDeflated(nil, plain)
		if err != nil {
			t.Fatal(err)
		}
		got, err := inflate(small, int64(size), any)
		if err != nil || !bytes.Equal(got, plain) {
			t.Errorf("%d bytes: %d came back, %v", size, len(got), err)
		}
		if size > 0 {
			if _, err := inflate(small, int64(size-1), any); err != errInflated {
				t.Errorf("%d bytes with a limit of one less: %v", size, err)
			}
		}
	}
	for _, bad := range []string{"\xff\xff", "hello", "\x01\x00\x00\xff\xff more"} {
		if got, err := inflate([]byte(bad), 1000, any); err == nil {
			t.Errorf("%q became %q", bad, got)
		}
	}
}

// TestCompressed speaks through a library that compresses, and keeps its window when it may.
func TestCompressed(t *testing.T) {
	s := start(t, hashModel{}, Options{Prefetch: 4})
	for _, mode := range []websocket.CompressionMode{websocket.CompressionNoContextTakeover, websocket.CompressionContextTakeover} {
		for _, protocol := range []string{"json", "bytes"} {
			c, response, err := websocket.Dial(t.Context(), "ws://"+s.address+"/",
				&websocket.DialOptions{Subprotocols: []string{protocol}, CompressionMode: mode, CompressionThreshold: 1})
			if err != nil {
				t.Fatal(err)
			}
			if got := response.Header.Get("Sec-WebSocket-Extensions"); !strings.HasPrefix(got, "permessage-deflate") {
				t.Errorf("extensions %q", got)
			}
			c.SetReadLimit(1 << 20)
			for range 3 {
				message, kind := []byte(`{"data":[{"text":"`+strings.Repeat("long ", 1000)+`"}]}`), websocket.MessageText
				if protocol == "bytes" {
					kind = websocket.MessageBinary
					if message, err = proto.Marshal(textRequest(strings.Repeat("long ", 1000))); err != nil {
						t.Fatal(err)
					}
				}
				if err := c.Write(t.Context(), kind, message); err != nil {
					t.Fatal(err)
				}
				_, got, err := c.Read(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if a := (recorded{map[string]string{"json": "text", "bytes": "binary"}[protocol], got}); a.failed(t) || len(got) < 5000 {
					t.Errorf("answer %.300q", got)
				}
			}
			end, kind := []byte("{}"), websocket.MessageText
			if protocol == "bytes" {
				end, kind = []byte{0}, websocket.MessageBinary
			}
			if err := c.Write(t.Context(), kind, end); err != nil {
				t.Fatal(err)
			}
			if _, _, err := c.Read(t.Context()); websocket.CloseStatus(err) != websocket.StatusNormalClosure {
				t.Error(err)
			}
		}
	}
}

const deflate = "Sec-WebSocket-Extensions: permessage-deflate"

// compressed sends a message compressed.
func (c *client) compressed(op ws.OpCode, small []byte) {
	c.t.Helper()
	c.frame(ws.Frame{Header: ws.Header{Fin: true, Rsv: 4, OpCode: op, Length: int64(len(small))}, Payload: small})
}

// TestBombs sends little that becomes much.
func TestBombs(t *testing.T) {
	bomb, err := appendDeflated(nil, make([]byte, 200<<20))
	if err != nil {
		t.Fatal(err)
	}
	if len(bomb) > 2<<20 {
		t.Fatalf("the bomb has %d bytes", len(bomb))
	}
	check := func(code ws.StatusCode, reason string, o Options, most uint64) {
		t.Helper()
		o.Prefetch = 4
		s := start(t, hashModel{}, o)
		before := allocated()
		c := dial(t, s.address, "/", binary, deflate)
		c.compressed(ws.OpBinary, bomb)
		c.closed(code, reason)
		if used := allocated() - before; used > most {
			t.Errorf("%d bytes were allocated, want %d at most", used, most)
		}
		if o.Bytes.Used() != 0 {
			t.Errorf("%d bytes of the budget were not given back", o.Bytes.Used())
		}
	}
	// Buffers grow by doubling: all of them together are twice the last one, which may be twice the limit.
	const limitBytes = 8 << 20
	check(ws.StatusInternalServerError, "8388609 bytes or more", Options{MaxMessage: limitBytes}, 5*limitBytes)
	check(ws.StatusInternalServerError, "max_inflight_bytes", Options{Bytes: limit.NewBytes(limitBytes)}, 5*limitBytes)

	s := start(t, hashModel{}, Options{Prefetch: 4})
	c := dial(t, s.address, "/", binary, deflate)
	c.compressed(ws.OpBinary, []byte("\xff\xff"))
	c.closed(ws.StatusInvalidFramePayloadData, "DEFLATE")
	// The bit of compression belongs on the first frame of a message alone, and nowhere when it was not agreed on.
	c = dial(t, s.address, "/", binary, deflate)
	c.compressed(ws.OpPing, nil)
	c.closed(ws.StatusProtocolError, "compression bit")
	c = dial(t, s.address, "/", binary)
	c.compressed(ws.OpBinary, []byte{0})
	c.closed(ws.StatusProtocolError, "rsv")
	// A compressed end of the input, and a compressed empty message.
	one, err := appendDeflated(nil, []byte{0})
	if err != nil {
		t.Fatal(err)
	}
	c = dial(t, s.address, "/", binary, deflate)
	c.compressed(ws.OpBinary, one)
	c.closed(ws.StatusNormalClosure, "")
	c = dial(t, s.address, "/", binary, deflate)
	c.compressed(ws.OpBinary, []byte{0})
	c.closed(ws.StatusInvalidFramePayloadData, "empty message")
}
