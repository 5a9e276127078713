package frontend

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"image"
	"image/png"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"clipd/engine"
	"clipd/flows"
	"clipd/frontend/fetch"
	"clipd/frontend/jina"
	"clipd/frontend/jina/pb"
	"clipd/frontend/limit"
	"clipd/frontend/metrics"
)

// heldLane answers ones, each batch when it is let.
type heldLane struct {
	begun chan int
	gate  chan struct{}
}

func (l heldLane) run(rows int, out []float32) error {
	select {
	case l.begun <- rows:
	default:
	}
	<-l.gate
	for i := range out {
		out[i] = 1
	}
	return nil
}

func (l heldLane) RunImages(_ []byte, rows, _ int, out []float32) error { return l.run(rows, out) }
func (l heldLane) RunTexts(b engine.TextBatch, out []float32) error     { return l.run(b.Rows, out) }
func (l heldLane) Close()                                               {}

// letters makes a token of each letter.
type letters struct{}

func (letters) Append(dst []int32, text string, most int) []int32 {
	for _, b := range []byte(text[:min(len(text), most)]) {
		dst = append(dst, int32(b))
	}
	return dst
}

// whole is a server with an engine behind it.
type whole struct {
	*Server
	t       *testing.T
	model   *engine.Model
	lane    heldLane
	bytes   *limit.Bytes
	metrics *metrics.Metrics
	conn    *grpc.ClientConn
}

func startWhole(t *testing.T, dim int, change func(*flows.Gateway)) *whole {
	t.Helper()
	return startWholeLogging(t, dim, zerolog.Nop(), change)
}

func startWholeLogging(t *testing.T, dim int, log zerolog.Logger, change func(*flows.Gateway)) *whole {
	t.Helper()
	w := &whole{t: t, lane: heldLane{make(chan int, 1000), make(chan struct{})}, bytes: limit.NewBytes(64 << 20), metrics: metrics.New("test")}
	counted := w.metrics.Executor("clip_t")
	var err error
	if w.model, err = engine.New(engine.Spec{Name: "test", Dim: dim, ImageSize: 32, ContextLength: 8}, letters{}, []engine.Slot{{Lane: w.lane}},
		engine.Options{MaxBatch: 4, Workers: 1, Observer: counted.Observer()}); err != nil {
		t.Fatal(err)
	}
	w.metrics.AddModel("clip_t", w.model)
	x, err := jina.NewExecutor(jina.ExecutorOptions{Name: "clip_t", Model: w.model, Loader: fetch.Loader{}, Bytes: w.bytes, Metrics: counted})
	if err != nil {
		t.Fatal(err)
	}
	gateway := jina.NewGateway(jina.GatewayOptions{Version: "test", MaxDocuments: 100, Metrics: w.metrics})
	if err := gateway.SetExecutors(x); err != nil {
		t.Fatal(err)
	}
	o := settings(func(g *flows.Gateway) {
		g.Limits.MaxMessageBytes = 16 << 20
		if change != nil {
			change(g)
		}
	})
	o.Bytes, o.Metrics, o.Log = w.bytes, w.metrics, log
	if w.Server, err = Listen(o, gateway); err != nil {
		t.Fatal(err)
	}
	w.SetReady(true)
	if w.conn, err = grpc.NewClient("passthrough:///"+w.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(1<<30))); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		w.conn.Close()
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		w.Shutdown(ctx)
		w.model.Close()
	})
	return w
}

func withKey(ctx context.Context, secret string) context.Context {
	return metadata.AppendToOutgoingContext(ctx, "authorization", secret)
}

func (w *whole) open() { close(w.lane.gate) }

