package ws

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"math"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"clipd/frontend/jina"
	"clipd/frontend/jina/pb"
)

// TestBadMessages sends what is no request, and sees the end that says why. (Too large is 1011 to a client of binary
// messages; endingOf says why.)
func TestBadMessages(t *testing.T) {
	s := start(t, hashModel{}, Options{Prefetch: 4, MaxMessage: 1000, MaxDocuments: 5})
	check := func(line string, op ws.OpCode, payload string, code ws.StatusCode, reason string) {
		t.Helper()
		c := dial(t, s.address, "/", line)
		c.send(op, []byte(payload))
		c.closed(code, reason)
	}
	check(binary, ws.OpBinary, "", ws.StatusInvalidFramePayloadData, "empty message")
	check(binary, ws.OpBinary, "hello", ws.StatusInvalidFramePayloadData, "DataRequestProto")
	check(binary, ws.OpBinary, "\x00\x00", ws.StatusInvalidFramePayloadData, "DataRequestProto")
	check(binary, ws.OpText, "hello", ws.StatusUnsupportedData, "text message in the subprotocol bytes")
	check(binary, ws.OpText, "\x00", ws.StatusUnsupportedData, "text message in the subprotocol bytes")
	check(binary, ws.OpBinary, strings.Repeat("x", 1001), ws.StatusInternalServerError, "1001 bytes or more; at most 1000")
	check(text, ws.OpText, strings.Repeat("x", 1001), ws.StatusMessageTooBig, "1001 bytes or more; at most 1000")
	check(text, ws.OpBinary, "{}", ws.StatusUnsupportedData, "binary message")
}

// TestBadRequestsInJSON sends JSON that is no request, after which a good one is answered.
func TestBadRequestsInJSON(t *testing.T) {
	s := start(t, hashModel{}, Options{Prefetch: 4, MaxDocuments: 3})
	check := func(message string, words ...string) {
		t.Helper()
		c := dial(t, s.address, "/", text)
		c.send(ws.OpText, []byte(message))
		a := recorded{"text", c.next().Payload}
		if !a.failed(t) {
			t.Errorf("%s: answer %.300s", message, a.payload)
		}
		for _, w := range words {
			if !strings.Contains(string(a.payload), w) {
				t.Errorf("%s: answer %.300s does not say %q", message, a.payload, w)
			}
		}
		c.send(ws.OpText, []byte(`{"data":[{"text":"hi"}]}`))
		if a := (recorded{"text", c.next().Payload}); a.failed(t) {
			t.Errorf("after %s: answer %.300s", message, a.payload)
		}
		c.send(ws.OpText, []byte(" {\n} "))
		c.closed(ws.StatusNormalClosure, "")
	}
	check(`{"execEndpoint":"/"}`, "data")
	check(`{"data":[{"text":{}}]}`, "text")
	check(`{"data":[{"id":"p","blob":"a"}]}`, "blob", `\"p\"`)
	check(`{"data":[{},{},{},{}]}`, "more than 3")
	check(`{"data":[{"text":"a"}],"parameters":{"access_paths":"r"}}`, "access_paths")
	check(`[1]`)

	broken := func(message string, reason string) {
		t.Helper()
		c := dial(t, s.address, "/", text)
		c.send(ws.OpText, []byte(message))
		c.closed(ws.StatusInvalidFramePayloadData, reason)
	}
	broken(`{"data":`, "not JSON")
	broken(`nope`, "not JSON")
	broken("{\"a\":\"\xff\"}", "UTF-8")
}

