package jina

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"clipd/engine"
	"clipd/frontend/capturetest"
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
	return startLoading(t, fetch.Loader{}, g, model, name, o, options...)
}

// startLoading is startTest with the uris of documents.
func startLoading(t testing.TB, l fetch.Loader, g GatewayOptions, model Embedder, name string, o Options, options ...grpc.ServerOption) *testServer {
	t.Helper()
	x, err := NewExecutor(ExecutorOptions{Name: name, Model: model, LogitScale: 100, Loader: l})
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

// captures are real exchanges of clip_client, and of clients made by hand, with the original.
const captures = "../../testdata/captures"

// exceptions are the captures that are not simply replayed and compared.
var exceptions = map[string]struct {
	// why is what makes the recorded answer another one: a fault of the original, or a decision here.
	why string
	// mend takes that out of the recorded answers, so that the rest is compared; nil: check looks at the outcome instead.
	mend  func(answers []proto.Message)
	check func(t *testing.T, c *recordedCall, got *outcome)
	// loads: uris are refused unless the flow allows them; the capture is compared where it does.
	loads bool
}{
	"post_server_side_uri": {why: "only data: is loaded unless the flow allows more", loads: true, check: refuses("127.0.0.1")},
	"direct_call_duplicate_ids": {why: "the original leaves the first of two documents with one id alone; every document is embedded here",
		mend: func(answers []proto.Message) {
			docs := answers[0].(*pb.DataRequestProto).GetData().GetDocs().GetDocs()
			docs[0].MimeType, docs[0].Embedding = docs[1].MimeType, proto.CloneOf(docs[1].Embedding)
		}},
	"direct_call_docs_bytes":        {why: "the original unpickles what anybody sends", check: refuses("docs_bytes")},
	"direct_call_rank_model_suffix": {why: "the original does not rank with a model name: rank-model; ranking needs matches", check: refuses("matches")},
	"direct_call_zero_length_message": {why: "the original ends the stream; no bytes are a request without anything in it",
		check: func(t *testing.T, _ *recordedCall, got *outcome) {
			if a, ok := only(t, got).(*pb.DataRequestProto); got.status.Code() != codes.OK || !ok || a.GetHeader().GetStatus() != nil || len(a.Routes) < 2 {
				t.Errorf("%v %v", got.status, got.answers)
			}
		}},
	"target_executor_other": {why: "the original never ends the route of an executor that it does not ask",
		mend: func(answers []proto.Message) {
			r := answers[0].(*pb.DataRequestProto).Routes
			r[1].EndTime = r[0].EndTime
		}},
	"direct_stream_doc": {why: "the method is there only to be refused; the refusal has no route, and names the class of the executor",
		mend: func(answers []proto.Message) {
			a := answers[0].(*pb.SingleDocumentRequestProto)
			a.Routes, a.Header.Status.Exception.Executor = nil, "CLIPEncoder"
		}},
	"direct_garbage": {why: "the original ends the stream with UNKNOWN and the words of a Python exception",
		check: func(t *testing.T, _ *recordedCall, got *outcome) {
			if got.status.Code() != codes.InvalidArgument || !strings.Contains(got.status.Message(), "jina.DataRequestProto") || len(got.answers) != 0 {
				t.Errorf("%v %v", got.status, got.answers)
			}
		}},
	"direct_endpoint_discovery": {why: "the original fails with UNKNOWN",
		check: func(t *testing.T, _ *recordedCall, got *outcome) {
			if e, ok := only(t, got).(*pb.EndpointsProto); got.status.Code() != codes.OK || !ok || !slices.Equal(e.Endpoints, []string{"/rank", "/default"}) {
				t.Errorf("%v %v", got.status, got.answers)
			}
		}},
	"direct_info_status": {why: "versions and environment are those of the machine",
		check: func(t *testing.T, c *recordedCall, got *outcome) {
			want, is := c.answers(t)[0].(*pb.JinaInfoProto)
			if i, ok := only(t, got).(*pb.JinaInfoProto); got.status.Code() != codes.OK || !ok || !is || (len(i.Jina) == 0) != (len(want.Jina) == 0) {
				t.Errorf("%v %v", got.status, got.answers)
			}
		}},
}

// refuses makes the check that a request is answered, with an error that says a word.
func refuses(word string) func(t *testing.T, c *recordedCall, got *outcome) {
	return func(t *testing.T, c *recordedCall, got *outcome) {
		a, _ := only(t, got).(*pb.DataRequestProto)
		st, want := a.GetHeader().GetStatus(), c.answers(t)[0].(*pb.DataRequestProto)
		if got.status.Code() != codes.OK || st.GetCode() != pb.StatusProto_ERROR || !strings.Contains(st.GetDescription(), word) ||
			a.GetHeader().GetRequestId() != want.GetHeader().GetRequestId() || want.GetHeader().GetStatus() != nil {
			t.Errorf("%v %v", got.status, a)
		}
	}
}

func only(t *testing.T, got *outcome) proto.Message {
	t.Helper()
	if len(got.answers) != 1 {
		t.Fatalf("%d answers, want one; the call ended with %v", len(got.answers), got.status)
	}
	return got.answers[0]
}

// TestReplay sends what clip_client and others sent to the original and compares all that a client can see: how the call
// ends, its metadata, the number of answers and, where it was asked for, their order, and the answers themselves apart
// from times, ids that the server invents, words of errors, and the values of embeddings and scores. The calls of
// health and reflection are replayed where those are served.
func TestReplay(t *testing.T) {
	equal, mended, loaded, checked, elsewhere := 0, 0, 0, 0, 0
	names := capturetest.Names(t, captures, "grpc")
	assets := serveAssets(t)
	for _, name := range names {
		c := readCall(t, name)
		if !strings.HasPrefix(c.Method, "/jina.") {
			elsewhere++
			continue
		}
		x, except := exceptions[name]
		switch {
		case x.loads:
			loaded++
		case x.mend != nil:
			mended++
		case except:
			checked++
		default:
			equal++
		}
		t.Run(name, func(t *testing.T) {
			got := c.replay(t, fetch.Loader{})
			switch {
			case x.check != nil:
				x.check(t, c, got)
			case x.mend != nil:
				want := c.answers(t)
				x.mend(want)
				c.compare(t, got, want)
			default:
				c.compare(t, got, c.answers(t))
			}
			if x.loads || name == "direct_call_missing_uri" {
				c.address = assets.address
				c.compare(t, c.replay(t, *assets.loader), c.answers(t))
			}
		})
	}
	t.Logf("%d captures: %d equal, %d equal but for a fault of the original, %d equal when uris are allowed, %d with another outcome, %d elsewhere",
		len(names), equal, mended, loaded, checked, elsewhere)
	if elsewhere != 6 || mended+loaded+checked != len(exceptions) || equal+mended+loaded+checked+elsewhere != len(names) {
		t.Error("some captures were forgotten")
	}
}

// TestReplayRankWithModel shows that /rank/MODEL ranks as the original does for /rank alone.
func TestReplayRankWithModel(t *testing.T) {
	for _, name := range []string{"rank_image_query", "rank_text_query", "rank_two_queries"} {
		t.Run(name, func(t *testing.T) {
			c := readCall(t, name)
			c.endpoint = "/rank/ViT-B-32"
			c.compare(t, c.replay(t, fetch.Loader{}), c.answers(t))
		})
	}
}

// recordedCall is a call of a capture.
type recordedCall struct {
	Method   string
	Metadata [][2]string                   `json:"request metadata"`
	Events   []struct{ From, File string } `json:"events (t in seconds)"`
	Initial  [][2]string                   `json:"initial metadata"`
	Trailing [][2]string                   `json:"trailing metadata"`
	Status   codes.Code

	name     string
	address  string // of the pictures, instead of the one that was recorded
	endpoint string // instead of the one that was recorded
}

func readCall(t *testing.T, name string) *recordedCall {
	t.Helper()
	var calls []*recordedCall
	data, err := os.ReadFile(filepath.Join(captures, "grpc", name, "exchange.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &calls); err != nil || len(calls) != 1 {
		t.Fatalf("%s: %d calls, %v", name, len(calls), err)
	}
	calls[0].name = name
	return calls[0]
}

// files are the messages of one side, in order.
func (c *recordedCall) files(t *testing.T, from string) [][]byte {
	t.Helper()
	var all [][]byte
	for _, e := range c.Events {
		if e.From != from || e.File == "" {
			continue
		}
		data, err := os.ReadFile(filepath.Join(captures, "grpc", c.name, e.File))
		if err != nil {
			t.Fatal(err)
		}
		if c.address != "" { // both have as many bytes, so that lengths stay right
			data = bytes.ReplaceAll(data, []byte(recordedAddress), []byte(c.address))
		}
		if c.endpoint != "" {
			m := &pb.DataRequestProto{}
			if err := proto.Unmarshal(data, m); err != nil {
				t.Fatal(err)
			}
			m.Header.ExecEndpoint = &c.endpoint
			if data, err = proto.Marshal(m); err != nil {
				t.Fatal(err)
			}
		}
		all = append(all, data)
	}
	return all
}

func (c *recordedCall) answers(t *testing.T) []proto.Message {
	t.Helper()
	var all []proto.Message
	for _, data := range c.files(t, "server") {
		all = append(all, c.decode(t, data))
	}
	return all
}

// decode reads an answer.
func (c *recordedCall) decode(t *testing.T, data []byte) proto.Message {
	t.Helper()
	types := map[string]proto.Message{
		"/jina.JinaRPC/Call": &pb.DataRequestProto{}, "/jina.JinaSingleDataRequestRPC/process_single_data": &pb.DataRequestProto{},
		"/jina.JinaGatewayDryRunRPC/dry_run": &pb.StatusProto{}, "/jina.JinaInfoRPC/_status": &pb.JinaInfoProto{},
		"/jina.JinaDiscoverEndpointsRPC/endpoint_discovery": &pb.EndpointsProto{},
		"/jina.JinaSingleDocumentRequestRPC/stream_doc":     &pb.SingleDocumentRequestProto{},
	}
	m := types[c.Method]
	if m == nil {
		t.Fatalf("%s answered %q", c.Method, data)
	}
	if err := proto.Unmarshal(data, m); err != nil {
		t.Fatalf("%s answered %q: %v", c.Method, data, err)
	}
	return m
}

// outcome is what a client gets of a call.
type outcome struct {
	answers           []proto.Message
	initial, trailing metadata.MD
	status            *status.Status
}

// bytesCodec sends and receives messages as they are on the wire.
type bytesCodec struct{}

func (bytesCodec) Marshal(v any) ([]byte, error) { return *v.(*[]byte), nil }
func (bytesCodec) Unmarshal(data []byte, v any) (err error) {
	message, coding := unmark(bytes.Clone(data)) // compressed answers come as they are in this process
	if coding != nil {
		message, err = coding.unpack(message, 1<<20, func(int64) error { return nil })
	}
	*v.(*[]byte) = message
	return err
}
func (bytesCodec) Name() string { return "" }

// encodings are how calls were compressed: exchange.json has messages as they are unpacked.
var encodings = map[string]string{"compression_deflate": "deflate", "compression_gzip": "gzip"}

// replay sends the recorded messages, byte by byte and with their metadata, to a server with the recorded executor.
func (c *recordedCall) replay(t *testing.T, l fetch.Loader) *outcome {
	t.Helper()
	sent := &sentHeader{}
	conn := startLoading(t, l, GatewayOptions{Version: "test"}, hashModel{}, c.executor(t), Options{Prefetch: 1000}).dial(t, grpc.WithStatsHandler(sent))
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for _, pair := range c.Metadata {
		if pair[0] != "user-agent" {
			ctx = metadata.AppendToOutgoingContext(ctx, pair[0], pair[1])
		}
	}
	options := []grpc.CallOption{grpc.ForceCodec(bytesCodec{})}
	if e := encodings[c.name]; e != "" {
		options = append(options, grpc.UseCompressor(e))
	}
	stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, c.Method, options...)
	if err != nil {
		t.Fatal(err)
	}
	for _, message := range c.files(t, "client") {
		if err := stream.SendMsg(&message); err != nil && err != io.EOF { // EOF: the call has ended
			t.Fatal(err)
		}
	}
	stream.CloseSend()
	got := &outcome{}
	for {
		var answer []byte
		if err = stream.RecvMsg(&answer); err != nil {
			break
		}
		got.answers = append(got.answers, c.decode(t, answer))
	}
	if err == io.EOF {
		err = nil
	}
	got.status = status.Convert(err)
	got.initial, _ = stream.Header()
	got.trailing = stream.Trailer()
	if e := sent.encoding(); e != encodings[c.name] {
		t.Errorf("the call was compressed with %q", e)
	}
	return got
}

// executor is who answered.
func (c *recordedCall) executor(t *testing.T) string {
	for _, m := range c.answers(t) {
		if a, ok := m.(*pb.DataRequestProto); ok && len(a.Routes) > 1 {
			return a.Routes[1].Executor
		}
	}
	return "clip_t"
}

// sentHeader sees how a call was compressed on the wire.
type sentHeader struct {
	mu   sync.Mutex
	with string
}

func (s *sentHeader) encoding() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.with
}

