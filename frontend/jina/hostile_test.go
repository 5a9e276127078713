package jina

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	"clipd/engine"
	"clipd/frontend/jina/pb"
)

// What a caller sends in a few bytes, and what would take the memory or the time of everybody else.

func parameter(name string, v *structpb.Value) *structpb.Struct {
	return &structpb.Struct{Fields: map[string]*structpb.Value{name: v}}
}

func TestHostileRequestsStaySmall(t *testing.T) {
	text := func(change func(*pb.DataRequestProto)) *pb.DataRequestProto {
		r := textRequest("x")
		change(r)
		return r
	}
	target := func(pattern string) *pb.DataRequestProto {
		return text(func(r *pb.DataRequestProto) { r.Header.TargetExecutor = &pattern })
	}
	long := strings.Repeat("x,", 1<<20)
	tensor := func(shape []uint32, dtype string) *pb.DataRequestProto {
		return text(func(r *pb.DataRequestProto) {
			dense := &pb.DenseNdArrayProto{Shape: shape, Dtype: dtype, Buffer: []byte{1}}
			r.Data.GetDocs().Docs[0].Content = &pb.DocumentProto_Tensor{Tensor: &pb.NdArrayProto{Content: &pb.NdArrayProto_Dense{Dense: dense}}}
		})
	}
	requests := map[string]struct {
		request *pb.DataRequestProto
		status  string // part of it
	}{
		"repetitions in target_executor": {target(strings.Repeat("x{1000}", 3000)), "target_executor has 21000 bytes; it may have 256"},
		"long target_executor":           {target(strings.Repeat("(", 1<<20)), "target_executor has 1048576 bytes"},
		"short target_executor":          {target("(" + strings.Repeat("x{1000}", 36)), "is no regular expression"},
		"many access paths": {text(func(r *pb.DataRequestProto) {
			r.Parameters = parameter("access_paths", structpb.NewStringValue("@"+strings.Repeat("r,", 1<<20)+"r"))
		}), "access_paths has 2097154 bytes; it may have 256"},
		"long words in access paths": {text(func(r *pb.DataRequestProto) { r.Parameters = parameter("access_paths", structpb.NewStringValue(long)) }),
			"access_paths has 2097152 bytes"},
		"a list as access paths": {text(func(r *pb.DataRequestProto) {
			r.Parameters = parameter("access_paths", structpb.NewListValue(&structpb.ListValue{Values: []*structpb.Value{structpb.NewStringValue(long)}}))
		}), "must be a string such as \"@r\", not a list"},
		"a long text as minibatch_size": {text(func(r *pb.DataRequestProto) {
			r.Parameters = parameter("minibatch_size", structpb.NewStringValue(long))
		}),
			"minibatch_size must be a whole number"},
		"a shape of many dimensions": {tensor(make([]uint32, 1<<18), "|u1"), "of 262144 dimensions"},
		"a long type":                {tensor([]uint32{1, 1}, long), "tensors of type"},
		"a shape that overflows":     {tensor([]uint32{1 << 31, 1 << 31, 4}, "<f8"), "does not fit its 1 bytes"},
	}
	small := ExecutorOptions{Name: "small", Model: constModel(1)}
	large := ExecutorOptions{Name: "large", Model: constModel(2)}
	for name, r := range requests {
		for _, g := range []*Gateway{newTestGateway(t, GatewayOptions{}, small), newTestGateway(t, GatewayOptions{}, small, large)} {
			request := proto.Clone(r.request).(*pb.DataRequestProto)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			if err := g.Handle(t.Context(), &Call{Request: request, Arrived: time.Now()}); err != nil {
				t.Fatal(name, err)
			}
			runtime.ReadMemStats(&after)
			status := request.GetHeader().GetStatus()
			if took := after.TotalAlloc - before.TotalAlloc; took > 16<<20 {
				t.Errorf("%s: %d bytes were allocated", name, took)
			}
			if size := proto.Size(status); !strings.Contains(status.GetDescription(), r.status) || size > 20<<10 {
				t.Errorf("%s: a status of %d bytes: %.300s", name, size, status.GetDescription())
			}
		}
	}
}

// The stack of a panic is for the log alone.
func TestPanicsTellNothing(t *testing.T) {
	var log strings.Builder
	g := newTestGateway(t, GatewayOptions{}, ExecutorOptions{Name: "clip", Log: zerolog.New(&log), Model: scriptModel(
		func(context.Context, engine.Request) (*engine.Embeddings, error) { panic("a mistake of ours") })})
	req := textRequest("x")
	if err := g.Handle(t.Context(), &Call{Request: req, Arrived: time.Now()}); err != nil {
		t.Fatal(err)
	}
	answer := fmt.Sprint(req)
	if strings.Contains(answer, ".go:") || strings.Contains(answer, "a mistake of ours") || !strings.Contains(answer, "the server failed at this request") {
		t.Error(answer)
	}
	if !strings.Contains(log.String(), "a mistake of ours") || !strings.Contains(log.String(), ".go:") {
		t.Error("the log has no stack:", log.String())
	}
}
