package rest

import (
	"context"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/rs/zerolog"

	"clipd/engine"
	"clipd/frontend/limit"
)

// shortModel answers with rows of one column, so that a fuzzer is not kept busy by numbers.
var shortModel = modelFunc(func(_ context.Context, r engine.Request) (*engine.Embeddings, error) {
	return &engine.Embeddings{Dim: 1, Data: make([]float32, len(r.Inputs))}, nil
})

// FuzzConnection sends whatever comes to mind on a connection. The server must not fail at it, must close the
// connection after the caller does, and must give its memory back.
func FuzzConnection(f *testing.F) {
	recorded, _ := filepath.Glob("../../testdata/captures/http/*/*-request.http")
	for _, file := range recorded {
		content, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(content)
	}
	f.Add([]byte("POST /encode HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"dat\r\n15\r\na\": [{\"text\": \"hi\"}]}\r\n0\r\n\r\n"))
	for coding := range coders {
		f.Add([]byte(request("/encode", coded(f, coding, oneText), "Content-Encoding", coding)))
	}
	f.Add([]byte(request("/encode/%41?encoding_format=base64", oneText, "Accept-Encoding", "br;q=0.5, *", "Origin", "x") + upgrade + "\r\n"))
	budget := limit.NewBytes(1 << 20)
	var log lockedBuffer
	s := New(Options{Log: zerolog.New(&log).Level(zerolog.ErrorLevel), Gateway: newGateway(f, shortModel), Post: true, CORS: true, Compression: true, Bytes: budget, MaxBody: 256 << 10, MaxDocuments: 100, MaxHeader: 4096})
	f.Fuzz(func(t *testing.T, input []byte) {
		server, client := net.Pipe()
		done := make(chan struct{})
		go func() {
			defer close(done)
			c := newConn(server, &s.o)
			s.http.ServeConn(c) // its error is about the caller
			c.Close()
		}()
		go io.Copy(io.Discard, client)
		client.Write(input)
		client.Close()
		<-done
		if failed := log.String(); failed != "" {
			t.Errorf("the server failed at %q: %s", input, failed)
		}
		if budget.Used() != 0 {
			t.Errorf("%d bytes were not given back", budget.Used())
		}
	})
}
