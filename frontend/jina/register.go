package jina

import (
	"context"

	"google.golang.org/grpc"

	"clipd/frontend/jina/pb"
)

// Register adds the service, under all its names, to a gRPC server. The generated handlers would decode whatever
// comes before anybody is asked; these take the bytes, or let them lie.
func (s *Service) Register(r grpc.ServiceRegistrar) {
	for _, d := range s.descriptions() {
		r.RegisterService(&d, s)
	}
}

// Names are the services that health checks and reflection know.
func Names() []string {
	var names []string
	for _, d := range (*Service)(nil).descriptions() {
		names = append(names, d.ServiceName)
	}
	return names
}

func (s *Service) descriptions() []grpc.ServiceDesc {
	return []grpc.ServiceDesc{
		describe(pb.JinaRPC_ServiceDesc, nil, s.call),
		describe(pb.JinaSingleDataRequestRPC_ServiceDesc, reading(s.single), nil),
		describe(pb.JinaSingleDocumentRequestRPC_ServiceDesc, nil, s.streamDoc),
		describe(pb.JinaDataRequestRPC_ServiceDesc, ignoring(func(context.Context) (any, error) { return nil, errUnimplemented }), nil),
		describe(pb.JinaGatewayDryRunRPC_ServiceDesc, ignoring(s.dryRun), nil),
		describe(pb.JinaInfoRPC_ServiceDesc, ignoring(s.info), nil),
		describe(pb.JinaDiscoverEndpointsRPC_ServiceDesc, ignoring(s.endpoints), nil),
	}
}

// describe puts a handler into the description of a service of one method, which keeps its names for reflection.
func describe(d grpc.ServiceDesc, unary unaryHandler, stream func(grpc.ServerStream) error) grpc.ServiceDesc {
	d.HandlerType = (*any)(nil)
	if unary != nil {
		name, path := d.Methods[0].MethodName, "/"+d.ServiceName+"/"+d.Methods[0].MethodName
		d.Methods = []grpc.MethodDesc{{
			MethodName: name,
			Handler: func(srv any, ctx context.Context, decode func(any) error, interceptor grpc.UnaryServerInterceptor) (any, error) {
				return unary(srv, ctx, decode, interceptor, path)
			},
		}}
	} else {
		only := d.Streams[0]
		only.Handler = func(_ any, st grpc.ServerStream) error { return stream(st) }
		d.Streams = []grpc.StreamDesc{only}
	}
	return d
}

type unaryHandler func(srv any, ctx context.Context, decode func(any) error, interceptor grpc.UnaryServerInterceptor, path string) (any, error)

// reading makes a handler that gets the bytes of its message.
func reading(handle func(ctx context.Context, message *frame) (any, error)) unaryHandler {
	return intercepted(func() any { return new(frame) }, func(ctx context.Context, req any) (any, error) { return handle(ctx, req.(*frame)) })
}

// ignoring makes a handler for which its message has nothing to say.
func ignoring(handle func(ctx context.Context) (any, error)) unaryHandler {
	return intercepted(func() any { return new(ignored) }, func(ctx context.Context, _ any) (any, error) { return handle(ctx) })
}

func intercepted(message func() any, handle grpc.UnaryHandler) unaryHandler {
	return func(srv any, ctx context.Context, decode func(any) error, interceptor grpc.UnaryServerInterceptor, path string) (any, error) {
		m := message()
		if err := decode(m); err != nil {
			return nil, err
		}
		if interceptor == nil {
			return handle(ctx, m)
		}
		return interceptor(ctx, m, &grpc.UnaryServerInfo{Server: srv, FullMethod: path}, handle)
	}
}