func (s *sentHeader) HandleRPC(_ context.Context, r stats.RPCStats) {
	if h, ok := r.(*stats.OutHeader); ok {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.with = h.Compression
	}
}
func (*sentHeader) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context   { return ctx }
func (*sentHeader) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }
func (*sentHeader) HandleConn(context.Context, stats.ConnStats)                       {}

// compare compares what a client sees.
func (c *recordedCall) compare(t *testing.T, got *outcome, want []proto.Message) {
	t.Helper()
	if got.status.Code() != c.Status {
		t.Errorf("the call ended with %v, want %v", got.status, c.Status)
	}
	delete(got.initial, "content-type")
	delete(got.trailing, "content-type") // of an answer that has nothing but trailers
	if len(got.initial) != len(c.Initial) || len(got.trailing) != len(c.Trailing) {
		t.Errorf("metadata %v and %v, want %v and %v", got.initial, got.trailing, c.Initial, c.Trailing)
	}
	if len(got.answers) != len(want) {
		t.Fatalf("%d answers, want %d; the call ended with %v", len(got.answers), len(want), got.status)
	}
	n := normaliser{ids: c.ids(t)}
	inOrder := slices.ContainsFunc(c.Metadata, func(m [2]string) bool { return m[0] == "__results_in_order__" })
	g, w := n.texts(t, got.answers, true), n.texts(t, want, false)
	if !inOrder {
		slices.Sort(g)
		slices.Sort(w)
	}
	for i := range w {
		if g[i] != w[i] {
			t.Errorf("answer\n%s\nwant\n%s", g[i], w[i])
		}
	}
}

