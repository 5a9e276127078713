package rest

import (
	"encoding/base64"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/valyala/fasthttp"
)

// benchmarkHandler measures a request through the handler, without a socket.
func benchmarkHandler(b *testing.B, body string, set func(*Options), fields ...string) {
	o := Options{Gateway: newGateway(b, hashModel{}), Post: true}
	if set != nil {
		set(&o)
	}
	s := New(o)
	inner, other := net.Pipe() // never used but by a watch
	defer inner.Close()
	defer other.Close()
	c := newConn(inner, &o)
	var ctx fasthttp.RequestCtx
	ctx.Init2(c, nil, false)
	h := &ctx.Request.Header
	h.SetMethod("POST")
	h.SetRequestURI("/encode")
	h.SetHost("test")
	h.SetContentType(jsonType)
	for i := 0; i < len(fields); i += 2 {
		h.Set(fields[i], fields[i+1])
	}
	source := strings.NewReader(body)
	b.ReportAllocs()
	size := 0
	for b.Loop() {
		source.Reset(body)
		ctx.Request.SetBodyStream(source, len(body))
		s.handle(&ctx)
		if ctx.Response.StatusCode() != 200 {
			b.Fatalf("%d %s", ctx.Response.StatusCode(), ctx.Response.Body())
		}
		size = len(ctx.Response.Body())
		ctx.Response.Reset()
		connState(c, fasthttp.StateIdle)
	}
	b.ReportMetric(float64(size), "answer-bytes")
}

func BenchmarkOneText(b *testing.B) { benchmarkHandler(b, oneText, nil) }

func BenchmarkJPEG(b *testing.B) {
	picture := append([]byte("\xff\xd8\xff\xe0"), make([]byte, 80<<10)...)
	body := `{"data": [{"blob": "` + base64.StdEncoding.EncodeToString(picture) + `"}], "parameters": {"drop_image_content": true}}`
	benchmarkHandler(b, body, nil)
}

func BenchmarkCompression(b *testing.B) {
	for _, n := range []int{1, 256} {
		docs := make([]string, n)
		for i := range docs {
			docs[i] = fmt.Sprintf(`{"text": "a text of the number %d"}`, i)
		}
		body := `{"data": [` + strings.Join(docs, ",") + `]}`
		for _, coding := range []string{"identity", "zstd", "gzip", "br", "deflate"} {
			b.Run(fmt.Sprintf("%d/%s", n, coding), func(b *testing.B) {
				benchmarkHandler(b, body, func(o *Options) { o.Compression = true }, "Accept-Encoding", coding)
			})
		}
	}
}

// BenchmarkWatch measures what it costs to be told when a caller goes away.
func BenchmarkWatch(b *testing.B) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	other, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	defer other.Close()
	inner, err := l.Accept()
	if err != nil {
		b.Fatal(err)
	}
	defer inner.Close()
	c := newConn(inner, &Options{})
	b.Run("quick", func(b *testing.B) { // ends before the connection is read
		b.ReportAllocs()
		for b.Loop() {
			c.watch(func() {})()
		}
	})
	b.Run("on", func(b *testing.B) { // the connection is read
		b.ReportAllocs()
		for b.Loop() {
			w := &watch{c: c, cancel: func() {}, done: make(chan struct{})}
			w.timer = time.NewTimer(0) // one that has run
			<-w.timer.C
			go w.run()
			w.stop()
		}
	})
}
