package rest

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"clipd/engine"
	"clipd/frontend/limit"
)

// wideModel gives every document an embedding of many columns.
var wideModel = modelFunc(func(_ context.Context, r engine.Request) (*engine.Embeddings, error) {
	const dim = 1 << 16
	e := &engine.Embeddings{Dim: dim, Data: make([]float32, dim*len(r.Inputs))}
	for i := range e.Data {
		e.Data[i] = 0.123456789
	}
	return e, nil
})

// Answers that nobody reads count in the budget: when they have filled it callers are told to come back, and when their
// connections are gone there is room again.
func TestAnswersThatAreNotRead(t *testing.T) {
	budget := limit.NewBytes(64 << 20)
	r := serve(t, wideModel, func(o *Options) { o.Bytes, o.Compression = budget, true })
	body := `{"data":[` + strings.Repeat(`{"text":"a"},`, 15) + `{"text":"a"}]}`
	var conns []net.Conn
	refused := 0
	for refused == 0 && len(conns) < 20 {
		c, err := net.Dial("tcp", r.address)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		c.(*net.TCPConn).SetReadBuffer(4 << 10)
		fmt.Fprintf(c, "POST /encode HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
		conns = append(conns, c)
		head, err := http.ReadResponse(bufio.NewReaderSize(c, 16), nil)
		if err != nil {
			t.Fatal(err)
		}
		switch head.StatusCode {
		case http.StatusOK:
		case http.StatusTooManyRequests:
			refused++
			if text, _ := io.ReadAll(head.Body); !strings.Contains(string(text), "max_inflight_bytes") || head.Header.Get("Retry-After") == "" {
				t.Errorf("%v %s", head.Header, text)
			}
		default:
			t.Fatal(head.Status)
		}
	}
	if refused == 0 {
		t.Errorf("%d answers of 12 MB, which nobody reads, are not counted; the budget of 64 MiB has %d bytes in use", len(conns), budget.Used())
	}
	for _, c := range conns {
		c.Close()
	}
	eventually(t, "the budget is free again", func() bool { return budget.Used() == 0 })
	for _, coding := range []string{"identity", "gzip"} {
		r.do("POST", "/encode", body, "Accept-Encoding", coding).want(t, 200, "")
	}
	eventually(t, "the budget is free again", func() bool { return budget.Used() == 0 })
}

// What a body becomes when it is parsed counts in the budget, too.
func TestBodiesThatBecomeLarge(t *testing.T) {
	budget := limit.NewBytes(4 << 20)
	r := serve(t, hashModel{}, func(o *Options) { o.Bytes = budget })
	body := `{"data":[],"parameters":{"a":[` + strings.Repeat(`{"a":0},{},      `, 20_000) + `0]}}`
	r.do("POST", "/encode", body).want(t, 413, "max_inflight_bytes")
	r.do("POST", "/encode", coded(t, "gzip", body), "Content-Encoding", "gzip").want(t, 413, "max_inflight_bytes")
	r.do("POST", "/encode", oneText).want(t, 200, "")
	eventually(t, "the budget is free again", func() bool { return budget.Used() == 0 })
}
