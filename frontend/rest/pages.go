package rest

import (
	"bytes"
	"embed"
	"html"
	"io"
	"path"

	"github.com/klauspost/compress/gzip"
	"github.com/swaggest/swgui/v5/static"
	"github.com/valyala/fasthttp"
)

// pageFiles are what the API page consists of, below /docs/.
var pageFiles = []string{"swagger-ui.css", "swagger-ui-bundle.js", "page.css", "page.js", "favicon-32x32.png"}

//go:embed page
var ownFiles embed.FS

// page is one file of the API page.
type page struct {
	contentType string
	plain       []byte // nil when the file is kept zipped
	zipped      []byte // by gzip, or nil
}

// pagePolicy lets the page load nothing but its own files and call nothing but this server. Swagger UI sets styles of
// its own and has its icons in data URIs.
const pagePolicy = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; " +
	"font-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

var contentTypes = map[string]string{
	".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".png": "image/png",
}

// loadPages reads the files of the API page; the files of Swagger UI come with its module.
func loadPages(title string) map[string]*page {
	pages := map[string]*page{}
	for _, name := range append([]string{"index.html"}, pageFiles...) {
		p := &page{contentType: contentTypes[path.Ext(name)]}
		var err error
		if p.plain, err = ownFiles.ReadFile("page/" + name); err != nil {
			if p.plain, err = static.FS.ReadFile(name); err != nil {
				if p.zipped, err = static.FS.ReadFile(name + ".gz"); err != nil {
					panic("BUG: a file of the API page is missing: " + err.Error())
				}
			}
		}
		pages[name] = p
	}
	index := pages["index.html"]
	index.plain = bytes.ReplaceAll(index.plain, []byte("TITLE"), []byte(html.EscapeString(title)))
	return pages
}

func servePage(name string) func(*Server, *exchange) {
	return func(s *Server, x *exchange) {
		p := s.pages[name]
		header := &x.ctx.Response.Header
		header.Set("Content-Security-Policy", pagePolicy)
		header.Set("Referrer-Policy", "no-referrer")
		header.Set("Cache-Control", "no-cache")
		if p.zipped == nil {
			x.send(fasthttp.StatusOK, p.contentType, p.plain)
			return
		}
		header.Set("Vary", "Accept-Encoding")
		body := p.zipped
		if x.ctx.Request.Header.HasAcceptEncoding(gzipped) {
			header.SetContentEncoding(gzipped)
		} else {
			body = p.unzip()
		}
		x.ctx.Response.SetStatusCode(fasthttp.StatusOK)
		header.SetContentType(p.contentType)
		x.ctx.Response.SetBodyRaw(body)
	}
}

// unzip returns the plain file, for the few callers who do not take gzip.
func (p *page) unzip() []byte {
	r, err := gzip.NewReader(bytes.NewReader(p.zipped))
	if err == nil {
		var body []byte
		if body, err = io.ReadAll(r); err == nil {
			return body
		}
	}
	panic("BUG: a file of the API page is broken: " + err.Error())
}

func serveOpenAPI(s *Server, x *exchange) { x.send(fasthttp.StatusOK, jsonType, s.openapi) }

// serveRedoc leads callers of the original's second page to the one that is here.
func serveRedoc(_ *Server, x *exchange) {
	x.ctx.Response.Header.Set("Location", "docs")
	x.send(fasthttp.StatusTemporaryRedirect, textType, []byte("The API page is /docs."))
}
