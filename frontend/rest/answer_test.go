package rest

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"image/png"
	"io"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"
	brotli "github.com/molecule-man/go-brrr"
)

func TestAcceptedCoding(t *testing.T) {
	check := func(accept, want string) {
		t.Helper()
		if got := acceptedCoding([][]byte{[]byte(accept)}); got != want {
			t.Errorf("%q: %q, want %q", accept, got, want)
		}
	}
	check("", "")
	check("identity", "")
	check("gzip, deflate", "gzip")
	check("gzip, deflate, br", "gzip")
	check("gzip, deflate, br, zstd", "zstd")
	check("br", "br")
	check("deflate", "deflate")
	check("x-gzip", "gzip")
	check("GZIP;q=1", "gzip")
	check("gzip;q=0.5, br ; q=0.8", "br")
	check("gzip;q=0", "")
	check("gzip;q=0, *", "zstd")
	check("*;q=0", "")
	check("zstd;q=0, *;q=0.1, identity;q=0", "gzip")
	check("identity, gzip;q=0.5", "")
	check("identity, gzip", "gzip")
	check("gzip;q=2", "")
	check("gzip;q=x", "")
	check("lzma", "")
	check(";q=1,,", "")
}

func TestCompressedAnswers(t *testing.T) {
	r := serve(t, hashModel{}, func(o *Options) { o.Compression = true })
	readers := map[string]func(io.Reader) (io.Reader, error){
		"gzip":    func(r io.Reader) (io.Reader, error) { return gzip.NewReader(r) },
		"deflate": func(r io.Reader) (io.Reader, error) { return zlib.NewReader(r) },
		"br":      func(r io.Reader) (io.Reader, error) { return brotli.NewReader(r), nil },
		"zstd":    func(r io.Reader) (io.Reader, error) { return zstd.NewReader(r) },
	}
	for coding, open := range readers {
		a := r.do("POST", "/encode", oneText, "Accept-Encoding", coding)
		if a.header.Get("Content-Encoding") != coding || a.header.Get("Vary") != "Accept-Encoding" {
			t.Fatalf("%s: %v", coding, a.header)
		}
		z, err := open(strings.NewReader(a.body))
		if err != nil {
			t.Fatal(coding, err)
		}
		plain, err := io.ReadAll(z)
		if err != nil || !json.Valid(plain) || !bytes.Contains(plain, []byte(`"text":"hi"`)) {
			t.Errorf("%s: %v %.100s", coding, err, plain)
		}
	}
	plain := r.do("POST", "/encode", oneText).want(t, 200, `"text":"hi"`)
	if plain.header.Get("Content-Encoding") != "" || plain.header.Get("Vary") != "Accept-Encoding" {
		t.Errorf("an answer that may be compressed: %v", plain.header)
	}
	if a := r.do("GET", "/dry_run", "", "Accept-Encoding", "gzip"); a.header.Get("Content-Encoding") != "" {
		t.Error("a short answer is compressed")
	}
	off := serve(t, hashModel{}, nil)
	if a := off.do("POST", "/encode", oneText, "Accept-Encoding", "gzip"); a.header.Get("Content-Encoding") != "" || a.header.Get("Vary") != "" {
		t.Error("answers are compressed though they must not be")
	}
}

func TestOpenAPIDescribesEveryRoute(t *testing.T) {
	all := keys(t)
	r := serve(t, hashModel{}, func(o *Options) {
		o.Keys, o.Title, o.Description = all, "My <title>", "My description"
		o.Expose = []Exposed{{Endpoint: "/foo", Path: "/foo", Methods: []string{"POST", "PUT"}}}
	})
	operations := r.operations(t)
	described := 0
	for _, methods := range operations {
		described += len(methods)
	}
	ids := map[string]bool{}
	for _, route := range r.router.routes {
		if route.hidden {
			continue
		}
		described--
		var op struct {
			OperationID string
			Responses   map[string]json.RawMessage
			Security    []any
		}
		if err := json.Unmarshal(operations[route.path][strings.ToLower(route.method)], &op); err != nil {
			t.Fatalf("%s %s: %v", route.method, route.path, err)
		}
		if ids[op.OperationID] {
			t.Errorf("two operations are called %s", op.OperationID)
		}
		ids[op.OperationID] = true
		if (len(op.Security) > 0) != route.private || (op.Responses["401"] != nil) != route.private {
			t.Errorf("%s %s: security %v", route.method, route.path, op.Security)
		}
	}
	if described != 0 {
		t.Errorf("the document has %d operations more than there are routes", described)
	}
	var document struct {
		OpenAPI string
		Info    struct{ Title, Description, Version string }
	}
	if err := json.Unmarshal(r.openapi, &document); err != nil {
		t.Fatal(err)
	}
	if document.OpenAPI != "3.1.0" || document.Info.Title != "My <title>" || document.Info.Description != "My description" || document.Info.Version != "test" {
		t.Errorf("%+v", document)
	}
}

// TestExamples: what the page offers to send is a picture that everyone can read.
func TestExamples(t *testing.T) {
	content, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(dot, "data:image/png;base64,"))
	if err != nil {
		t.Fatal(err)
	}
	if p, err := png.Decode(bytes.NewReader(content)); err != nil || p.Bounds().Dx() != 8 {
		t.Errorf("the picture of the examples: %v", err)
	}
}

// TestOpenAPIHasTheOriginalsPaths: clip_client reads which paths take a POST.
func TestOpenAPIHasTheOriginalsPaths(t *testing.T) {
	r := serve(t, hashModel{}, nil)
	operations := r.operations(t)
	want := map[string]string{"/dry_run": "get", "/status": "get", "/post": "post", "/index": "post", "/search": "post", "/delete": "delete", "/update": "put", "/": "get"}
	for path, method := range want {
		if operations[path][method] == nil || len(operations[path]) != 1 {
			t.Errorf("%s: %v", path, operations[path])
		}
	}
}

func TestPage(t *testing.T) {
	r := serve(t, hashModel{}, func(o *Options) { o.Title = `A "<page>"` })
	a := r.do("GET", "/docs", "").want(t, 200, "A &#34;&lt;page&gt;&#34;")
	if !strings.Contains(a.header.Get("Content-Security-Policy"), "script-src 'self'") || a.header.Get("Content-Type") != "text/html; charset=utf-8" {
		t.Errorf("%v", a.header)
	}
	// Everything that the page loads is here.
	for _, part := range strings.Split(a.body, `"`) {
		if strings.HasPrefix(part, "docs/") {
			if f := r.do("GET", "/"+part, ""); f.status != 200 || len(f.body) < 100 || f.header.Get("Content-Type") == "" {
				t.Errorf("%s: %d, %d bytes", part, f.status, len(f.body))
			}
		}
	}
	if strings.Contains(a.body, "http://") || strings.Contains(a.body, "https://") || strings.Contains(a.body, "<script>") {
		t.Error("the page loads from elsewhere, or has a script in it")
	}
	zipped := r.do("GET", "/docs/swagger-ui-bundle.js", "", "Accept-Encoding", "gzip")
	if zipped.header.Get("Content-Encoding") != "gzip" || len(zipped.body) > 1<<20 {
		t.Errorf("%d bytes, %v", len(zipped.body), zipped.header)
	}
}