func (w *whole) eventually(what string, reached func() bool) {
	w.t.Helper()
	for range 1000 {
		if reached() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	w.t.Fatalf("never: %s; %+v, %d bytes", what, w.model.Activity(), w.bytes.Used())
}

// free waits until nothing is left of any request.
func (w *whole) free() {
	w.t.Helper()
	w.eventually("nothing is left", func() bool { return w.model.Activity().Queued == 0 && w.bytes.Used() == 0 })
}

// waiting waits until so many inputs are accepted.
func (w *whole) waiting(n int) {
	w.t.Helper()
	w.eventually(fmt.Sprintf("%d inputs are accepted", n), func() bool { return w.model.Activity().Queued == n })
}

// caller sends a request over a protocol, with a timeout or none, until ctx ends, and returns the error that comes of it.
type caller func(ctx context.Context, req *pb.DataRequestProto, timeout string) error

// callers are the ways in on which a single request is sent and given up.
func (w *whole) callers() map[string]caller {
	md := func(ctx context.Context, timeout string) context.Context {
		if timeout == "" {
			return ctx
		}
		return metadata.AppendToOutgoingContext(ctx, "x-request-timeout", timeout)
	}
	return map[string]caller{
		"unary": func(ctx context.Context, req *pb.DataRequestProto, timeout string) error {
			a, err := pb.NewJinaSingleDataRequestRPCClient(w.conn).ProcessSingleData(md(ctx, timeout), req)
			if err == nil {
				err = jina.Refused(a)
			}
			return err
		},
		"stream": func(ctx context.Context, req *pb.DataRequestProto, timeout string) error {
			stream, err := pb.NewJinaRPCClient(w.conn).Call(md(ctx, timeout))
			if err != nil {
				return err
			}
			if err := stream.Send(req); err != nil {
				return err
			}
			a, err := stream.Recv()
			if err == nil {
				err = jina.Refused(a)
			}
			return err
		},
		"http": func(ctx context.Context, req *pb.DataRequestProto, timeout string) error {
			var docs []string
			for _, d := range req.Data.GetDocs().Docs {
				if blob := d.GetBlob(); blob != nil {
					docs = append(docs, fmt.Sprintf(`{"blob":%q}`, base64.StdEncoding.EncodeToString(blob)))
				} else {
					docs = append(docs, fmt.Sprintf(`{"text":%q}`, d.GetText()))
				}
			}
			r, err := http.NewRequestWithContext(ctx, "POST", "http://"+w.Addr().String()+"/encode", strings.NewReader(`{"data":[`+strings.Join(docs, ",")+`]}`))
			if err != nil {
				return err
			}
			r.Header.Set("Content-Type", "application/json")
			if timeout != "" {
				r.Header.Set("X-Request-Timeout", timeout)
			}
			a, err := http.DefaultClient.Do(r)
			if err != nil {
				return err
			}
			defer a.Body.Close()
			body, err := io.ReadAll(a.Body)
			if err == nil && a.StatusCode != 200 {
				err = fmt.Errorf("%d %s", a.StatusCode, body)
			}
			return err
		},
	}
}

func texts(n int) *pb.DataRequestProto {
	docs := make([]*pb.DocumentProto, n)
	for i := range docs {
		docs[i] = &pb.DocumentProto{Content: &pb.DocumentProto_Text{Text: fmt.Sprint(i)}}
	}
	return jina.NewRequest("/encode", docs)
}

func picture(t *testing.T, size int) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, size, size))); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func pictures(blobs ...[]byte) *pb.DataRequestProto {
	docs := make([]*pb.DocumentProto, len(blobs))
	for i := range docs {
		docs[i] = &pb.DocumentProto{Content: &pb.DocumentProto_Blob{Blob: blobs[i]}}
	}
	return jina.NewRequest("/encode", docs)
}

// TestGoneInEachPhase gives requests up while they are decoded, queued and running, over each protocol, and finds their places free
// and the next request answered.
func TestGoneInEachPhase(t *testing.T) {
	large := picture(t, 3000)
	for _, protocol := range []string{"unary", "stream", "http"} {
		t.Run(protocol, func(t *testing.T) {
			w := startWhole(t, 4, nil)
			send := w.callers()[protocol]
			giveUp := func(req *pb.DataRequestProto, reached func()) {
				t.Helper()
				ctx, cancel := context.WithCancel(t.Context())
				done := make(chan error, 1)
				go func() { done <- send(ctx, req, "") }()
				reached()
				cancel()
				if err := <-done; err == nil {
					t.Error("answered")
				}
			}
			running := make(chan error, 1)
			go func() { running <- send(t.Context(), texts(1), "") }() // keeps the lane busy
			<-w.lane.begun
			giveUp(texts(3), func() { w.waiting(1 + 3) })               // queued
			giveUp(pictures(large, large), func() { w.waiting(1 + 2) }) // decoded
			w.waiting(1)
			w.open()
			if err := <-running; err != nil {
				t.Error(err)
			}
			w.free()
			if err := send(t.Context(), texts(5), ""); err != nil {
				t.Errorf("afterwards: %v", err)
			}
			w.free()
		})
		t.Run(protocol+" running", func(t *testing.T) {
			w := startWhole(t, 4, nil)
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() { done <- w.callers()[protocol](ctx, texts(2), "") }()
			<-w.lane.begun
			cancel()
			<-done
			w.free() // though the lane works on it still
			w.open()
			if err := w.callers()[protocol](t.Context(), texts(2), ""); err != nil {
				t.Errorf("afterwards: %v", err)
			}
			w.free()
		})
	}
}

