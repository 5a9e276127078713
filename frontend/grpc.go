//lint:file-ignore SA1019 jina's gateways and tools ask for reflection v1alpha

package frontend

import (
	"cmp"
	"context"
	"math"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	_ "google.golang.org/grpc/encoding/gzip" // calls with grpc-encoding: gzip
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/reflection"
	"google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/reflection/grpc_reflection_v1alpha"
	"google.golang.org/grpc/status"

	"clipd/frontend/door"
	"clipd/frontend/jina"
)

// The HTTP/2 windows of a stream and of a connection, bytes. The default of 64 KiB makes a batch of pictures wait for
// several round trips. What lies unread in a stream's window is in no budget, so it is no larger than loopback needs: at 20
// ms of round trip a stream of pictures reaches 0.72 of what 4 MiB give.
const (
	streamWindow     = 1 << 20
	connectionWindow = 4 << 20
)

// A connection on which nothing moves for pingTime is pinged, and cut when it does not answer for pingTimeout.
const (
	pingTime    = time.Minute
	pingTimeout = 20 * time.Second
)

func (s *Server) newGRPC() *grpc.Server {
	settings := s.options.Settings
	limits := settings.Limits
	service := jina.NewService(s.gateway, jina.Options{
		Prefetch: settings.Prefetch, StreamInputs: s.streamInputs(), Bytes: s.options.Bytes, MaxMessage: limits.MaxMessageBytes,
		WriteTimeout: limits.WriteTimeout, Keys: s.keys, Log: s.options.Log,
	})
	options := append(service.ServerOptions(),
		grpc.Creds(door.Credentials()),
		grpc.MaxRecvMsgSize(int(min(limits.MaxMessageBytes, math.MaxInt32))),
		grpc.MaxSendMsgSize(math.MaxInt32),
		grpc.ChainStreamInterceptor(s.endWhenClosing),
		grpc.ConnectionTimeout(cmp.Or(limits.HeaderTimeout, door.DefaultHandshakeTimeout)),
		grpc.InitialWindowSize(streamWindow), grpc.InitialConnWindowSize(connectionWindow),
		// clip_client pings after 10 s of silence; a stricter policy would cut its quiet streams.
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 2 * time.Second, PermitWithoutStream: true}),
		// grpc varies the age of each connection by a tenth. Its calls go on to their end on their own.
		grpc.KeepaliveParams(keepalive.ServerParameters{
			Time: pingTime, Timeout: pingTimeout, MaxConnectionIdle: limits.GRPCIdleTimeout, MaxConnectionAge: limits.MaxConnectionAge,
		}),
	)
	if limits.MaxStreams > 0 {
		options = append(options, grpc.MaxConcurrentStreams(uint32(limits.MaxStreams)))
	}
	if limits.MaxHeaderBytes > 0 {
		options = append(options, grpc.MaxHeaderListSize(uint32(min(limits.MaxHeaderBytes, math.MaxUint32))))
	}
	server := grpc.NewServer(options...)
	service.Register(server)
	healthpb.RegisterHealthServer(server, s.health)
	reflect := reflection.ServerOptions{Services: server}
	grpc_reflection_v1.RegisterServerReflectionServer(server, reflection.NewServerV1(reflect))
	grpc_reflection_v1alpha.RegisterServerReflectionServer(server, reflection.NewServer(reflect))
	s.setHealth(healthpb.HealthCheckResponse_NOT_SERVING)
	return server
}

// streamParts is the part of the queue that one stream may fill with what it sent itself: an eighth.
const streamParts = 8

func (s *Server) streamInputs() int { return max(s.options.Settings.Limits.MaxQueued/streamParts, 1) }

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

func (s *Server) shutdownGRPC(ctx context.Context) error {
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
		return ctx.Err()
	}
}
