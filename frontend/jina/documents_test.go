package jina

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/structpb"

	"clipd/frontend/fetch"
	"clipd/frontend/jina/pb"
)

// tree is a document "r" with chunks c0..c2, the first of which has a chunk "cc0", and matches m0, m1.
func tree() []*pb.DocumentProto {
	text := func(id string) *pb.DocumentProto {
		return &pb.DocumentProto{Id: id, Content: &pb.DocumentProto_Text{Text: id}}
	}
	r := text("r")
	for i := range 3 {
		r.Chunks = append(r.Chunks, text(fmt.Sprint("c", i)))
	}
	r.Chunks[0].Chunks = []*pb.DocumentProto{text("cc0")}
	r.Matches = []*pb.DocumentProto{text("m0"), text("m1")}
	return []*pb.DocumentProto{r}
}

func TestAccessPaths(t *testing.T) {
	check := func(path, want string) {
		t.Helper()
		a, err := parseAccessPaths(path)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			return
		}
		var ids []string
		for _, d := range a.find(tree()) {
			ids = append(ids, d.Id)
		}
		if got := strings.Join(ids, " "); got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
	check("@r", "r")
	check("@c", "c0 c1 c2")
	check("@r,c", "r c0 c1 c2")
	check("@c, cc", "c0 c1 c2 cc0")
	check("@m,r,m", "m0 m1 r")
	check("@c[1]", "c1")
	check("@c[-1]", "c2")
	check("@c[7]", "")
	check("@c[:2]", "c0 c1")
	check("@c[::-1]", "c2 c1 c0")
	check("@c[1:]", "c1 c2")
	check("@c[1::9223372036854775807]", "c1")
	check("@c[1::-9223372036854775808]", "c1")
	check("@c[-9223372036854775808:9223372036854775807]", "c0 c1 c2")
	check("@rc", "c0 c1 c2")
	refuse := func(path string) {
		t.Helper()
		if _, err := parseAccessPaths(path); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%q: %v", path, err)
		}
	}
	for _, bad := range []string{"r", "@", "@x", "@r,", "@c[", "@c[a]", "@c[]", "@c[1:2:0]", "@c[1:2:3:4]", ""} {
		refuse(bad)
	}
}

func TestParameters(t *testing.T) {
	parse := func(fields map[string]any) (parameters, error) {
		s, err := structpb.NewStruct(fields)
		if err != nil {
			t.Fatal(err)
		}
		return parseParameters(s, "clip_t")
	}
	check := func(fields map[string]any, want parameters) {
		t.Helper()
		if p, err := parse(fields); err != nil || p != want {
			t.Errorf("%v: %+v, %v; want %+v", fields, p, err, want)
		}
	}
	check(nil, parameters{})
	check(map[string]any{"drop_image_content": "false"}, parameters{dropImageContent: true})
	check(map[string]any{"drop_image_content": 0}, parameters{})
	check(map[string]any{"access_paths": "@c", "traversal_paths": "@m"}, parameters{accessPaths: "@m"})
	check(map[string]any{"clip_t": map[string]any{"drop_image_content": true}}, parameters{dropImageContent: true})
	check(map[string]any{"clip_t__access_paths": "@c", "access_paths": "@r"}, parameters{accessPaths: "@c"})
	check(map[string]any{"other__access_paths": "@c", "access_paths": nil}, parameters{})
	if _, err := parse(map[string]any{"access_paths": 7}); err == nil || !strings.Contains(err.Error(), "7") {
		t.Errorf("a number as access_paths: %v", err)
	}
}

