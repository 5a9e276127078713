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
func caller(ctx context.Context, key *auth.Key) (Caller, error) {
	return NewCaller(key, func(name string) string { return firstOf(ctx, name) })
}

// openMethods need no key: probes have none.
func openMethod(name string) bool {
	return strings.HasPrefix(name, "/grpc.health.v1.Health/") || strings.HasPrefix(name, "/jina.JinaGatewayDryRunRPC/")
}

// ServerOptions are what a gRPC server needs to have so that the services beside this one, reflection above all, ask for
// keys, too; health stays open. The methods of this service ask in any case. Each call is logged at the level debug.
func (s *Service) ServerOptions() []grpc.ServerOption {
	return []grpc.ServerOption{grpc.ChainUnaryInterceptor(s.unary), grpc.ChainStreamInterceptor(s.stream)}
}
