package ws

import (
	"bytes"
	"io"
	"net"
	"testing"

	"github.com/gobwas/ws"
	"github.com/rs/zerolog"

	"clipd/frontend/fetch"
	"clipd/frontend/jina"
	"clipd/frontend/limit"
)

// FuzzServe sends arbitrary bytes as frames. Whatever they are, the connection ends when the client has left, gives all
// that it held back, and takes no more memory than its limits allow.
func FuzzServe(f *testing.F) {
	frame := func(fr ws.Frame) []byte { return ws.MustCompileFrame(ws.MaskFrameInPlaceWith(fr, [4]byte{1, 2, 3, 4})) }
	text := frame(ws.NewTextFrame([]byte(`{"data":[{"text":"hi"}]}`)))
	f.Add(byte(0), append(text, frame(ws.NewTextFrame([]byte("{}")))...))
	f.Add(byte(1), frame(ws.NewBinaryFrame([]byte{0})))
	f.Add(byte(1), frame(ws.NewBinaryFrame([]byte{0x22, 2, 0x0a, 0})))
	f.Add(byte(2), frame(ws.Frame{Header: ws.Header{Fin: true, Rsv: 4, OpCode: ws.OpText, Length: 1}, Payload: []byte{0}}))
	f.Add(byte(3), frame(ws.NewCloseFrame(ws.NewCloseFrameBody(1000, "bye"))))
	f.Add(byte(1), append(frame(ws.NewFrame(ws.OpBinary, false, []byte{0x22})), frame(ws.NewFrame(ws.OpContinuation, true, []byte{0}))...))

	x, err := jina.NewExecutor(jina.ExecutorOptions{Name: "clip_t", Model: hashModel{}, LogitScale: 100, Loader: fetch.Loader{}})
	if err != nil {
		f.Fatal(err)
	}
	gateway := jina.NewGateway(jina.GatewayOptions{Version: "test"})
	if err := gateway.SetExecutors(x); err != nil {
		f.Fatal(err)
	}
	budget := limit.NewBytes(1 << 20)
	d := New(Options{Gateway: gateway, Bytes: budget, Prefetch: 2, StreamInputs: 2, MaxMessage: 1 << 16, MaxDocuments: 100, Log: zerolog.Nop()})
	f.Fuzz(func(t *testing.T, kind byte, sent []byte) {
		server, client := net.Pipe()
		go io.Copy(io.Discard, client)
		go func() {
			io.Copy(client, bytes.NewReader(sent))
			client.Close()
		}()
		d.serve(server, session{binary: kind&1 != 0, deflate: kind&2 != 0, dryRun: kind&4 != 0})
		if used := budget.Used(); used != 0 {
			t.Errorf("%d bytes of the budget were not given back", used)
		}
	})
}
