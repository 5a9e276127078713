package jina

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"

	"clipd/frontend/jina/pb"
)

// Service is Jina's gateway over gRPC.
type Service struct {
	pb.UnimplementedJinaRPCServer
	pb.UnimplementedJinaSingleDataRequestRPCServer
	pb.UnimplementedJinaSingleDocumentRequestRPCServer
	pb.UnimplementedJinaDataRequestRPCServer
	pb.UnimplementedJinaGatewayDryRunRPCServer
	pb.UnimplementedJinaInfoRPCServer
	pb.UnimplementedJinaDiscoverEndpointsRPCServer

	gateway *Gateway
	options Options
}

// Options bound a service.
type Options struct {
	// Prefetch is the most requests of one stream that are worked on at a time unless the stream asks for less; 0: no limit.
	Prefetch int
	// StreamInputs is the most documents of one stream that are worked on at a time, so that one caller is held back
	// rather than refused when the queue is full of what it sent itself; 0: no limit.
	StreamInputs int
}

// NewService makes the gRPC service of a gateway.
func NewService(g *Gateway, o Options) *Service { return &Service{gateway: g, options: o} }

// Register adds the service, under all its names, to a gRPC server.
func (s *Service) Register(r grpc.ServiceRegistrar) {
	pb.RegisterJinaRPCServer(r, s)
	pb.RegisterJinaSingleDataRequestRPCServer(r, s)
	pb.RegisterJinaSingleDocumentRequestRPCServer(r, s)
	pb.RegisterJinaDataRequestRPCServer(r, s)
	pb.RegisterJinaGatewayDryRunRPCServer(r, s)
	pb.RegisterJinaInfoRPCServer(r, s)
	pb.RegisterJinaDiscoverEndpointsRPCServer(r, s)
}

// Names are the services that health checks and reflection know.
func Names() []string {
	return []string{
		pb.JinaRPC_ServiceDesc.ServiceName, pb.JinaSingleDataRequestRPC_ServiceDesc.ServiceName,
		pb.JinaSingleDocumentRequestRPC_ServiceDesc.ServiceName, pb.JinaDataRequestRPC_ServiceDesc.ServiceName,
		pb.JinaGatewayDryRunRPC_ServiceDesc.ServiceName, pb.JinaInfoRPC_ServiceDesc.ServiceName,
		pb.JinaDiscoverEndpointsRPC_ServiceDesc.ServiceName,
	}
}

// ProcessSingleData answers one request.
func (s *Service) ProcessSingleData(ctx context.Context, req *pb.DataRequestProto) (*pb.DataRequestProto, error) {
	c := &Call{Request: req, Arrived: time.Now()}
	if err := s.gateway.Handle(ctx, c); err != nil {
		return nil, err
	}
	return c.Request, nil
}

// StreamDoc is answered as the original does: one message that says it does not exist here.
func (s *Service) StreamDoc(req *pb.SingleDocumentRequestProto, stream grpc.ServerStreamingServer[pb.SingleDocumentRequestProto]) error {
	if req.Header == nil {
		req.Header = &pb.HeaderProto{}
	}
	req.Header.Status = statusOf(errors.New("stream_doc is for executors that generate; use Call"))
	return stream.Send(req)
}

// DryRun says whether the flow is ready.
func (s *Service) DryRun(context.Context, *emptypb.Empty) (*pb.StatusProto, error) {
	if err := s.gateway.Ready(); err != nil {
		return nil, err
	}
	return &pb.StatusProto{}, nil
}

// XStatus tells versions.
func (s *Service) XStatus(context.Context, *emptypb.Empty) (*pb.JinaInfoProto, error) {
	return s.gateway.Info(), nil
}

// EndpointDiscovery lists the executors' handlers.
func (s *Service) EndpointDiscovery(context.Context, *emptypb.Empty) (*pb.EndpointsProto, error) {
	return &pb.EndpointsProto{Endpoints: s.gateway.Endpoints()}, nil
}

// streamOptions reads the metadata of a stream.
func (s *Service) streamOptions(ctx context.Context) (prefetch int, inOrder bool, err error) {
	prefetch = s.options.Prefetch
	md, _ := metadata.FromIncomingContext(ctx)
	if v := md.Get("__prefetch__"); len(v) > 0 {
		n, err := strconv.Atoi(strings.TrimSpace(v[0]))
		if err != nil || n < 0 {
			return 0, false, status.Errorf(codes.InvalidArgument, "metadata __prefetch__ is %q; it must be a whole number, 0 or above", v[0])
		}
		// A client may ask for less than the server allows, not for more.
		if n > 0 && (prefetch == 0 || n < prefetch) {
			prefetch = n
		}
	}
	if v := md.Get("__results_in_order__"); len(v) > 0 {
		inOrder = strings.EqualFold(v[0], "true")
	}
	return prefetch, inOrder, nil
}
