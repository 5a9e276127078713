package jina

import (
	"context"
	"runtime"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"clipd/engine"
	"clipd/frontend/jina/pb"
	"clipd/frontend/limit"
)

// Answers that wait for a client who does not read count in the budget, although their calls have long ended for the
// server; when the budget is full callers are told so, and when the client is gone there is room again.
func TestUnreadAnswersCount(t *testing.T) {
	const columns, limitBytes = 1 << 18, 8 << 20 // answers of 1 MiB
	for _, method := range []string{"/jina.JinaRPC/Call", "/jina.JinaSingleDataRequestRPC/process_single_data"} {
		budget := limit.NewBytes(limitBytes)
		model := scriptModel(func(_ context.Context, r engine.Request) (*engine.Embeddings, error) {
			return &engine.Embeddings{Dim: columns, Data: make([]float32, columns*len(r.Inputs))}, nil
		})
		server := startTest(t, GatewayOptions{}, model, "clip", Options{Bytes: budget})
		idle := server.dial(t, grpc.WithStaticStreamWindowSize(64<<10), grpc.WithStaticConnWindowSize(64<<10))
		for range 20 {
			stream, err := idle.NewStream(t.Context(), &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, method)
			if err != nil {
				t.Fatal(err)
			}
			stream.SendMsg(textRequest("a"))
			stream.CloseSend()
		}
		eventually(t, "the budget is full", func() bool { return budget.Used() > limitBytes-columns*4-1000 })
		ask := func(conn *grpc.ClientConn) error {
			_, err := pb.NewJinaSingleDataRequestRPCClient(conn).ProcessSingleData(t.Context(), textRequest("a"))
			return err
		}
		conn := server.dial(t)
		if err := ask(conn); status.Code(err) != codes.ResourceExhausted || !strings.Contains(err.Error(), "max_inflight_bytes") {
			t.Errorf("%s: a full budget says %v", method, err)
		}
		idle.Close()
		eventually(t, "the budget is free again", func() bool { runtime.GC(); return budget.Used() == 0 })
		if err := ask(conn); err != nil {
			t.Error(method, err)
		}
	}
}
