package ws

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"google.golang.org/protobuf/proto"

	"clipd/frontend/jina"
	"clipd/frontend/jina/pb"
)

// client is a WebSocket client that can also misbehave.
type client struct {
	t testing.TB
	net.Conn
	in       *bufio.Reader
	response *http.Response
}

// handshake sends an upgrade request with header lines beside the usual ones, and returns whatever is answered.
func handshake(t testing.TB, address, path string, lines ...string) *client {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return upgrade(t, conn, address, path, lines...)
}

// upgrade is handshake over a connection that is there.
func upgrade(t testing.TB, conn net.Conn, address, path string, lines ...string) *client {
	t.Helper()
	conn.SetDeadline(time.Now().Add(time.Minute))
	request := "GET " + path + " HTTP/1.1\r\nHost: " + address + "\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n" +
		"Sec-WebSocket-Key: q29RvbTRNTGeBqNHlpQV+Q==\r\nSec-WebSocket-Version: 13\r\n" + strings.Join(append(lines, "\r\n"), "\r\n")
	request = strings.Replace(request, "\r\n\r\n\r\n", "\r\n\r\n", 1)
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	c := &client{t: t, Conn: conn, in: bufio.NewReader(conn)}
	var err error
	if c.response, err = http.ReadResponse(c.in, nil); err != nil {
		t.Fatal(err)
	}
	return c
}

// dial opens a WebSocket.
func dial(t testing.TB, address, path string, lines ...string) *client {
	t.Helper()
	c := handshake(t, address, path, lines...)
	if c.response.StatusCode != http.StatusSwitchingProtocols {
		body, _ := io.ReadAll(c.response.Body)
		t.Fatalf("status %d: %s", c.response.StatusCode, body)
	}
	if got := c.response.Header.Get("Sec-WebSocket-Accept"); got != "FkQduMqyAP7+RK5Pn/grE+YNbeY=" { // as captured
		t.Errorf("Sec-WebSocket-Accept: %s", got)
	}
	return c
}

// binary and text are the lines that choose the form of messages.
const (
	binary = "Sec-WebSocket-Protocol: bytes"
	text   = "Sec-WebSocket-Protocol: json"
)

// send sends a whole message.
func (c *client) send(op ws.OpCode, payload []byte) {
	c.t.Helper()
	c.frame(ws.NewFrame(op, true, payload))
}

// frame sends a frame, masked.
func (c *client) frame(f ws.Frame) {
	c.t.Helper()
	if err := ws.WriteFrame(c.Conn, ws.MaskFrame(f)); err != nil {
		c.t.Fatal(err)
	}
}

// request sends a request in binary form.
func (c *client) request(r *pb.DataRequestProto) {
	c.t.Helper()
	body, err := proto.Marshal(r)
	if err != nil {
		c.t.Fatal(err)
	}
	c.send(ws.OpBinary, body)
}

// end sends the end of the input in binary form.
func (c *client) end() { c.send(ws.OpBinary, []byte{0}) }

// next receives a frame that is no ping.
func (c *client) next() ws.Frame {
	c.t.Helper()
	for {
		f, err := c.read()
		if err != nil {
			c.t.Fatal(err)
		}
		if f.Header.OpCode != ws.OpPing {
			return f
		}
	}
}

func (c *client) read() (ws.Frame, error) {
	h, err := ws.ReadHeader(c.in)
	if err != nil {
		return ws.Frame{}, err
	}
	f := ws.Frame{Header: h, Payload: make([]byte, h.Length)}
	_, err = io.ReadFull(c.in, f.Payload)
	return f, err
}

// answer receives an answer in binary form.
func (c *client) answer() *pb.DataRequestProto {
	c.t.Helper()
	f := c.next()
	if f.Header.OpCode != ws.OpBinary {
		c.t.Fatalf("got %s, want an answer", describe(f))
	}
	a := &pb.DataRequestProto{}
	if err := proto.Unmarshal(f.Payload, a); err != nil {
		c.t.Fatal(err)
	}
	return a
}

// closed receives the close frame, answers it, and sees the end of the connection.
func (c *client) closed(code ws.StatusCode, reason string) {
	c.t.Helper()
	f := c.next()
	if f.Header.OpCode != ws.OpClose {
		c.t.Fatalf("got %s, want a close frame of %d", describe(f), code)
	}
	got, why := ws.ParseCloseFrameData(f.Payload)
	if got != code || !strings.Contains(why, reason) {
		c.t.Errorf("closed with %d %q, want %d and the words %q", got, why, code, reason)
	}
	if code == ws.StatusNormalClosure && why != "" {
		c.t.Errorf("the normal end has the reason %q", why)
	}
	ws.WriteFrame(c.Conn, ws.MaskFrame(ws.NewCloseFrame(f.Payload))) // the server may have left already
	c.gone()
	c.Close()
}

// gone sees the end of the connection.
func (c *client) gone() {
	c.t.Helper()
	if f, err := c.read(); err == nil {
		c.t.Errorf("after the end came %s", describe(f))
	} else if e, ok := err.(net.Error); ok && e.Timeout() {
		c.t.Error("the connection was not ended")
	}
}

func describe(f ws.Frame) string {
	if f.Header.OpCode == ws.OpClose {
		code, reason := ws.ParseCloseFrameData(f.Payload)
		return fmt.Sprintf("a close frame of %d %q", code, reason)
	}
	return fmt.Sprintf("a frame of op code %d: %.200q", f.Header.OpCode, f.Payload)
}

func textRequest(text string) *pb.DataRequestProto {
	return jina.NewRequest("/encode", []*pb.DocumentProto{{Id: jina.NewID(), Content: &pb.DocumentProto_Text{Text: text}}})
}

func pictureRequest(pictures ...[]byte) *pb.DataRequestProto {
	docs := make([]*pb.DocumentProto, len(pictures))
	for i, p := range pictures {
		docs[i] = &pb.DocumentProto{Id: fmt.Sprintf("p%d", i), Content: &pb.DocumentProto_Blob{Blob: p}}
	}
	return jina.NewRequest("/encode", docs)
}

// jpeg is size bytes that the model of the tests takes for a picture.
func jpeg(size int) []byte {
	b := make([]byte, size)
	copy(b, "\xff\xd8\xff")
	for i := 3; i < size; i++ {
		b[i] = byte(i * i >> 3)
	}
	return b
}
