package rest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/rs/zerolog"
	"github.com/valyala/fasthttp"
)

// Server answers HTTP/1.1 on the connections of its listeners. It is safe for concurrent use.
type Server struct {
	o       Options
	http    *fasthttp.Server
	router  *router
	openapi []byte
	pages   map[string]*page
	open    connections
	decoder chan struct{} // one place for each body that is being decoded
}

// New makes a server.
func New(o Options) *Server {
	if o.MaxBody <= 0 {
		o.MaxBody = DefaultMaxBody
	}
	if o.MaxHeader <= 0 {
		o.MaxHeader = DefaultMaxHeader
	}
	if o.Title == "" {
		o.Title = "clipd"
	}
	s := &Server{o: o, router: newRouter(&o), pages: loadPages(o.Title), decoder: make(chan struct{}, decoders())}
	s.openapi = s.document()
	s.http = &fasthttp.Server{
		Handler:        s.handle,
		ErrorHandler:   s.unreadable,
		HeaderReceived: s.headerReceived,
		ConnState:      connState,
		Logger:         logger{o.Log},
		Name:           "clipd",
		ReadBufferSize: o.MaxHeader,
		ReadTimeout:    o.HeaderTimeout,
		IdleTimeout:    o.IdleTimeout,
		// The write timeout is the connection's own: it is for a part of an answer, not for all of it.
		StreamRequestBody:            true,
		CloseOnShutdown:              true,
		DisablePreParseMultipartForm: true,
		NoDefaultContentType:         true,
		SecureErrorLogMessage:        true,
	}
	return s
}

// Open is the number of connections that are open, without those that became WebSockets.
func (s *Server) Open() int { return s.open.count() }

// Serve answers on the connections of l until Shutdown, and returns nil then.
func (s *Server) Serve(l net.Listener) error {
	err := s.http.Serve(&listener{Listener: l, server: s})
	if s.open.closing.Load() || errors.Is(err, net.ErrClosed) || errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// quietTime is how long a connection may be silent, when the server shuts down, before it is taken for idle. A caller
// with more to ask asks within it, and is answered with the word that the connection ends.
const quietTime = time.Second

// Shutdown closes the listeners, then the connections on which nothing is in progress, lets requests be answered, and
// closes what is left when ctx ends; it returns an error then. Connections that became WebSockets are not its own.
func (s *Server) Shutdown(ctx context.Context) error {
	s.open.closing.Store(true)
	s.open.waitQuiet(ctx, quietTime)
	err := s.http.ShutdownWithContext(ctx)
	if cut := s.open.closeAll(); cut > 0 && err != nil {
		return fmt.Errorf("%d HTTP connections were still busy after the time to finish: %w", cut, err)
	}
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// logger takes fasthttp's complaints, which are about callers.
type logger struct{ log zerolog.Logger }

func (l logger) Printf(format string, args ...any) {
	l.log.Debug().Msgf("http: "+format, args...)
}