// ids are those that the client chose.
func (c *recordedCall) ids(t *testing.T) map[string]bool {
	ids := make(map[string]bool)
	var collect func(docs []*pb.DocumentProto)
	collect = func(docs []*pb.DocumentProto) {
		for _, d := range docs {
			ids[d.Id] = true
			collect(d.Chunks)
			collect(d.Matches)
		}
	}
	for _, data := range c.files(t, "client") {
		var r pb.DataRequestProto
		if proto.Unmarshal(data, &r) == nil {
			collect(r.GetData().GetDocs().GetDocs())
		}
	}
	return ids
}

// normaliser blanks what two servers may differ in.
type normaliser struct{ ids map[string]bool }

// texts are the messages as lines; ours have things in them that the recorded ones cannot have.
func (n normaliser) texts(t *testing.T, messages []proto.Message, ours bool) []string {
	t.Helper()
	var all []string
	for _, m := range messages {
		switch m := m.(type) {
		case *pb.DataRequestProto:
			n.status(t, m.GetHeader().GetStatus())
			n.routes(t, m.Routes)
			n.docs(t, m.GetData().GetDocs().GetDocs(), m.GetHeader().GetStatus() != nil, ours)
		case *pb.SingleDocumentRequestProto:
			n.status(t, m.GetHeader().GetStatus())
			n.routes(t, m.Routes)
		}
		all = append(all, text(m))
	}
	return all
}

