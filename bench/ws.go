package bench

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
)

// wsTarget speaks Jina's protocol over WebSocket: protobuf in binary messages as clip_client sends it, or JSON in text
// messages.
type wsTarget struct {
	url    *url.URL
	host   string
	tls    *tls.Config
	header http.Header
	json   bool
}

func (t *wsTarget) Encode(items []Item) ([]byte, error) {
	if t.json {
		return encodeJSON(items)
	}
	return encodeProto(items)
}

func (t *wsTarget) Mixed() bool { return true }

func (t *wsTarget) Dial() (Conn, error) { return &wsConn{target: t}, nil }

// wsConn keeps its connection open between exchanges, one at a time. The input never ends, so the server does not close.
type wsConn struct {
	target *wsTarget
	socket net.Conn
	in     io.Reader
}

func (c *wsConn) Streams() int { return 1 }

func (c *wsConn) Close() error {
	if c.socket == nil {
		return nil
	}
	c.socket.SetWriteDeadline(time.Now().Add(time.Second))
	wsutil.WriteClientMessage(c.socket, ws.OpClose, ws.NewCloseFrameBody(ws.StatusNormalClosure, ""))
	return c.drop()
}

func (c *wsConn) drop() error {
	socket := c.socket
	c.socket, c.in = nil, nil
	return socket.Close()
}

func (c *wsConn) open(ctx context.Context) error {
	at := *c.target.url
	at.Scheme, at.Host = "ws", c.target.host
	if c.target.tls != nil {
		at.Scheme = "wss"
	}
	if at.Path == "" {
		at.Path = "/"
	}
	protocol := "bytes"
	if c.target.json {
		protocol = "json"
	}
	dialer := ws.Dialer{Protocols: []string{protocol}, Header: ws.HandshakeHeaderHTTP(c.target.header), TLSConfig: c.target.tls}
	status := 0
	dialer.OnStatusError = func(code int, _ []byte, _ io.Reader) { status = code }
	socket, early, _, err := dialer.Dial(ctx, at.String())
	if err != nil {
		if status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable {
			return refused("the WebSocket was not opened: %v", err)
		}
		return fmt.Errorf("cannot open a WebSocket: %w", err)
	}
	if early != nil { // bytes that came together with the handshake
		c.in = early
	} else {
		c.in = bufio.NewReaderSize(socket, 64<<10)
	}
	c.socket = socket
	return nil
}

func (c *wsConn) Exchange(ctx context.Context, request []byte, items int) error {
	if c.socket == nil {
		if err := c.open(ctx); err != nil {
			return err
		}
	}
	c.socket.SetDeadline(deadline(ctx))
	socket := c.socket
	stop := context.AfterFunc(ctx, func() { socket.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	answer, err := c.roundTrip(request)
	if err != nil {
		c.drop()
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return err
	}
	if c.target.json {
		return checkJSON(answer, items)
	}
	return checkProto(answer, items)
}

func (c *wsConn) roundTrip(request []byte) ([]byte, error) {
	op := ws.OpBinary
	if c.target.json {
		op = ws.OpText
	}
	// The library masks a message in place unless it copies it; the request is sent again later, so it must.
	if err := wsutil.WriteClientMessage(c.socket, op, request); err != nil {
		return nil, err
	}
	return c.read()
}

// read returns the next message and answers pings before it. The library's own reader takes no close code that RFC 6455 does
// not list, and 1013 (try again later) came later.
func (c *wsConn) read() ([]byte, error) {
	in := &wsutil.Reader{Source: c.in, State: ws.StateClientSide}
	in.OnIntermediate = c.control
	for {
		header, err := in.NextFrame()
		if err != nil {
			return nil, err
		}
		if header.OpCode.IsControl() {
			if err := c.control(header, in); err != nil {
				return nil, err
			}
			continue
		}
		return io.ReadAll(in)
	}
}

// control answers a ping, or returns how the server closed.
func (c *wsConn) control(header ws.Header, in io.Reader) error {
	payload, err := io.ReadAll(io.LimitReader(in, ws.MaxControlFramePayloadSize))
	if err != nil {
		return err
	}
	switch header.OpCode {
	case ws.OpPing:
		return wsutil.WriteClientMessage(c.socket, ws.OpPong, payload)
	case ws.OpClose:
		code, reason := ws.ParseCloseFrameData(payload)
		if code == tryAgainLater {
			return refused("the server closed: %s", reason)
		}
		return fmt.Errorf("the server closed with code %d: %s", code, reason)
	}
	return nil
}

// tryAgainLater is the close code of a server that has no room now.
const tryAgainLater = 1013
