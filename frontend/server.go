package frontend

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/rs/zerolog"
	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"clipd/flows"
	"clipd/frontend/auth"
	"clipd/frontend/door"
	"clipd/frontend/jina"
	"clipd/frontend/limit"
	"clipd/frontend/metrics"
	"clipd/frontend/rest"
	"clipd/frontend/upload"
	"clipd/frontend/ws"
)

// Options describe a server.
type Options struct {
	Settings flows.Gateway    // defaults filled in
	Version  string           // of clipd
	Bytes    *limit.Bytes     // budget of the requests in progress; nil: none
	Metrics  *metrics.Metrics // served on a port of their own; nil: none are
	Log      zerolog.Logger
}

// Server is a listening server: one port for all its protocols, or one for each.
type Server struct {
	options Options
	gateway *jina.Gateway
	tls     *tls.Config // nil: plain text
	keys    *auth.Keys  // nil: everyone may call

	ports  []port
	doors  []*door.Door // of ports, in their order
	grpc   *grpc.Server // nil when the flow closes this door, as the others below
	health *health.Server
	rest   []*rest.Server
	ws     *ws.Door

	connections *door.Connections
	metrics     *metrics.Listener // nil: none are served

	failed  chan error
	closing chan struct{} // closed when streams without end, such as a health watch, shall end
	closed  sync.Once
}

// Listen opens the ports and answers on them in the background; callers are told that the server is not ready until
// SetReady.
func Listen(o Options, gateway *jina.Gateway) (*Server, error) {
	s := &Server{
		options: o, gateway: gateway, ports: portsOf(o.Settings), health: health.NewServer(),
		failed: make(chan error, 1), closing: make(chan struct{}),
	}
	if err := s.secure(); err != nil {
		return nil, err
	}
	for _, p := range s.ports {
		if p.grpc && s.grpc == nil {
			s.grpc = s.newGRPC()
		}
		if p.websocket && s.ws == nil {
			s.ws = s.newWebSocket()
		}
	}
	limits := o.Settings.Limits
	s.connections = &door.Connections{Max: limits.MaxConnections, MaxPerAddress: limits.MaxConnectionsPerAddress}
	uploads := s.newUploads()
	for _, p := range s.ports {
		if err := s.open(p, uploads); err != nil {
			s.Close()
			return nil, err
		}
	}
	if err := s.serveMetrics(); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// newUploads bounds the memory of gRPC messages that have not arrived whole. Their budget is as large as that of the
// requests, and can hold the largest message with what comes with each frame.
func (s *Server) newUploads() *upload.Budget {
	if s.options.Bytes == nil {
		return nil
	}
	limits := s.options.Settings.Limits
	return upload.NewBudget(upload.Options{
		Bytes:        limit.NewBytes(max(s.options.Bytes.Max(), limits.MaxMessageBytes+limits.MaxMessageBytes/8)),
		StallTimeout: limits.ReadTimeout, MaxStreams: limits.MaxStreams, Log: s.options.Log,
	})
}

// open opens a port and serves what belongs to it.
func (s *Server) open(p port, uploads *upload.Budget) error {
	address := net.JoinHostPort(s.options.Settings.Host, strconv.Itoa(p.number))
	d, err := door.Open(door.Options{
		Address: address, TLS: s.tls, GRPC: p.grpc, HTTP: p.http || p.websocket, Connections: s.connections,
		HandshakeTimeout: s.options.Settings.Limits.HeaderTimeout, UserTimeout: pingTimeout, Uploads: uploads, Log: s.options.Log,
	})
	if err != nil {
		return err // it names the address and says what to do
	}
	s.doors = append(s.doors, d)
	if p.grpc {
		go s.watch(func() error { return s.grpc.Serve(d.GRPC()) })
	}
	if p.http || p.websocket {
		r := s.newREST(p)
		s.rest = append(s.rest, r)
		go s.watch(func() error { return r.Serve(d.HTTP()) })
	}
	return nil
}

// watch reports the error of a listener that breaks while the server runs.
func (s *Server) watch(serve func() error) {
	err := serve()
	if err == nil || errors.Is(err, grpc.ErrServerStopped) || errors.Is(err, net.ErrClosed) {
		return
	}
	select {
	case s.failed <- err:
	default: // one is enough
	}
}

// Addr is the address of the first port.
func (s *Server) Addr() net.Addr { return s.doors[0].Addr() }

// SetReady tells health checks whether the server serves. Once it shuts down they hear NOT_SERVING whatever is set.
func (s *Server) SetReady(ready bool) {
	status := healthpb.HealthCheckResponse_NOT_SERVING
	if ready {
		status = healthpb.HealthCheckResponse_SERVING
	}
	s.setHealth(status)
}

// Failed gets the error of a listener that broke.
func (s *Server) Failed() <-chan error { return s.failed }

// handOutTime is how long connections that were accepted just before the end have to say what they want.
const handOutTime = 500 * time.Millisecond

// drainDoors frees the ports, and waits a little until every connection that was accepted is with its server.
func (s *Server) drainDoors(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, handOutTime)
	defer cancel()
	var wg sync.WaitGroup
	for _, d := range s.doors {
		wg.Go(func() { d.Drain(ctx) })
	}
	wg.Wait()
}

// closeTime is how long Close waits for what is under way.
const closeTime = time.Second

// Close ends a server that never was ready.
func (s *Server) Close() {
	ctx, cancel := context.WithTimeout(context.Background(), closeTime)
	defer cancel()
	s.Shutdown(ctx)
}

// Shutdown ends the server: health turns to NOT_SERVING and no connection is accepted any more. Calls go on, so
// that an ordinary one ends by itself; streams that fall quiet are ended. When a fifth of the time to ctx's deadline is
// left nothing more is read, what was read is answered, and when ctx ends what is left is cut. Shutdown returns nil when
// everything that was read has been answered.
func (s *Server) Shutdown(ctx context.Context) error {
	s.health.Shutdown()
	s.gateway.Drain()
	// Watchers of health are told before their streams end.
	time.AfterFunc(100*time.Millisecond, func() { s.closed.Do(func() { close(s.closing) }) })
	if deadline, ok := ctx.Deadline(); ok {
		left := time.Until(deadline)
		defer time.AfterFunc(left-left/5, s.gateway.Stop).Stop()
	}
	s.drainDoors(ctx)
	var wg sync.WaitGroup
	errs := make([]error, 2+len(s.rest))
	if s.grpc != nil {
		wg.Go(func() { errs[0] = s.shutdownGRPC(ctx) })
	}
	if s.ws != nil {
		wg.Go(func() { errs[1] = s.ws.Shutdown(ctx) })
	}
	for i, r := range s.rest {
		wg.Go(func() { errs[2+i] = r.Shutdown(ctx) })
	}
	wg.Wait()
	for _, d := range s.doors {
		d.Close()
	}
	s.keys.Close()
	s.metrics.Shutdown(ctx)
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("some calls were still open after the time to finish: %w", err)
	}
	return nil
}
