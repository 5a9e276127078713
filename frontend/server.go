//lint:file-ignore SA1019 jina's gateways and tools ask for reflection v1alpha

package frontend

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	_ "google.golang.org/grpc/encoding/gzip" // calls with grpc-encoding: gzip
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/reflection"
	"google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/reflection/grpc_reflection_v1alpha"
	"google.golang.org/grpc/status"

	"clipd/frontend/jina"
)

// Options describe the doors of a server.
type Options struct {
	Host       string // address to listen on; "0.0.0.0" when empty
	Port       int    // 0 picks a free one
	MaxMessage int    // bytes of a received message; 0 means DefaultMaxMessage
	// Prefetch and StreamInputs bound what is in progress of one stream, in requests and in documents; 0 = no limit.
	Prefetch, StreamInputs int
}

// DefaultMaxMessage bounds a received gRPC message: 1 GiB, as much as the original takes over WebSocket.
const DefaultMaxMessage = 1 << 30

// flowWindow is the HTTP/2 window of a stream and of a connection, bytes. The default of 64 KiB makes a batch of
// pictures wait for several round trips.
const flowWindow = 4 << 20

// maxStreams bounds the calls of one connection at a time.
const maxStreams = 1024

// Server is a listening server.
type Server struct {
	listener net.Listener
	grpc     *grpc.Server
	gateway  *jina.Gateway
	health   *health.Server
	failed   chan error
	closing  chan struct{} // closed when streams without end, such as a health watch, shall end
	closed   sync.Once
}

// Listen opens the port and answers on it in the background; health checks are told NOT_SERVING until SetReady.
func Listen(o Options, gateway *jina.Gateway) (*Server, error) {
	if o.Host == "" {
		o.Host = "0.0.0.0"
	}
	if o.MaxMessage <= 0 {
		o.MaxMessage = DefaultMaxMessage
	}
	address := net.JoinHostPort(o.Host, strconv.Itoa(o.Port))
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s: %w; choose another port or host in the flow", address, err)
	}
	s := &Server{listener: l, gateway: gateway, health: health.NewServer(), failed: make(chan error, 1), closing: make(chan struct{})}
	s.grpc = grpc.NewServer(
		grpc.MaxRecvMsgSize(o.MaxMessage),
		grpc.MaxSendMsgSize(1<<31-1),
		grpc.MaxConcurrentStreams(maxStreams),
		grpc.StreamInterceptor(s.endWhenClosing),
		grpc.InitialWindowSize(flowWindow), grpc.InitialConnWindowSize(flowWindow),
		// clip_client pings after 10 s of silence; a stricter policy would cut its quiet streams.
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 2 * time.Second, PermitWithoutStream: true}),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: time.Minute, Timeout: 20 * time.Second}),
	)
	jina.NewService(gateway, jina.Options{Prefetch: o.Prefetch, StreamInputs: o.StreamInputs}).Register(s.grpc)
	healthpb.RegisterHealthServer(s.grpc, s.health)
	reflect := reflection.ServerOptions{Services: s.grpc}
	grpc_reflection_v1.RegisterServerReflectionServer(s.grpc, reflection.NewServerV1(reflect))
	grpc_reflection_v1alpha.RegisterServerReflectionServer(s.grpc, reflection.NewServer(reflect))
	s.setHealth(healthpb.HealthCheckResponse_NOT_SERVING)
	go func() {
		if err := s.grpc.Serve(l); err != nil && !errors.Is(err, grpc.ErrServerStopped) {
			s.failed <- err
		}
	}()
	return s, nil
}

// Addr is the address that the server listens on.
func (s *Server) Addr() net.Addr { return s.listener.Addr() }

// SetReady tells health checks that the server serves.
func (s *Server) SetReady() { s.setHealth(healthpb.HealthCheckResponse_SERVING) }

// Failed gets the error of a listener that broke.
func (s *Server) Failed() <-chan error { return s.failed }

// Shutdown ends the server: health turns to NOT_SERVING and no connection is accepted any more. Calls go on, so
// that an ordinary one ends by itself; streams that fall quiet are ended. When a fifth of the time to ctx's deadline is
// left nothing more is read, what was read is answered, and when ctx ends what is left is cut. Shutdown returns nil when
// everything that was read has been answered.
func (s *Server) Shutdown(ctx context.Context) error {
	s.setHealth(healthpb.HealthCheckResponse_NOT_SERVING)
	s.gateway.Drain()
	// Watchers of health are told before their streams end.
	time.AfterFunc(100*time.Millisecond, func() { s.closed.Do(func() { close(s.closing) }) })
	if deadline, ok := ctx.Deadline(); ok {
		left := time.Until(deadline)
		defer time.AfterFunc(left-left/5, s.gateway.Stop).Stop()
	}
	done := make(chan struct{})
	go func() {
		s.grpc.GracefulStop()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		s.grpc.Stop()
		<-done
		return fmt.Errorf("some calls were still open after the time to finish: %w", ctx.Err())
	}
}

// endWhenClosing ends the streams of services that have no end of their own, health watches and reflection, when the
// server shuts down; Jina's service sees to its own.
func (s *Server) endWhenClosing(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	if strings.HasPrefix(info.FullMethod, "/jina.") {
		return handler(srv, stream)
	}
	done := make(chan error, 1)
	go func() { done <- handler(srv, stream) }()
	select {
	case err := <-done:
		return err
	case <-s.closing:
		return status.Error(codes.Unavailable, "the server is shutting down")
	}
}

func (s *Server) setHealth(status healthpb.HealthCheckResponse_ServingStatus) {
	for _, name := range append(jina.Names(), "") {
		s.health.SetServingStatus(name, status)
	}
}
