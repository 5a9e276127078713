package door

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// alert is the answer to a TLS ClientHello on a port of plain text: a fatal alert, unexpected_message (RFC 8446,
// section 6), which every TLS library reports at once.
var alert = []byte{0x15, 3, 3, 0, 2, 2, 10}

// A refused peer has lingerTime to read the answer and stop sending; lingerBytes of what it still sends are read and
// dropped. Closing a socket that has unread bytes would reset the connection, and the answer with it.
const (
	lingerTime  = time.Second
	lingerBytes = 1 << 20
)

// maxTurnedAway bounds the connections over a limit that are told so at a time; more of them are just closed.
const maxTurnedAway = 64

// page is an answer in HTTP/1.1. Clients of HTTP/2 know it as well: grpc-go and gRPC's C core report at once that the
// server speaks HTTP/1.x, with UNAVAILABLE, and back off. The body has the form that clients of Jina look for.
// retryAfter is in seconds, "" for none; first is what the request begins with.
func page(status, text, retryAfter string, first []byte) []byte {
	var body struct {
		Detail string `json:"detail"`
		Header struct {
			Status struct {
				Code        int    `json:"code"` // 1 is Jina's ERROR
				Description string `json:"description"`
			} `json:"status"`
		} `json:"header"`
	}
	body.Detail = text
	body.Header.Status.Code, body.Header.Status.Description = 1, text
	b, err := json.Marshal(body)
	if err != nil {
		panic("BUG: a struct of strings has a JSON form: " + err.Error())
	}
	b = append(b, '\n')
	head := fmt.Sprintf("HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n", status, len(b))
	if retryAfter != "" {
		head += "Retry-After: " + retryAfter + "\r\n"
	}
	if len(first) >= 5 && string(first[:5]) == "HEAD " {
		b = nil // an answer to HEAD has no body, whatever its length says
	}
	return append([]byte(head+"\r\n"), b...)
}

// refuse sends the answer through w, which is c or TLS over it, and closes the connection once the peer has had the
// time to read it. No answer, it is closed at once.
func (d *Door) refuse(c *net.TCPConn, w net.Conn, answer []byte, why string) {
	d.o.Log.Debug().Stringer("remote", c.RemoteAddr()).Str("why", why).Msg("connection refused")
	if answer == nil {
		return
	}
	c.SetDeadline(time.Now().Add(lingerTime))
	if _, err := w.Write(answer); err != nil {
		return
	}
	if encrypted, ok := w.(interface{ CloseWrite() error }); ok && w != net.Conn(c) {
		encrypted.CloseWrite()
	}
	c.CloseWrite()
	io.Copy(io.Discard, io.LimitReader(c, lingerBytes))
}

type limit int

const (
	within limit = iota
	overMax
	overMaxPerAddress
)

// turnedAway is the state of refusals for a limit.
type turnedAway struct {
	slots chan struct{} // one for each refusal in progress

	mu    sync.Mutex
	since uint64    // refusals that no line of the log has told of
	last  time.Time // of that line
}

// warnEvery is how often the log tells of refused connections, at most.
const warnEvery = time.Minute

// turnAway ends a connection over a limit. In plain text it is told why, if it speaks within lingerTime and not too many
// are being told at the moment. A TLS handshake would cost more than the place that is missing, so there it is closed.
func (d *Door) turnAway(c *net.TCPConn, why limit) {
	d.warnTurnedAway(why)
	if d.o.TLS == nil {
		select {
		case d.turned.slots <- struct{}{}:
			if d.enter(c) {
				go func() {
					defer d.running.Done()
					d.explain(c, why)
					d.leave(c)
					c.Close()
					<-d.turned.slots
				}()
				return
			}
			<-d.turned.slots
		default:
		}
	}
	c.SetLinger(0) // no state remains in the system either
	c.Close()
}

// explain waits for the first bytes of a connection over a limit and answers in its protocol.
func (d *Door) explain(c *net.TCPConn, why limit) {
	c.SetDeadline(time.Now().Add(lingerTime))
	first := make([]byte, len(preface))
	n, err := c.Read(first)
	if err != nil || recognise(first[:n]) == tlsHello {
		return
	}
	answer := page("503 Service Unavailable", fmt.Sprintf("the server has as many connections as it takes (%d); try again later",
		d.o.Connections.Max), "1", first[:n])
	if why == overMaxPerAddress {
		answer = page("429 Too Many Requests", fmt.Sprintf("your address has as many connections as it may (%d); close some or try again later",
			d.o.Connections.MaxPerAddress), "1", first[:n])
	}
	d.refuse(c, c, answer, "over the limit of connections")
}

func (d *Door) warnTurnedAway(why limit) {
	t := &d.turned
	t.mu.Lock()
	t.since++
	count := t.since
	due := time.Since(t.last) >= warnEvery
	if due {
		t.since, t.last = 0, time.Now()
	}
	t.mu.Unlock()
	if !due {
		return
	}
	event := d.o.Log.Warn().Uint64("refused", count).Int("open", d.o.Connections.Open())
	if why == overMaxPerAddress {
		event = event.Int("max_per_address", d.o.Connections.MaxPerAddress)
	} else {
		event = event.Int("max", d.o.Connections.Max)
	}
	event.Msg("connections refused: as many are open as the limit allows")
}
