package rest

import (
	"time"

	"github.com/rs/zerolog"
	"github.com/valyala/fasthttp"

	"clipd/frontend/auth"
	"clipd/frontend/jina"
	"clipd/frontend/limit"
)

// Options describe an HTTP server. A limit or a time of 0 is none, unless it says otherwise.
type Options struct {
	Gateway *jina.Gateway
	Keys    *auth.Keys   // nil: everyone may call
	Bytes   *limit.Bytes // budget for the bodies of requests in progress; nil: no end

	CORS             bool      // browsers may call from pages of other origins (cors)
	NoDebugEndpoints bool      // without /post, /status and /dry_run
	NoCRUDEndpoints  bool      // without /index, /search, /update and /delete
	Expose           []Exposed // further paths
	Title            string    // of the OpenAPI document; "clipd" when empty
	Description      string    // of the OpenAPI document
	Version          string    // of clipd
	Compression      bool      // answers may be compressed; requests always may
	PlainReturns     bool      // answers to encode, rank, index and search in the text/plain form
	Post             bool      // requests may be sent; false: only the paths of a WebSocket port

	// WebSocket takes the requests that ask for an upgrade; nil: they are refused.
	WebSocket func(*fasthttp.RequestCtx)

	MaxBody       int64         // bytes of a body, before and after decoding; 0 = DefaultMaxBody
	MaxDocuments  int           // of a request, chunks and matches counted
	MaxHeader     int           // bytes of request line and header; 0 = DefaultMaxHeader
	HeaderTimeout time.Duration // from the first byte of a request to the end of its header
	ReadTimeout   time.Duration // wait for the next part of a body
	WriteTimeout  time.Duration // wait for the caller to take the next part of an answer
	IdleTimeout   time.Duration // between requests
	MaxAge        time.Duration // a connection older than this, more or less a tenth, ends after an answer
	Log           zerolog.Logger
}

// Exposed is a further path for an endpoint (expose_endpoints).
type Exposed struct {
	Endpoint string
	Path     string
	Methods  []string // POST when empty
	Summary  string
	Tags     []string
}

// Defaults for what has to have an end.
const (
	DefaultMaxBody   = 1 << 30
	DefaultMaxHeader = 16 << 10
)