// text is a message in one spelling: that of prototext differs from run to run on purpose.
func text(m proto.Message) string {
	s := prototext.MarshalOptions{Multiline: true, Indent: " "}.Format(m)
	for strings.Contains(s, ":  ") {
		s = strings.ReplaceAll(s, ":  ", ": ")
	}
	return s
}

// status keeps the code, who failed, and that there are words, in the form that jina has for them.
func (n normaliser) status(t *testing.T, s *pb.StatusProto) {
	t.Helper()
	if s == nil {
		return
	}
	if e := s.Exception; e != nil {
		if e.Name == "" || len(e.Args) == 0 || len(e.Stacks) == 0 || !strings.HasPrefix(s.Description, e.Name+"(") || !strings.HasSuffix(s.Description, ")") {
			t.Errorf("the error is no NAME('words') with its parts: %v", s)
		}
		s.Description = "words"
		s.Exception = &pb.StatusProto_ExceptionProto{Executor: e.Executor}
	}
}

// routes keeps which times there are.
func (n normaliser) routes(t *testing.T, routes []*pb.RouteProto) {
	t.Helper()
	for _, r := range routes {
		if r.StartTime != nil && r.EndTime != nil && r.EndTime.AsTime().Before(r.StartTime.AsTime()) {
			t.Errorf("route %s ends before it begins", r.Executor)
		}
		for _, at := range []**timestamppb.Timestamp{&r.StartTime, &r.EndTime} {
			if *at != nil {
				*at = &timestamppb.Timestamp{Seconds: 1}
			}
		}
		n.status(t, r.Status)
	}
}