// TestLateInTheQueue: a request whose own time is over leaves the queue, is told in the words of its protocol, and harms nobody.
func TestLateInTheQueue(t *testing.T) {
	for _, protocol := range []string{"unary", "stream", "http"} {
		t.Run(protocol, func(t *testing.T) {
			w := startWhole(t, 4, nil)
			send := w.callers()[protocol]
			others := make(chan error, 2)
			go func() { others <- send(t.Context(), texts(1), "") }()
			<-w.lane.begun
			go func() { others <- send(t.Context(), texts(3), "") }()
			w.waiting(4)
			err := send(t.Context(), texts(20), "0.1")
			switch {
			case err == nil || !strings.Contains(err.Error(), "within the 100ms that it allows"):
				t.Errorf("%v", err)
			case protocol == "unary" && status.Code(err) != codes.DeadlineExceeded, protocol == "http" && !strings.HasPrefix(err.Error(), "504 "),
				protocol == "stream" && !strings.Contains(err.Error(), "TimeoutError"):
				t.Errorf("%v", err)
			}
			if a := w.model.Activity(); a.Queued != 4 {
				t.Errorf("%+v: the late request is in the queue still", a)
			}
			w.open()
			for range 2 {
				if err := <-others; err != nil {
					t.Error(err)
				}
			}
			w.free()
		})
	}
}

// TestGoneWhileWaitingForRoom gives a stream up that waits for room of its own, and one that waits for documents of its own.
func TestGoneWhileWaitingForRoom(t *testing.T) {
	w := startWhole(t, 4, nil)
	blob := bytes.Repeat([]byte("x"), 5<<20) // two of them are more than an eighth of 64 MiB
	ctx, cancel := context.WithCancel(t.Context())
	stream, err := pb.NewJinaRPCClient(w.conn).Call(ctx)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		stream.Send(texts(1))
		for range 3 {
			if stream.Send(pictures(blob)) != nil {
				return
			}
		}
	}()
	<-w.lane.begun
	w.eventually("one picture is in", func() bool { return w.bytes.Used() > int64(len(blob)) })
	cancel()
	w.free()
	w.open()
	if err := w.callers()["unary"](t.Context(), texts(2), ""); err != nil {
		t.Error(err)
	}
}

// TestGoneWhileItIsAnswered gives requests up whose answers are being written, to readers who take nothing.
func TestGoneWhileItIsAnswered(t *testing.T) {
	w := startWhole(t, 1<<18, func(g *flows.Gateway) { g.Limits.WriteTimeout = time.Minute })
	w.open()
	c, err := net.Dial("tcp", w.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	body := `{"data":[` + strings.TrimSuffix(strings.Repeat(`{"text":"x"},`, 4), ",") + `],"encoding_format":"base64"}`
	fmt.Fprintf(c, "POST /encode HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	w.eventually("the answer over HTTP is written", func() bool { return w.model.Activity().Queued == 0 && w.bytes.Used() > 1<<20 })
	c.Close()
	w.free()

	ctx, cancel := context.WithCancel(t.Context())
	stream, err := pb.NewJinaRPCClient(w.conn).Call(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for range 4 {
		if err := stream.Send(texts(4)); err != nil {
			t.Fatal(err)
		}
	}
	w.eventually("the answers over gRPC are written", func() bool { return w.model.Activity().Queued == 0 && w.bytes.Used() > 1<<20 })
	cancel()
	w.free()
	if err := w.callers()["unary"](t.Context(), texts(1), ""); err != nil {
		t.Error(err)
	}
}
