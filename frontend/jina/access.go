package jina

import (
	"context"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"clipd/frontend/auth"
)

// key returns the key that a call carries: its metadata authorization or, where that is missing, credential.
func (s *Service) key(ctx context.Context) (*auth.Key, error) {
	return s.options.Keys.Check(firstOf(ctx, "authorization", "credential"))
}

// firstOf returns the first value of the first of the metadata's names that there is.
func firstOf(ctx context.Context, names ...string) string {
	md, _ := metadata.FromIncomingContext(ctx)
	for _, name := range names {
		if v := md.Get(name); len(v) > 0 {
			return v[0]
		}
	}
	return ""
}

// caller is what the gateway is told of the sender of a call.
func caller(ctx context.Context, key *auth.Key) Caller {
	return Caller{Model: strings.TrimSpace(firstOf(ctx, "clip-model")), MayUse: key.MayUseAny}
}

// openMethods need no key: probes have none.
func openMethod(name string) bool {
	return strings.HasPrefix(name, "/grpc.health.v1.Health/") || strings.HasPrefix(name, "/jina.JinaGatewayDryRunRPC/")
}

// ServerOptions are what a gRPC server needs to have so that the services beside this one, reflection above all, ask for
// keys, too; health stays open. The methods of this service ask in any case.
func (s *Service) ServerOptions() []grpc.ServerOption {
	return []grpc.ServerOption{
		grpc.ChainUnaryInterceptor(func(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
			if !openMethod(info.FullMethod) {
				if _, err := s.key(ctx); err != nil {
					return nil, refuse(ctx, err)
				}
			}
			return handler(ctx, req)
		}),
		grpc.ChainStreamInterceptor(func(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
			if !openMethod(info.FullMethod) {
				if _, err := s.key(stream.Context()); err != nil {
					return refuseStream(stream, err)
				}
			}
			return handler(srv, stream)
		}),
	}
}