// TestBrokenFrames sends what RFC 6455 does not allow.
func TestBrokenFrames(t *testing.T) {
	s := start(t, hashModel{}, Options{Prefetch: 4, MaxMessage: 1000})
	check := func(code ws.StatusCode, reason string, frames ...ws.Frame) {
		t.Helper()
		c := dial(t, s.address, "/", binary)
		for _, f := range frames {
			c.frame(f)
		}
		c.closed(code, reason)
	}
	raw := func(code ws.StatusCode, reason string, bytes string) {
		t.Helper()
		c := dial(t, s.address, "/", binary)
		io.WriteString(c.Conn, bytes)
		c.closed(code, reason)
	}
	raw(ws.StatusProtocolError, "masked", "\x82\x01\x00")
	raw(ws.StatusProtocolError, "op code", "GET / HTTP/1.1\r\n\r\n") // as a frame: 'G' has op code 7
	raw(ws.StatusProtocolError, "most significant bit", "\x82\xff\xff\xff\xff\xff\xff\xff\xff\xff\x00\x00\x00\x00")
	raw(ws.StatusInternalServerError, fmt.Sprintf("%d bytes", int64(math.MaxInt64)), "\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff\x00\x00\x00\x00")
	check(ws.StatusProtocolError, "op code", ws.NewFrame(0x3, true, nil))
	check(ws.StatusProtocolError, "op code", ws.NewFrame(0xb, true, nil))
	check(ws.StatusProtocolError, "rsv", ws.Frame{Header: ws.Header{Fin: true, Rsv: 4, OpCode: ws.OpBinary, Length: 1}, Payload: []byte{0}})
	check(ws.StatusProtocolError, "continuation", ws.NewFrame(ws.OpContinuation, true, []byte{0}))
	check(ws.StatusProtocolError, "non-continuation", ws.NewFrame(ws.OpBinary, false, []byte{0}), ws.NewFrame(ws.OpBinary, true, []byte{0}))
	check(ws.StatusProtocolError, "control frame", ws.NewFrame(ws.OpPing, true, make([]byte, 126)))
	check(ws.StatusProtocolError, "control frame", ws.NewFrame(ws.OpPing, false, nil))
	check(ws.StatusInternalServerError, "1200 bytes or more",
		ws.NewFrame(ws.OpBinary, false, make([]byte, 600)), ws.NewFrame(ws.OpContinuation, true, make([]byte, 600)))

	model := newGateModel()
	slow := start(t, model, Options{Prefetch: 4})
	c := dial(t, slow.address, "/", binary)
	c.request(textRequest("x"))
	c.end()
	c.request(textRequest("y"))
	c.send(ws.OpPing, nil)
	c.next() // the pong: all was read
	close(model.gate)
	c.answer()
	c.closed(ws.StatusPolicyViolation, "after the end of the input")
}

// TestCloseCodes leaves with codes of all kinds.
func TestCloseCodes(t *testing.T) {
	s := start(t, hashModel{}, Options{Prefetch: 4})
	check := func(payload []byte, want string) {
		t.Helper()
		c := dial(t, s.address, "/", binary)
		c.send(ws.OpClose, payload)
		if got := describe(c.next()); got != want {
			t.Errorf("%q was answered with %s, want %s", payload, got, want)
		}
		c.gone()
	}
	body := ws.NewCloseFrameBody
	check(nil, `a close frame of 0 ""`)
	check(body(1000, "bye"), `a close frame of 1000 ""`)
	check(body(3000, ""), `a close frame of 3000 ""`)
	check(body(4999, ""), `a close frame of 4999 ""`)
	for _, code := range []ws.StatusCode{0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535} {
		c := dial(t, s.address, "/", binary)
		c.send(ws.OpClose, body(code, ""))
		if got := describe(c.next()); !strings.HasPrefix(got, "a close frame of 1002 ") {
			t.Errorf("code %d was answered with %s", code, got)
		}
		c.gone()
	}
	check([]byte{3}, `a close frame of 1002 "a close frame has either no payload or a code of two bytes"`)
	check(body(1000, "\xff"), `a close frame of 1007 "the reason of the close frame is not UTF-8"`)
}

// TestBadPictureFailsAlone sends a broken picture among 100 good ones, between two good requests.
func TestBadPictureFailsAlone(t *testing.T) {
	s := start(t, hashModel{}, Options{Prefetch: 10})
	pictures := make([][]byte, 100)
	for i := range pictures {
		pictures[i] = jpeg(100)
	}
	good := pictureRequest(pictures...)
	pictures[57] = []byte("not an image")
	bad := pictureRequest(pictures...)

	c := dial(t, s.address, "/", binary)
	c.request(good)
	c.request(bad)
	c.request(textRequest("x"))
	c.end()
	for range 3 {
		a := c.answer()
		if a.Header.RequestId != bad.Header.RequestId {
			if a.Header.Status != nil {
				t.Errorf("a good request failed: %v", a.Header.Status)
			}
			continue
		}
		if d := a.Header.GetStatus().GetDescription(); !strings.Contains(d, "57") || !strings.Contains(d, "p57") {
			t.Errorf("the bad request was answered with %q", d)
		}
	}
	c.closed(ws.StatusNormalClosure, "")

	// The same in JSON.
	j := dial(t, s.address, "/", text)
	var docs []string
	for i, p := range pictures {
		docs = append(docs, fmt.Sprintf(`{"id":"p%d","blob":%q}`, i, base64.StdEncoding.EncodeToString(p)))
	}
	j.send(ws.OpText, []byte(`{"data":[`+strings.Join(docs, ",")+`]}`))
	if a := (recorded{"text", j.next().Payload}); !a.failed(t) || !bytes.Contains(a.payload, []byte("document 57")) || !bytes.Contains(a.payload, []byte("p57")) {
		t.Errorf("answer %.400s", a.payload)
	}
	j.send(ws.OpText, []byte(`{}`))
	j.closed(ws.StatusNormalClosure, "")
}