func TestTensors(t *testing.T) {
	check := func(dtype string, shape []uint32, buffer string, want string) {
		t.Helper()
		p, err := pixelsOf(&pb.NdArrayProto{Content: &pb.NdArrayProto_Dense{
			Dense: &pb.DenseNdArrayProto{Dtype: dtype, Shape: shape, Buffer: []byte(buffer)}}})
		got := ""
		if err != nil {
			got = err.Error()
		} else {
			got = fmt.Sprint(p.Height, p.Width, p.Channels, p.Data)
		}
		if !strings.Contains(got, want) {
			t.Errorf("%s %v: %s, want %s", dtype, shape, got, want)
		}
	}
	check("|u1", []uint32{1, 2, 3}, "\x01\x02\x03\x04\x05\x06", "1 2 3 [1 2 3 4 5 6]")
	check("<i4", []uint32{1, 2}, "\x07\x01\x00\x00\xff\xff\xff\xff", "1 2 1 [7 255]")
	check(">u2", []uint32{1, 1}, "\x01\x02", "1 1 1 [2]")
	check("<f4", []uint32{1, 2}, "\x00\x00\x80\x3f\x00\x00\xc0\x7f", "1 2 1 [1 0]")
	check("float64", []uint32{1, 1}, "\x00\x00\x00\x00\x00\x00\x59\x40", "1 1 1 [100]")
	check("<c8", []uint32{1, 1}, "12345678", "not read")
	check("|u1", []uint32{4}, "1234", "shape [4]")
	check("|u1", []uint32{2, 2, 3}, "1", "does not fit")
	check("|u1", []uint32{1 << 31, 1 << 31, 4}, "", "does not fit")
	check("|u1", []uint32{0, 5, 3}, "", "does not fit")
}

func handle(t *testing.T, req *pb.DataRequestProto) *pb.DataRequestProto {
	t.Helper()
	x, err := NewExecutor(ExecutorOptions{Name: "clip_t", Model: hashModel{}, LogitScale: 100, Loader: fetch.Loader{}})
	if err != nil {
		t.Fatal(err)
	}
	g := NewGateway(GatewayOptions{Version: "test"})
	if err := g.SetExecutors(x); err != nil {
		t.Fatal(err)
	}
	if err := g.Handle(t.Context(), &Call{Request: req, Arrived: time.Now()}); err != nil {
		t.Fatal(err)
	}
	return req
}

func TestErrorNamesTheDocument(t *testing.T) {
	docs := tree()
	docs = append(docs, &pb.DocumentProto{Id: "the-bad-one", Content: &pb.DocumentProto_Blob{Blob: []byte("no picture")}})
	a := handle(t, NewRequest("/encode", docs))
	text := a.Header.GetStatus().GetDescription()
	for _, want := range []string{"ValueError(", "document 1", "the-bad-one"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q does not contain %q", text, want)
		}
	}
	if a.Data.GetDocs().Docs[0].Embedding != nil || a.Data.GetDocs().Docs[1].GetBlob() == nil {
		t.Error("a failed request did not keep its documents as they came")
	}
}

func TestEmptyTextOnEncode(t *testing.T) {
	a := handle(t, NewRequest("/encode", []*pb.DocumentProto{{Id: "a"}}))
	if a.Data.GetDocs().Docs[0].Embedding == nil {
		t.Error("an empty text got no embedding on /encode")
	}
	a = handle(t, NewRequest("/", []*pb.DocumentProto{{Id: "a"}}))
	if a.Data.GetDocs().Docs[0].Embedding != nil || a.Header.Status != nil {
		t.Error("an empty document did not go back as it came")
	}
}

func TestURIs(t *testing.T) {
	check := func(uri, want string) {
		t.Helper()
		a := handle(t, NewRequest("/", []*pb.DocumentProto{{Uri: uri}}))
		if got := a.Header.GetStatus().GetDescription(); !strings.Contains(got, want) || (want == "") != (got == "") {
			t.Errorf("%s: %q, want %q", uri, got, want)
		}
	}
	check("data:image/png;base64,iVBORw0KGgo=", "")
	check("data:image/png;base64,iVBORw0KGgo", "")
	check("data:,%89PNG", "")
	check("data:image/png;base64,****", "not base64")
	check("data:image/png;base64", "no comma")
	check("http://127.0.0.1/x.png", "data: URIs only")
	check("/etc/passwd", "data: URIs only")
	check("file:///etc/passwd", "data: URIs only")
}

// TestProfileTimes holds the routes to what the client's profile() divides by.
func TestProfileTimes(t *testing.T) {
	for range 50 {
		a := handle(t, NewRequest("/", []*pb.DocumentProto{{Id: "a"}}))
		r := a.Routes
		begin, end := r[0].StartTime.AsTime().UnixMilli(), r[0].EndTime.AsTime().UnixMilli()
		if len(r) != 2 || end-begin < 1 || end-begin > 1000 {
			t.Fatalf("gateway took %d ms in %d routes", end-begin, len(r))
		}
		if r[1].StartTime.AsTime().Before(r[0].StartTime.AsTime()) || r[1].EndTime.AsTime().After(r[0].EndTime.AsTime()) {
			t.Fatal("the executor's route is not within the gateway's")
		}
	}
}
