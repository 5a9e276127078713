package jina

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/proto"

	"clipd/engine"
	"clipd/frontend/fetch"
	"clipd/frontend/jina/pb"
)

// hashModel is an Embedder of 512 columns whose rows depend on the input alone. A picture must begin like a JPEG or PNG.
type hashModel struct{}

func (hashModel) Embed(_ context.Context, r engine.Request) (*engine.Embeddings, error) {
	const dim = 512
	e := &engine.Embeddings{Dim: dim, Data: make([]float32, dim*len(r.Inputs))}
	for i, in := range r.Inputs {
		content := []byte(in.Text)
		if in.Tower == engine.ImageTower {
			content = in.Image
			if in.Pixels != nil {
				content = in.Pixels.Data
			} else if !isPicture(content) {
				if e.Errs == nil {
					e.Errs = make([]error, len(r.Inputs))
				}
				e.Errs[i] = engine.Errorf(engine.Invalid, "no picture")
			}
		}
		h := uint32(2166136261)
		for _, b := range content {
			h = (h ^ uint32(b)) * 16777619
		}
		for j := range dim {
			h = h*1664525 + 1013904223
			e.Data[i*dim+j] = float32(int32(h)) / (1 << 31)
		}
	}
	return e, nil
}

func isPicture(b []byte) bool {
	s := string(b[:min(len(b), 200)])
	return (strings.HasPrefix(s, "\xff\xd8\xff") || strings.HasPrefix(s, "\x89PNG")) && !strings.Contains(s, "not an image")
}

// dialTest serves an executor in memory.
func dialTest(t *testing.T, model Embedder, name string) *grpc.ClientConn {
	t.Helper()
	return dialOptions(t, model, name, Options{Prefetch: 1000})
}

func dialOptions(t testing.TB, model Embedder, name string, o Options) *grpc.ClientConn {
	t.Helper()
	return serveTest(t, model, name, o)
}

func serveTest(t testing.TB, model Embedder, name string, o Options, server ...grpc.ServerOption) *grpc.ClientConn {
	t.Helper()
	return startTest(t, GatewayOptions{Version: "test"}, model, name, o, server...).dial(t)
}

// testServer serves in memory.
type testServer struct {
	listener *bufconn.Listener
	gateway  *Gateway
}

func startTest(t testing.TB, g GatewayOptions, model Embedder, name string, o Options, options ...grpc.ServerOption) *testServer {
	t.Helper()
	x, err := NewExecutor(ExecutorOptions{Name: name, Model: model, LogitScale: 100, Loader: fetch.Loader{}})
	if err != nil {
		t.Fatal(err)
	}
	s := &testServer{bufconn.Listen(1 << 20), NewGateway(g)}
	if err := s.gateway.SetExecutors(x); err != nil {
		t.Fatal(err)
	}
	service := NewService(s.gateway, o)
	server := grpc.NewServer(append(options, service.ServerOptions()...)...)
	service.Register(server)
	go server.Serve(s.listener)
	t.Cleanup(server.Stop)
	return s
}

func (s *testServer) dial(t testing.TB, options ...grpc.DialOption) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient("passthrough:///mem", append(options, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return s.listener.DialContext(ctx) }))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// differs names the captures whose recorded answer is a fault of the original, and what happens here instead.
var differs = map[string]string{
	"direct_call_duplicate_ids":       "the first of two documents with one id is encoded too",
	"direct_call_docs_bytes":          "pickles are refused",
	"direct_call_rank_model_suffix":   "/rank/<model> ranks",
	"direct_call_mime":                "an empty text on /encode gets an embedding",
	"direct_call_zero_length_message": "an empty message is an empty request",
	"post_server_side_uri":            "http URIs are off",
	"direct_garbage":                  "gRPC refuses what is no protobuf",
	"direct_endpoint_discovery":       "answered",
	"direct_reflection_list":          "reflection belongs to the server",
	"direct_reflection_symbol":        "reflection belongs to the server",
	"direct_reflection_v1":            "reflection belongs to the server",
	"direct_health_empty":             "health belongs to the server",
	"direct_health_jinarpc":           "health belongs to the server",
	"direct_health_unknown":           "health belongs to the server",
	"direct_info_status":              "values belong to a machine",
	"direct_data_list":                "no answer is recorded",
	"direct_unknown_service":          "no answer is recorded",
	"direct_call_no_messages":         "no answer is recorded",
	"dry_run":                         "another method",
	"direct_dry_run":                  "another method",
	"direct_stream_doc":               "another method",
}

