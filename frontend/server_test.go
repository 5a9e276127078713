//lint:file-ignore SA1019 jina's gateways and tools ask for reflection v1alpha

package frontend

import (
	"context"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/reflection/grpc_reflection_v1alpha"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"

	"clipd/engine"
	"clipd/flows"
	"clipd/frontend/fetch"
	"clipd/frontend/jina"
	"clipd/frontend/jina/pb"
)

// gate answers ones when it is let.
type gate struct{ open chan struct{} }

func (g gate) Embed(ctx context.Context, r engine.Request) (*engine.Embeddings, error) {
	select {
	case <-g.open:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return &engine.Embeddings{Dim: 1, Data: make([]float32, len(r.Inputs))}, nil
}

// settings are those of a server on a free port with all doors open.
func settings(change func(*flows.Gateway)) Options {
	g := flows.Gateway{
		Host: "127.0.0.1", Ports: []int{0}, Protocols: []flows.Protocol{flows.GRPC, flows.HTTP, flows.WebSocket}, Prefetch: 100,
		Limits: flows.Limits{MaxMessageBytes: 1 << 20, MaxDocuments: 100, MaxQueued: 1000},
	}
	if change != nil {
		change(&g)
	}
	return Options{Settings: g, Version: "test", Log: zerolog.Nop()}
}

func start(t *testing.T, g gate) (*Server, *grpc.ClientConn) {
	t.Helper()
	x, err := jina.NewExecutor(jina.ExecutorOptions{Name: "clip_t", Model: g, Loader: fetch.Loader{}})
	if err != nil {
		t.Fatal(err)
	}
	gateway := jina.NewGateway(jina.GatewayOptions{Version: "test"})
	if err := gateway.SetExecutors(x); err != nil {
		t.Fatal(err)
	}
	s, err := Listen(settings(nil), gateway)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := grpc.NewClient("passthrough:///"+s.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	s.SetReady(true)
	t.Cleanup(func() {
		conn.Close()
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		s.Shutdown(ctx)
	})
	return s, conn
}

func opened() gate {
	g := gate{make(chan struct{})}
	close(g.open)
	return g
}

func request() *pb.DataRequestProto {
	return jina.NewRequest("/encode", []*pb.DocumentProto{{Id: "a", Content: &pb.DocumentProto_Text{Text: strings.Repeat("x", 5000)}}})
}

func TestHealth(t *testing.T) {
	_, conn := start(t, opened())
	check := func(service string, want healthpb.HealthCheckResponse_ServingStatus, code codes.Code) {
		t.Helper()
		r, err := healthpb.NewHealthClient(conn).Check(t.Context(), &healthpb.HealthCheckRequest{Service: service})
		if status.Code(err) != code || r.GetStatus() != want {
			t.Errorf("%q: %v, %v", service, r, err)
		}
	}
	check("", healthpb.HealthCheckResponse_SERVING, codes.OK)
	check("jina.JinaRPC", healthpb.HealthCheckResponse_SERVING, codes.OK)
	check("no.such.Service", healthpb.HealthCheckResponse_UNKNOWN, codes.NotFound)
}

func TestReflectionV1Alpha(t *testing.T) {
	_, conn := start(t, opened())
	stream, err := grpc_reflection_v1alpha.NewServerReflectionClient(conn).ServerReflectionInfo(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	stream.Send(&grpc_reflection_v1alpha.ServerReflectionRequest{
		MessageRequest: &grpc_reflection_v1alpha.ServerReflectionRequest_ListServices{}})
	r, err := stream.Recv()
	if err != nil {
		t.Fatal(err)
	}
	listed := r.String()
	for _, name := range jina.Names() {
		if !strings.Contains(listed, name) {
			t.Errorf("reflection does not list %s", name)
		}
	}
}

func TestCompressedCalls(t *testing.T) {
	_, conn := start(t, opened())
	for _, name := range []string{"gzip", "deflate"} {
		a, err := pb.NewJinaSingleDataRequestRPCClient(conn).ProcessSingleData(t.Context(), request(), grpc.UseCompressor(name))
		if err != nil || a.Header.Status != nil {
			t.Errorf("%s: %v %v", name, a, err)
		}
	}
}

func TestMessageLimit(t *testing.T) {
	s, err := Listen(settings(func(g *flows.Gateway) { g.Limits.MaxMessageBytes = 1000 }), jina.NewGateway(jina.GatewayOptions{}))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Shutdown(t.Context())
	conn, _ := grpc.NewClient("passthrough:///"+s.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	defer conn.Close()
	_, err = pb.NewJinaSingleDataRequestRPCClient(conn).ProcessSingleData(t.Context(), request())
	if status.Code(err) != codes.ResourceExhausted {
		t.Errorf("a message over the limit: %v", err)
	}
	// Compressed to fit, it still counts as what it unpacks to.
	_, err = pb.NewJinaSingleDataRequestRPCClient(conn).ProcessSingleData(t.Context(), request(), grpc.UseCompressor("gzip"))
	if status.Code(err) != codes.ResourceExhausted {
		t.Errorf("a compressed message over the limit: %v", err)
	}
}

// TestShutdownFinishesOpenCalls shows that what was accepted is answered, and that health turns first.
func TestShutdownFinishesOpenCalls(t *testing.T) {
	g := gate{make(chan struct{})}
	s, conn := start(t, g)
	stream, err := pb.NewJinaRPCClient(conn).Call(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(request()); err != nil {
		t.Fatal(err)
	}
	stream.CloseSend()
	time.Sleep(50 * time.Millisecond) // the request is on its way
	ended := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		ended <- s.Shutdown(ctx)
	}()
	time.Sleep(50 * time.Millisecond)
	close(g.open)
	if a, err := stream.Recv(); err != nil || a.Header.Status != nil {
		t.Errorf("the open call ended with %v %v", a, err)
	}
	if _, err := stream.Recv(); err != io.EOF {
		t.Error(err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if c, err := net.Dial("tcp", s.Addr().String()); err == nil {
		c.Close()
		t.Error("the port still accepts connections")
	}
}

func TestShutdownIsBounded(t *testing.T) {
	g := gate{make(chan struct{})}
	s, conn := start(t, g)
	stream, err := pb.NewJinaRPCClient(conn).Call(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	stream.Send(request())
	time.Sleep(50 * time.Millisecond)
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	if err := s.Shutdown(ctx); err == nil {
		t.Error("a stuck call was not reported")
	}
	if _, err := stream.Recv(); status.Code(err) != codes.Unavailable {
		t.Errorf("the stuck call ended with %v", err)
	}
}

func TestPortTaken(t *testing.T) {
	s, _ := start(t, opened())
	_, err := Listen(settings(func(g *flows.Gateway) { g.Ports = []int{s.Addr().(*net.TCPAddr).Port} }), jina.NewGateway(jina.GatewayOptions{}))
	if err == nil || !strings.Contains(err.Error(), "cannot listen on 127.0.0.1:") {
		t.Errorf("got %v", err)
	}
}

// TestLoading shows what a client sees while the model loads: no hang, no false readiness.
func TestLoading(t *testing.T) {
	s, err := Listen(settings(nil), jina.NewGateway(jina.GatewayOptions{}))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Shutdown(t.Context())
	conn, _ := grpc.NewClient("passthrough:///"+s.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	defer conn.Close()
	h, err := healthpb.NewHealthClient(conn).Check(t.Context(), &healthpb.HealthCheckRequest{})
	if err != nil || h.Status != healthpb.HealthCheckResponse_NOT_SERVING {
		t.Errorf("health: %v %v", h, err)
	}
	if _, err := pb.NewJinaGatewayDryRunRPCClient(conn).DryRun(t.Context(), &emptypb.Empty{}); status.Code(err) != codes.Unavailable {
		t.Errorf("dry run: %v", err)
	}
	stream, err := pb.NewJinaRPCClient(conn).Call(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); status.Code(err) != codes.Unavailable || !strings.Contains(err.Error(), "loading") {
		t.Errorf("call: %v", err)
	}
}

// shutdown ends a server within the time and returns how long it took and what it said.
func shutdown(s *Server, within time.Duration) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	began := time.Now()
	err := s.Shutdown(ctx)
	return time.Since(began), err
}

// TestShutdownEndsIdleStreams shows that neither a health watch nor a stream on which nothing moves uses up the time.
func TestShutdownEndsIdleStreams(t *testing.T) {
	s, conn := start(t, opened())
	watch, err := healthpb.NewHealthClient(conn).Watch(t.Context(), &healthpb.HealthCheckRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := watch.Recv(); err != nil {
		t.Fatal(err)
	}
	idle, err := pb.NewJinaRPCClient(conn).Call(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	idle.Send(request())
	if _, err := idle.Recv(); err != nil {
		t.Fatal(err)
	}
	if took, err := shutdown(s, time.Minute); err != nil || took > 30*time.Second {
		t.Errorf("shutdown took %v: %v", took, err)
	}
	if r, err := watch.Recv(); err != nil || r.Status != healthpb.HealthCheckResponse_NOT_SERVING {
		t.Errorf("the watcher heard %v %v", r, err)
	}
	if _, err := idle.Recv(); status.Code(err) != codes.Unavailable {
		t.Errorf("the idle stream ended with %v", err)
	}
}

// TestShutdownAnswersBusyStream shows that of a stream that never falls quiet every request that was read is answered.
func TestShutdownAnswersBusyStream(t *testing.T) {
	s, conn := start(t, opened())
	stream, err := pb.NewJinaRPCClient(conn).Call(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for stream.Send(request()) == nil {
		}
	}()
	if _, err := stream.Recv(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		_, err := shutdown(s, 5*time.Second)
		ended <- err
	}()
	for {
		if _, err = stream.Recv(); err != nil {
			break
		}
	}
	if status.Code(err) != codes.Unavailable || !strings.Contains(err.Error(), "shutting down") {
		t.Errorf("the stream ended with %v", err)
	}
	if err := <-ended; err != nil {
		t.Errorf("what was read was not all answered: %v", err)
	}
}
