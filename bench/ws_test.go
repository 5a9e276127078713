package bench

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
	"google.golang.org/protobuf/proto"

	"clipd/frontend/jina/pb"
)

// serveWS answers each message by a script; a nil answer ends the connection. It returns how many were opened.
func serveWS(t *testing.T, answer func(op ws.OpCode, message []byte, send func(ws.OpCode, []byte)) bool) (string, *atomic.Int64) {
	opened := &atomic.Int64{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Refuse") != "" {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		offered := r.Header.Get("Sec-WebSocket-Protocol")
		upgrader := ws.HTTPUpgrader{Protocol: func(p string) bool { return p == offered }}
		conn, in, _, err := upgrader.Upgrade(r, w)
		if err != nil {
			return
		}
		defer conn.Close()
		opened.Add(1)
		for {
			message, op, err := wsutil.ReadClientData(struct {
				io.Reader
				io.Writer
			}{in, conn})
			if err != nil || !answer(op, message, func(op ws.OpCode, p []byte) { wsutil.WriteServerMessage(conn, op, p) }) {
				return
			}
		}
	}))
	t.Cleanup(s.Close)
	return "ws" + strings.TrimPrefix(s.URL, "http"), opened
}

// echo embeds binary messages.
func echo(t *testing.T) func(ws.OpCode, []byte, func(ws.OpCode, []byte)) bool {
	return func(op ws.OpCode, message []byte, send func(ws.OpCode, []byte)) bool {
		r := &pb.DataRequestProto{}
		if err := proto.Unmarshal(message, r); err != nil || op != ws.OpBinary {
			t.Errorf("a message of type %v: %v", op, err)
		}
		answer, err := proto.Marshal(embed(r))
		if err != nil {
			t.Error(err)
		}
		send(ws.OpPing, []byte("are you there?"))
		send(ws.OpBinary, answer)
		return true
	}
}

func TestWebSocket(t *testing.T) {
	address, opened := serveWS(t, echo(t))
	target, err := ParseTarget(address, TargetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	request, err := target.Encode(inputs)
	if err != nil {
		t.Fatal(err)
	}
	before := string(request)
	c, err := target.Dial()
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		want(t, c.Exchange(t.Context(), request, 2), "", false)
	}
	if err := c.Close(); err != nil || opened.Load() != 1 {
		t.Errorf("%v; %d connections were opened for five exchanges", err, opened.Load())
	}
	if string(request) != before {
		t.Error("sending changed the request, which is sent again later")
	}
}

func TestWebSocketJSON(t *testing.T) {
	address, _ := serveWS(t, func(op ws.OpCode, message []byte, send func(ws.OpCode, []byte)) bool {
		var r jsonRequest
		if err := json.Unmarshal(message, &r); err != nil || op != ws.OpText || len(r.Data) != 2 {
			t.Errorf("a message of type %v: %v", op, err)
		}
		send(ws.OpText, []byte(answered(2)))
		return true
	})
	want(t, meet(t, address, TargetOptions{JSON: true}, inputs), "", false)
}

func TestWebSocketErrors(t *testing.T) {
	check := func(code ws.StatusCode, text string, refused bool) {
		t.Helper()
		address, _ := serveWS(t, func(_ ws.OpCode, _ []byte, send func(ws.OpCode, []byte)) bool {
			send(ws.OpClose, ws.NewCloseFrameBody(code, "why"))
			return false
		})
		want(t, meet(t, address, TargetOptions{}, inputs), text, refused)
	}
	check(1013, "why", true)
	check(1011, "1011", false)
	address, _ := serveWS(t, echo(t))
	want(t, meet(t, address, TargetOptions{Headers: [][2]string{{"X-Refuse", "1"}}}, inputs), "not opened", true)
}

// A connection that broke is opened again for the next exchange.
func TestWebSocketOpensAgain(t *testing.T) {
	var messages atomic.Int64
	answer := echo(t)
	address, opened := serveWS(t, func(op ws.OpCode, message []byte, send func(ws.OpCode, []byte)) bool {
		if messages.Add(1) == 1 {
			return false
		}
		return answer(op, message, send)
	})
	target, err := ParseTarget(address, TargetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	request, _ := target.Encode(inputs)
	c, _ := target.Dial()
	defer c.Close()
	if err := c.Exchange(t.Context(), request, 2); err == nil {
		t.Error("an exchange on a connection that was cut ended well")
	}
	want(t, c.Exchange(t.Context(), request, 2), "", false)
	if opened.Load() != 2 {
		t.Errorf("%d connections were opened", opened.Load())
	}
}

func TestWebSocketExchangeEndsWithItsContext(t *testing.T) {
	heard, release := make(chan struct{}), make(chan struct{})
	defer close(release)
	address, _ := serveWS(t, func(ws.OpCode, []byte, func(ws.OpCode, []byte)) bool {
		close(heard)
		<-release
		return false
	})
	target, err := ParseTarget(address, TargetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	request, _ := target.Encode(inputs)
	c, _ := target.Dial()
	defer c.Close()
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-heard
		cancel()
	}()
	if err := c.Exchange(ctx, request, 2); err != context.Canceled {
		t.Errorf("%v; the context was cancelled", err)
	}
}