// TestWrongRequestsAreAnswered sends requests whose mistakes lie in what they ask for.
func TestWrongRequestsAreAnswered(t *testing.T) {
	s := start(t, hashModel{}, Options{Prefetch: 10, MaxDocuments: 3})
	c := dial(t, s.address, "/", binary)
	check := func(words string, change func(r *pb.DataRequestProto)) {
		t.Helper()
		r := textRequest("x")
		change(r)
		c.request(r)
		a := c.answer()
		if d := a.Header.GetStatus().GetDescription(); !strings.Contains(d, words) || a.Header.RequestId != r.Header.RequestId {
			t.Errorf("got %q, want %q; id %s", d, words, a.Header.RequestId)
		}
	}
	check("docs_bytes", func(r *pb.DataRequestProto) {
		r.Data.Documents = &pb.DataRequestProto_DataContentProto_DocsBytes{DocsBytes: []byte{1}}
	})
	check("target_executor", func(r *pb.DataRequestProto) { r.Header.TargetExecutor = proto.String("(") })
	check("at most 3 are allowed", func(r *pb.DataRequestProto) {
		for range 3 {
			r.Data.GetDocs().Docs = append(r.Data.GetDocs().Docs, &pb.DocumentProto{Id: jina.NewID()})
		}
	})
	c.end()
	c.closed(ws.StatusNormalClosure, "")
}

// TestHeapComesBack sends bad input of every kind, many times, and sees the memory come back.
func TestHeapComesBack(t *testing.T) {
	s := start(t, hashModel{}, Options{Prefetch: 4})
	round := func() {
		for _, payload := range [][]byte{nil, []byte("hello"), make([]byte, 3<<20)} {
			c := dial(t, s.address, "/", binary)
			c.send(ws.OpBinary, payload)
			c.closed(ws.StatusInvalidFramePayloadData, "")
			c.Close()
		}
		c := dial(t, s.address, "/", binary)
		c.frame(ws.NewFrame(ws.OpBinary, false, make([]byte, 3<<20)))
		c.Close() // in the middle of a message
		c = dial(t, s.address, "/", binary)
		ws.WriteHeader(c.Conn, ws.Header{Fin: true, OpCode: ws.OpBinary, Masked: true, Length: 900 << 20})
		c.Write(make([]byte, 100))
		c.Close() // in the middle of a frame
		eventually(t, "all connections have ended", s.idle)
	}
	round()
	before := heap()
	for range 20 {
		round()
	}
	if after := heap(); after > before+2<<20 {
		t.Errorf("the heap grew from %d to %d bytes", before, after)
	}
}

// heap is what is in use after a garbage collection, bytes.
func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	time.Sleep(time.Millisecond)
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// allocated is what has been allocated since the start, bytes.
func allocated() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}

// TestManyTinyDocuments sends documents of two bytes, which would be hundreds each in memory.
func TestManyTinyDocuments(t *testing.T) {
	s := start(t, hashModel{}, Options{Prefetch: 4, MaxDocuments: 1000})
	docs := bytes.Repeat([]byte{0x0a, 0x00}, 1<<20)
	list := append(protowire.AppendVarint([]byte{0x0a}, uint64(len(docs))), docs...)
	body := append([]byte{0x0a, 0x03, 0x0a, 0x01, 'r'}, append(protowire.AppendVarint([]byte{0x22}, uint64(len(list))), list...)...)
	before := allocated()
	c := dial(t, s.address, "/", binary)
	c.send(ws.OpBinary, body)
	a := c.answer()
	if d := a.Header.GetStatus().GetDescription(); a.Header.RequestId != "r" || !strings.Contains(d, "1048576 documents") {
		t.Errorf("request %q: %q", a.Header.RequestId, d)
	}
	if used := allocated() - before; used > 8*uint64(len(body)) {
		t.Errorf("%d bytes were allocated for a message of %d", used, len(body))
	}
	c.end()
	c.closed(ws.StatusNormalClosure, "")
}