func (n normaliser) docs(t *testing.T, docs []*pb.DocumentProto, failed, ours bool) {
	t.Helper()
	for _, d := range docs {
		if !n.ids[d.Id] {
			if len(d.Id) != 32 || strings.Trim(d.Id, "0123456789abcdef") != "" {
				t.Errorf("an invented id is %q", d.Id)
			}
			d.Id = "invented"
		}
		if e := d.Embedding.GetDense(); e != nil && !failed {
			e.Buffer = fmt.Append(nil, len(e.Buffer), " bytes")
		}
		if ours && !slices.IsSortedFunc(d.Matches, func(a, b *pb.DocumentProto) int {
			return -compareScores(a.Scores["clip_score"], b.Scores["clip_score"])
		}) {
			t.Errorf("the matches of %s are not sorted", d.Id)
		}
		for _, s := range d.Scores {
			s.Value = 1
		}
		n.docs(t, d.Chunks, failed, ours)
		n.docs(t, d.Matches, failed, ours)
		slices.SortFunc(d.Matches, func(a, b *pb.DocumentProto) int { return strings.Compare(text(a), text(b)) })
	}
}

func compareScores(a, b *pb.NamedScoreProto) int {
	switch x, y := a.GetValue(), b.GetValue(); {
	case x < y:
		return -1
	case x > y:
		return 1
	}
	return 0
}

// recordedAddress is where the pictures of captures were served.
const recordedAddress = "127.0.0.1:51140"

// assets are the pictures of captures, served again, and a loader that may load them.
type assets struct {
	address string
	loader  *fetch.Loader
}

func serveAssets(t *testing.T) assets {
	t.Helper()
	s := httptest.NewServer(http.FileServer(http.Dir(filepath.Join(captures, "assets"))))
	t.Cleanup(s.Close)
	a := assets{address: s.Listener.Addr().String()}
	if len(a.address) != len(recordedAddress) {
		t.Fatalf("the pictures are served at %s, which is not as long as %s", a.address, recordedAddress)
	}
	var err error
	a.loader, err = fetch.New(fetch.Options{HTTP: true, Networks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Folder: filepath.Join(captures, "assets")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.loader.Close() })
	return a
}