// TestReplay sends what clip_client and others sent to the original and compares the answers in all that a client can
// see, apart from times and the values of embeddings and scores.
func TestReplay(t *testing.T) {
	root := "../../testdata/captures/grpc"
	folders, err := os.ReadDir(root)
	if err != nil {
		t.Fatal(err)
	}
	replayed := 0
	for _, f := range folders {
		if why := differs[f.Name()]; why != "" || !f.IsDir() {
			continue
		}
		replayed++
		t.Run(f.Name(), func(t *testing.T) { replay(t, filepath.Join(root, f.Name())) })
	}
	if replayed < 40 {
		t.Errorf("only %d captures were replayed", replayed)
	}
}

func replay(t *testing.T, folder string) {
	requests, answers := readMessages(t, folder, "client"), readMessages(t, folder, "server")
	name := "clip_t"
	if len(answers) > 0 && len(answers[0].Routes) > 1 {
		name = answers[0].Routes[1].Executor
	}
	conn := dialTest(t, hashModel{}, name)
	got := call(t, conn, method(t, folder), requests)
	if len(got) != len(answers) {
		t.Fatalf("%d answers, want %d", len(got), len(answers))
	}
	byID := make(map[string]*pb.DataRequestProto)
	for _, a := range got {
		byID[a.GetHeader().GetRequestId()] = a
	}
	for _, want := range answers {
		g := byID[want.GetHeader().GetRequestId()]
		if g == nil {
			t.Fatalf("request %s was not answered", want.GetHeader().GetRequestId())
		}
		normalise(g)
		normalise(want)
		if !proto.Equal(g, want) {
			t.Errorf("answer\n%v\nwant\n%v", g, want)
		}
	}
}

func readMessages(t *testing.T, folder, from string) []*pb.DataRequestProto {
	t.Helper()
	files, _ := filepath.Glob(filepath.Join(folder, "*-"+from+".bin"))
	sort.Strings(files)
	var messages []*pb.DataRequestProto
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		m := &pb.DataRequestProto{}
		if err := proto.Unmarshal(data, m); err != nil {
			t.Fatal(f, err)
		}
		messages = append(messages, m)
	}
	return messages
}

func method(t *testing.T, folder string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(folder, "exchange.json"))
	if err != nil {
		t.Fatal(err)
	}
	var calls []struct{ Method string }
	if err := json.Unmarshal(data, &calls); err != nil || len(calls) == 0 {
		t.Fatal(folder, err)
	}
	return calls[0].Method
}

func call(t *testing.T, conn *grpc.ClientConn, method string, requests []*pb.DataRequestProto) []*pb.DataRequestProto {
	t.Helper()
	var got []*pb.DataRequestProto
	if method == "/jina.JinaSingleDataRequestRPC/process_single_data" {
		for _, r := range requests {
			a, err := pb.NewJinaSingleDataRequestRPCClient(conn).ProcessSingleData(t.Context(), r)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, a)
		}
		return got
	}
	if method != "/jina.JinaRPC/Call" {
		t.Fatalf("capture of %s", method)
	}
	stream, err := pb.NewJinaRPCClient(conn).Call(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range requests {
		if err := stream.Send(r); err != nil {
			t.Fatal(err)
		}
	}
	stream.CloseSend()
	for {
		a, err := stream.Recv()
		if err == io.EOF {
			return got
		}
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, a)
	}
}

// normalise blanks what two servers may differ in.
func normalise(m *pb.DataRequestProto) {
	for _, r := range m.Routes {
		r.StartTime, r.EndTime = nil, nil
		normaliseStatus(r.Status)
	}
	normaliseStatus(m.GetHeader().GetStatus())
	failed := m.GetHeader().GetStatus() != nil
	normaliseDocs(m.GetData().GetDocs().GetDocs(), failed)
}

// normaliseStatus keeps the code and that there are words; the words are each server's own.
func normaliseStatus(s *pb.StatusProto) {
	if s == nil {
		return
	}
	if s.Description != "" {
		s.Description = "words"
	}
	if s.Exception != nil {
		s.Exception = &pb.StatusProto_ExceptionProto{Executor: s.Exception.Executor}
	}
}

func normaliseDocs(docs []*pb.DocumentProto, failed bool) {
	for _, d := range docs {
		if len(d.Id) == 32 {
			d.Id = "id"
		}
		if e := d.Embedding; e != nil && !failed {
			e.GetDense().Buffer = e.GetDense().Buffer[:0]
		}
		for _, s := range d.Scores {
			s.Value = 0
		}
		normaliseDocs(d.Chunks, failed)
		normaliseDocs(d.Matches, failed)
		slices.SortFunc(d.Matches, func(a, b *pb.DocumentProto) int { return strings.Compare(a.String(), b.String()) })
	}
}
