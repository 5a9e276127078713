package jina

import (
	"fmt"
	"io"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"

	"clipd/frontend/auth"
	"clipd/frontend/jina/pb"
)

// openKeys makes keys of lines NAME SECRET [limits].
func openKeys(t *testing.T, lines string) *auth.Keys {
	t.Helper()
	t.Setenv("CLIPD_TEST_KEYS", lines)
	keys, err := auth.Open(auth.Options{Env: "CLIPD_TEST_KEYS"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(keys.Close)
	return keys
}

func TestKeys(t *testing.T) {
	const secret = "clipd-0123456789abcdef0123456789abcdef0123456789"
	hash := keyLine(t, "alice", secret, "models=clip_t") + "\n" + keyLine(t, "bob", secret+"b", "models=another") +
		"\n" + keyLine(t, "carol", secret+"c", "concurrent=1")
	model := &gateModel{gate: make(chan struct{}, 100)}
	conn := dialOptions(t, model, "clip_t", Options{Prefetch: 10, Keys: openKeys(t, hash)})
	single := func(md ...string) error {
		model.gate <- struct{}{}
		_, err := pb.NewJinaSingleDataRequestRPCClient(conn).ProcessSingleData(metadata.AppendToOutgoingContext(t.Context(), md...), textRequest("x"))
		select {
		case <-model.gate:
		default:
		}
		return err
	}
	check := func(want codes.Code, md ...string) {
		t.Helper()
		if err := single(md...); status.Code(err) != want {
			t.Errorf("unary with %q: %v, want %v", md, err, want)
		}
		stream, err := pb.NewJinaRPCClient(conn).Call(metadata.AppendToOutgoingContext(t.Context(), md...))
		if err != nil {
			t.Fatal(err)
		}
		model.gate <- struct{}{}
		stream.Send(textRequest("x"))
		stream.CloseSend()
		_, err = stream.Recv()
		if err == nil {
			_, err = stream.Recv()
		}
		if want == codes.OK && err != io.EOF || want != codes.OK && status.Code(err) != want {
			t.Errorf("stream with %q: %v, want %v", md, err, want)
		}
		select {
		case <-model.gate:
		default:
		}
		_, err = pb.NewJinaInfoRPCClient(conn).XStatus(metadata.AppendToOutgoingContext(t.Context(), md...), &emptypb.Empty{})
		if (want == codes.Unauthenticated) != (status.Code(err) == codes.Unauthenticated) {
			t.Errorf("info with %q: %v", md, err)
		}
	}
	check(codes.Unauthenticated)
	check(codes.Unauthenticated, "authorization", secret+"x")
	check(codes.OK, "authorization", secret)
	check(codes.OK, "authorization", "Bearer "+secret)
	check(codes.OK, "credential", secret)
	check(codes.PermissionDenied, "authorization", secret+"b")
	if _, err := pb.NewJinaGatewayDryRunRPCClient(conn).DryRun(t.Context(), &emptypb.Empty{}); err != nil {
		t.Errorf("dry_run needs a key: %v", err)
	}

	// One request of carol's is worked on: a stream waits behind it, a unary call is refused.
	ctx := metadata.AppendToOutgoingContext(t.Context(), "authorization", secret+"c")
	stream, err := pb.NewJinaRPCClient(conn).Call(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		stream.Send(textRequest("x"))
	}
	stream.CloseSend()
	eventually(t, "one request in progress", func() bool { return model.inside.Load() == 1 })
	var trailer metadata.MD
	_, err = pb.NewJinaSingleDataRequestRPCClient(conn).ProcessSingleData(ctx, textRequest("y"), grpc.Trailer(&trailer))
	checkRetry(t, err, trailer, codes.ResourceExhausted, "carol")
	if n := model.inside.Load(); n != 1 {
		t.Errorf("%d requests in progress", n)
	}
	close(model.gate)
	for range 3 {
		if _, err := stream.Recv(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestModelOfTheMetadata shows that clip-model chooses.
func TestModelOfTheMetadata(t *testing.T) {
	server := startTest(t, GatewayOptions{}, constModel(1), "small", Options{})
	two := newTestGateway(t, GatewayOptions{}, ExecutorOptions{Name: "small", Model: constModel(1)}, ExecutorOptions{Name: "large", Model: constModel(2)})
	server.gateway.set.Store(two.set.Load())
	conn := server.dial(t)
	check := func(model string, want float32) {
		t.Helper()
		a, err := pb.NewJinaSingleDataRequestRPCClient(conn).ProcessSingleData(metadata.AppendToOutgoingContext(t.Context(), "clip-model", model), textRequest("x"))
		if err != nil {
			t.Fatal(err)
		}
		row, err := Embedding(a.Data.GetDocs().Docs[0])
		if err != nil || row[0] != want {
			t.Errorf("model %q answers %v, %v", model, row, err)
		}
	}
	check("large", 2)
	check("small", 1)
	check("", 1)
}

// keyLine is a line of a keys file.
func keyLine(t *testing.T, name, secret, limits string) string {
	t.Helper()
	hash, err := auth.Hash(secret)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%s sha256:%x %s", name, hash, limits)
}
