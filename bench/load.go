package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"google.golang.org/grpc"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	"clipd/frontend/jina"
	"clipd/frontend/jina/pb"
)

// Load describes a closed loop: each client sends its next request when the last one is answered.
type Load struct {
	Kind     string // "text", "image" or "mixed"
	Clients  int
	Batch    int // documents in a request
	Warmup   time.Duration
	Duration time.Duration
	Width    int // of the pictures
	Height   int
	Seed     uint64
}

// Result is what a load saw after its warm-up.
type Result struct {
	Kind          string  `json:"kind"`
	Clients       int     `json:"clients"`
	Batch         int     `json:"batch"`
	Seconds       float64 `json:"seconds"`
	Requests      int64   `json:"requests"`
	Failed        int64   `json:"failed"`
	ItemsPerSec   float64 `json:"items_per_second"`
	P50, P90, P99 float64 // of a request's latency, milliseconds
	Max           float64
	FirstError    string `json:"first_error,omitempty"`
}

// rawCodec sends requests that were encoded before the run, so that the load costs next to nothing, and keeps
// answers as bytes.
type rawCodec struct{}

func (rawCodec) Marshal(v any) (mem.BufferSlice, error) {
	return mem.BufferSlice{mem.SliceBuffer(v.([]byte))}, nil
}

func (rawCodec) Unmarshal(data mem.BufferSlice, v any) error {
	*v.(*[]byte) = data.Materialize()
	return nil
}

func (rawCodec) Name() string { return "proto" }

// requests encodes the requests that the clients send in turn.
func (l Load) requests() ([][]byte, error) {
	count := max(64/l.Batch, 4) * min(l.Clients, 8)
	documents := count * l.Batch
	var texts []string
	var pictures [][]byte
	if l.Kind != "image" {
		texts = Captions(documents, l.Seed)
	}
	if l.Kind != "text" {
		pictures = Pictures(min(documents, 24), l.Width, l.Height, l.Seed)
	}
	encoded := make([][]byte, count)
	for r := range encoded {
		docs := make([]*pb.DocumentProto, l.Batch)
		for i := range docs {
			n := r*l.Batch + i
			docs[i] = &pb.DocumentProto{Id: jina.NewID()}
			if l.Kind == "text" || l.Kind == "mixed" && n%2 == 0 {
				docs[i].Content = &pb.DocumentProto_Text{Text: texts[n]}
			} else {
				docs[i].Content = &pb.DocumentProto_Blob{Blob: pictures[n%len(pictures)]}
			}
		}
		var err error
		request := jina.NewRequest("/encode", docs)
		request.Parameters = &structpb.Struct{Fields: map[string]*structpb.Value{"drop_image_content": structpb.NewBoolValue(true)}}
		if encoded[r], err = proto.Marshal(request); err != nil {
			return nil, err
		}
	}
	return encoded, nil
}

// Run loads the server behind dial, which is called once for each client.
func (l Load) Run(ctx context.Context, dial func() (*grpc.ClientConn, error)) (*Result, error) {
	requests, err := l.requests()
	if err != nil {
		return nil, err
	}
	var wg sync.WaitGroup
	var next, failed atomic.Int64
	var firstError atomic.Value
	merged := hdrhistogram.New(1, 600_000_000, 3) // microseconds
	var mu sync.Mutex
	begin := time.Now().Add(l.Warmup)
	end := begin.Add(l.Duration)
	for range l.Clients {
		conn, err := dial()
		if err != nil {
			return nil, err
		}
		defer conn.Close()
		wg.Go(func() {
			own := hdrhistogram.New(1, 600_000_000, 3)
			for time.Now().Before(end) && ctx.Err() == nil {
				sent := time.Now()
				err := exchange(ctx, conn, requests[int(next.Add(1))%len(requests)], l.Batch)
				done := time.Now()
				if err != nil {
					failed.Add(1)
					firstError.CompareAndSwap(nil, err.Error())
					time.Sleep(100 * time.Millisecond)
				} else if done.After(begin) && done.Before(end) {
					// Throughput counts what is answered within the time, wherever it began: long requests would be
					// counted short otherwise. So does the latency: the loop is closed, so no request is favoured.
					own.RecordValue(done.Sub(sent).Microseconds())
				}
			}
			mu.Lock()
			merged.Merge(own)
			mu.Unlock()
		})
	}
	wg.Wait()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	r := &Result{Kind: l.Kind, Clients: l.Clients, Batch: l.Batch, Seconds: l.Duration.Seconds(),
		Requests: merged.TotalCount(), Failed: failed.Load()}
	r.ItemsPerSec = float64(r.Requests) * float64(l.Batch) / r.Seconds
	ms := func(q float64) float64 { return float64(merged.ValueAtQuantile(q)) / 1000 }
	r.P50, r.P90, r.P99, r.Max = ms(50), ms(90), ms(99), float64(merged.Max())/1000
	r.FirstError, _ = firstError.Load().(string)
	if r.Requests == 0 {
		return r, fmt.Errorf("no request was answered within %v: %s", l.Duration, r.FirstError)
	}
	return r, nil
}

// exchange sends one request over a stream of its own, as a call of clip_client does, and waits for the answer.
func exchange(ctx context.Context, conn *grpc.ClientConn, request []byte, documents int) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	stream, err := conn.NewStream(ctx, &pb.JinaRPC_ServiceDesc.Streams[0], pb.JinaRPC_Call_FullMethodName,
		grpc.ForceCodecV2(rawCodec{}), grpc.MaxCallRecvMsgSize(1<<31-1))
	if err != nil {
		return err
	}
	if err := stream.SendMsg(request); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if err := stream.CloseSend(); err != nil {
		return err
	}
	var answer []byte
	if err := stream.RecvMsg(&answer); err != nil {
		return err
	}
	if err := checkAnswer(answer, documents); err != nil {
		return err
	}
	if err := stream.RecvMsg(new([]byte)); !errors.Is(err, io.EOF) {
		return fmt.Errorf("after the answer: %w", err)
	}
	return nil
}

// checkAnswer refuses errors, and answers that are too short to hold an embedding for each document. The documents
// themselves are not decoded: that would cost the load as much as the server.
func checkAnswer(answer []byte, documents int) error {
	m := &pb.DataRequestProtoWoData{}
	if err := (proto.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(answer, m); err != nil {
		return err
	}
	if st := m.GetHeader().GetStatus(); st.GetCode() == pb.StatusProto_ERROR {
		return fmt.Errorf("the server refused: %s", st.GetDescription())
	}
	if len(answer) < documents*128 {
		return fmt.Errorf("an answer of %d bytes holds no embeddings of %d documents", len(answer), documents)
	}
	return nil
}
