package rest

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"
	brotli "github.com/molecule-man/go-brrr"

	"clipd/frontend/limit"
)

// coders compress; "raw" is deflate without the zlib bytes.
var coders = map[string]func(io.Writer) io.WriteCloser{
	"gzip":    func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) },
	"x-gzip":  func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) },
	"deflate": func(w io.Writer) io.WriteCloser { return zlib.NewWriter(w) },
	"raw":     func(w io.Writer) io.WriteCloser { z, _ := flate.NewWriter(w, 6); return z },
	"br":      func(w io.Writer) io.WriteCloser { z, _ := brotli.NewWriter(w, 5); return z },
	"zstd":    func(w io.Writer) io.WriteCloser { z, _ := zstd.NewWriter(w); return z },
}

func coded(t testing.TB, coding, body string) string {
	t.Helper()
	var b bytes.Buffer
	z := coders[coding](&b)
	if _, err := io.WriteString(z, body); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestCodedBodies(t *testing.T) {
	const most = 256 << 10
	budget := limit.NewBytes(8 << 20)
	r := serve(t, hashModel{}, func(o *Options) { o.MaxBody, o.Bytes = most, budget })
	bomb := `{"data": [{"text": "` + strings.Repeat("a", 32<<20) + `"}]}`
	for coding := range coders {
		header := strings.TrimSuffix(coding, "raw")
		if header == "" {
			header = "deflate"
		}
		r.do("POST", "/encode", coded(t, coding, oneText), "Content-Encoding", header).want(t, 200, `"text":"hi"`)
		body := coded(t, coding, bomb)
		if len(body) > most {
			t.Fatalf("%s: the bomb has %d bytes", coding, len(body))
		}
		r.do("POST", "/encode", body, "Content-Encoding", header).want(t, 413, "more than 262144 bytes")
		broken := coded(t, coding, strings.Repeat(oneText, 100))
		r.do("POST", "/encode", broken[:len(broken)/2], "Content-Encoding", header).want(t, 400, "the body is not")
		if coding != "raw" { // raw deflate takes most bytes for something
			r.do("POST", "/encode", oneText, "Content-Encoding", header).want(t, 400, "the body is not")
		}
	}
	r.do("POST", "/encode", coded(t, "zstd", oneText)+"tail", "Content-Encoding", "zstd").want(t, 400, "")
	r.do("POST", "/encode", oneText, "Content-Encoding", "identity").want(t, 200, "")
	a := r.do("POST", "/encode", oneText, "Content-Encoding", "lzma").want(t, 415, "lzma")
	if got := a.header.Get("Accept-Encoding"); got != "gzip, deflate, br, zstd" {
		t.Errorf("Accept-Encoding is %q", got)
	}
	r.do("POST", "/encode", oneText, "Content-Encoding", "gzip, br").want(t, 415, "several")
	if budget.Used() != 0 {
		t.Errorf("%d bytes of the budget were not given back", budget.Used())
	}
}

// TestZstdWindow shows that a frame that wants a huge window is refused rather than given it.
func TestZstdWindow(t *testing.T) {
	r := serve(t, hashModel{}, nil)
	var b bytes.Buffer
	z, err := zstd.NewWriter(&b, zstd.WithWindowSize(64<<20), zstd.WithEncoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	// Two writes with a flush between them: the length is not known, so that the frame states its window.
	io.WriteString(z, oneText)
	z.Flush()
	io.WriteString(z, strings.Repeat(" ", 1000))
	z.Close()
	r.do("POST", "/encode", b.String(), "Content-Encoding", "zstd").want(t, 400, "window")
}

func TestBodyLimits(t *testing.T) {
	r := serve(t, hashModel{}, func(o *Options) { o.MaxBody, o.MaxDocuments = 1000, 3 })
	long := `{"data": [{"text": "` + strings.Repeat("a", 2000) + `"}]}`
	r.do("POST", "/encode", long).want(t, 413, `{"detail":"the body has more than 1000 bytes`)
	r.do("POST", "/encode", `{"data": [{}, {"chunks": [{}]}, {}]}`).want(t, 413, "more than 3 documents")
	r.do("POST", "/encode", `{"data": [{}, {}, {}]}`).want(t, 200, "")
	// A length is refused before anything of the body is there.
	c := r.dial()
	c.send("POST /encode HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 999999999999\r\n\r\n")
	if a := c.receive().want(t, 413, "more than 1000 bytes"); a.header.Get("Connection") != "close" {
		t.Error("the connection goes on")
	}
	c.over()
	chunked := r.dial()
	chunked.send("POST /encode HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
	for range 10 {
		chunked.send("c8\r\n" + strings.Repeat("a", 200) + "\r\n")
	}
	chunked.receive().want(t, 413, "more than 1000 bytes")
	chunked.over()
}

func TestBudget(t *testing.T) {
	budget := limit.NewBytes(20_000)
	r := serve(t, hashModel{}, func(o *Options) { o.Bytes = budget })
	body := `{"data": [{"text": "` + strings.Repeat("a", 500) + `"}]}`
	r.do("POST", "/encode", body).want(t, 200, "")
	if err := budget.Take(19_900); err != nil {
		t.Fatal(err)
	}
	a := r.do("POST", "/encode", body).want(t, 429, `"status":{"code":1,"description":"the requests in progress hold 19900 of the 20000 bytes`)
	if a.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	budget.Give(19_900)
	r.do("POST", "/encode", strings.Repeat(" ", 20_001)).want(t, 413, "max_inflight_bytes")
	r.do("POST", "/encode", body).want(t, 200, "")
	eventually(t, "everything is given back", func() bool { return budget.Used() == 0 })
}

func TestChunkedBodies(t *testing.T) {
	r := serve(t, hashModel{}, nil)
	const head = "POST /encode HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
	c := r.dial()
	c.send(head + "5\r\n{\"dat\r\n15;name=value\r\na\": [{\"text\": \"hi\"}]}\r\n0\r\n\r\n")
	c.receive().want(t, 200, `"text":"hi"`)
	c.send(request("/encode", oneText)) // and the connection goes on where the body ended
	c.receive().want(t, 200, `"text":"hi"`)
	for _, broken := range []string{"x\r\n", "-1\r\n", "5\r\n{}\r\n0", "2\r\n{}0\r\n\r\n", "ffffffffffffffffff\r\n", "0x2\r\n{}\r\n0\r\n\r\n", "\r\n"} {
		c := r.dial()
		c.send(head + broken)
		c.CloseWrite()
		if a := c.receive(); a.status != 400 {
			t.Errorf("chunks %q: %d %s", broken, a.status, a.body)
		}
		c.over()
	}
}

// CloseWrite ends what the test sends.
func (c *raw) CloseWrite() { c.Conn.(interface{ CloseWrite() error }).CloseWrite() }

func TestExpectContinue(t *testing.T) {
	r := serve(t, hashModel{}, func(o *Options) { o.MaxBody = 1000 })
	head := func(length string) string {
		return "POST /encode HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nExpect: 100-continue\r\nContent-Length: " + length + "\r\n\r\n"
	}
	c := r.dial()
	c.send(head(itoa(len(oneText))))
	line, err := c.r.ReadString('\n')
	if err != nil || line != "HTTP/1.1 100 Continue\r\n" {
		t.Fatalf("%q %v", line, err)
	}
	c.r.ReadString('\n')
	c.send(oneText)
	c.receive().want(t, 200, `"text":"hi"`)
	c.send(head("1001"))
	c.receive().want(t, 413, "more than 1000 bytes") // and not "100 Continue"
	c.over()
}

func TestSlowBodies(t *testing.T) {
	r := serve(t, hashModel{}, func(o *Options) { o.ReadTimeout = 100 * time.Millisecond; o.HeaderTimeout = 10 * time.Second })
	stopped := r.dial()
	stopped.send(cut(request("/encode", oneText)))
	stopped.receive().want(t, 408, "too slowly")
	stopped.over()
	// A byte now and then is within the timeout each time, but below the rate.
	trickle := r.dial()
	trickle.send("POST /encode HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n")
	go func() {
		for range 1000 {
			if _, err := io.WriteString(trickle.Conn, " "); err != nil {
				return
			}
			time.Sleep(20 * time.Millisecond)
		}
	}()
	trickle.receive().want(t, 408, "too slowly")
}

func TestSlowHeader(t *testing.T) {
	r := serve(t, hashModel{}, func(o *Options) { o.HeaderTimeout = 100 * time.Millisecond })
	c := r.dial()
	c.send("POST /encode HTTP/1.1\r\nHo")
	c.receive().want(t, 408, "did not come in in time")
	c.over()
	r.dial().over() // nothing was asked, nothing is answered
}

func TestWrongBodies(t *testing.T) {
	r := serve(t, hashModel{}, nil)
	check := func(body string, part string) {
		t.Helper()
		r.do("POST", "/post", body).want(t, 422, part)
	}
	check(`{"data": [`, `"type":"json_invalid","loc":["body",10]`)
	check(`{"data": [{"text": {"a": 1}}]}`, `{"type":"type_error.str","loc":["body","data",0,"text"],"msg":"str type expected"}`)
	check(`{"data": [{"blob": "!!!notbase64"}]}`, `value_error.base64`)
	check(`{"parameters": []}`, `["body","parameters"]`)
	check(`[]`, `value is not a valid dict`)
	check("\x00\xff", `json_invalid`)
	r.dialed(request("/post", "")).want(t, 422, "field required")
	r.dialed("POST /post HTTP/1.1\r\nHost: x\r\n\r\n").want(t, 422, "field required")
	deep := strings.Repeat(`{"data": [{"chunks": [`, 50000)
	check(deep, "deep")
	// A wrong content type is refused before the body.
	r.do("POST", "/post", oneText, "Content-Type", "text/plain").want(t, 422, "value is not a valid dict")
	r.do("POST", "/post", oneText, "Content-Type", "application/x-protobuf").want(t, 415, "application/x-protobuf")
	r.do("POST", "/post", oneText, "Content-Type", "multipart/form-data; boundary=x").want(t, 415, "multipart/form-data")
	r.do("POST", "/post", oneText, "Content-Type", "application/vnd.jina+json; charset=utf-8").want(t, 200, "")
	// A body that ends early.
	c := r.dial()
	c.send(cut(request("/post", oneText)))
	c.CloseWrite()
	c.receive().want(t, 400, "")
}

// TestTagsStay: over HTTP the original makes true of a tag that is 1.
func TestTagsStay(t *testing.T) {
	r := serve(t, hashModel{}, nil)
	r.do("POST", "/post", `{"data": [{"id": "abc", "text": "hi", "tags": {"a": 1, "b": [true, null]}, "weight": 2}]}`).
		want(t, 200, `"a":1`).want(t, 200, `"id":"abc"`)
}

// TestHandwrittenDocuments: what lies below a document says how far, and a caller's own values stay.
func TestHandwrittenDocuments(t *testing.T) {
	r := serve(t, hashModel{}, nil)
	a := r.do("POST", "/post", `{"data": [{"chunks": [{"text": "a", "chunks": [{}]}], "matches": [{"adjacency": 7, "mime_type": "x/y", "uri": "a.png"}]}]}`)
	for _, part := range []string{`"granularity":1,`, `"granularity":2,`, `"adjacency":7,`, `"mime_type":"x/y"`} {
		a.want(t, 200, part)
	}
}

// TestBrokenPictureAmongGood: the error names the document, and requests beside it are untouched.
func TestBrokenPictureAmongGood(t *testing.T) {
	r := serve(t, hashModel{}, nil)
	docs := make([]string, 101)
	for i := range docs {
		docs[i] = `{"id": "doc` + itoa(i) + `", "blob": "iVBORw0KGgo="}`
	}
	docs[50] = `{"id": "doc50", "blob": "bm8gcGljdHVyZQ=="}`
	bad := `{"data": [` + strings.Join(docs, ",") + `]}`
	done := make(chan answer)
	go func() { done <- r.do("POST", "/encode", oneText) }()
	a := r.do("POST", "/encode", bad).want(t, 200, `document 50 (id \"doc50\")`)
	if strings.Contains(a.body, `"embedding":[`) {
		t.Error("a failed request has embeddings")
	}
	(<-done).want(t, 200, `"status":null`)
}

// cut takes the end of a request's body away.
func cut(request string) string { return request[:len(request)-10] }
