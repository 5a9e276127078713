package jinajson

import (
	"bytes"
	"encoding/json"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"clipd/frontend/jina/pb"
)

// invent makes random messages.
type invent struct{ *rand.Rand }

func (r invent) some(n int) bool { return r.IntN(n) == 0 }

func (r invent) text() string {
	pieces := []string{"a", "data", "\"", "\\", "\x00", "\n", "é", "漢", "😀", "\u2028", "<", "/", "0123456789abcdef", "da", "ta", strings.Repeat("x", 1100)}
	var b strings.Builder
	for range r.IntN(6) {
		b.WriteString(pieces[r.IntN(len(pieces))])
	}
	return b.String()
}

func (r invent) float() float32 {
	if r.some(3) {
		return float32(r.IntN(2000) - 1000)
	}
	return float32(r.NormFloat64())
}

func (r invent) value(depth int) *structpb.Value {
	switch k := r.IntN(7); {
	case k == 0:
		return structpb.NewNullValue()
	case k == 1:
		return structpb.NewBoolValue(r.some(2))
	case k == 2:
		return structpb.NewStringValue(r.text())
	case k == 3 && depth > 0:
		return structpb.NewStructValue(r.object(depth - 1))
	case k == 4 && depth > 0:
		l := &structpb.ListValue{}
		for range r.IntN(4) {
			l.Values = append(l.Values, r.value(depth-1))
		}
		return structpb.NewListValue(l)
	case k == 5:
		return structpb.NewNumberValue(float64(r.IntN(100)))
	}
	return structpb.NewNumberValue(r.NormFloat64() * math.Pow10(r.IntN(600)-300))
}

func (r invent) object(depth int) *structpb.Struct {
	s := &structpb.Struct{Fields: map[string]*structpb.Value{"always": r.value(depth)}}
	for range r.IntN(3) {
		s.Fields[r.text()] = r.value(depth)
	}
	return s
}

func (r invent) scores() map[string]*pb.NamedScoreProto {
	m := make(map[string]*pb.NamedScoreProto)
	for range 1 + r.IntN(2) {
		m[r.text()] = &pb.NamedScoreProto{Value: r.float(), OpName: r.text(), Description: r.text(), RefId: r.text()}
	}
	return m
}

func (r invent) blob() []byte {
	b := make([]byte, 1+r.IntN(70))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// array makes one whose values come back in the same type: bytes.
func (r invent) array() *pb.NdArrayProto {
	n := uint32(1 + r.IntN(4))
	return newArray(bytes.Repeat([]byte{byte(r.Uint32())}, int(2*n)), []uint32{2, n}, "|u1")
}

func (r invent) document(depth int) *pb.DocumentProto {
	d := &pb.DocumentProto{Id: r.text()}
	switch r.IntN(4) {
	case 0:
		d.Content = &pb.DocumentProto_Text{Text: "t" + r.text()}
	case 1:
		d.Content = &pb.DocumentProto_Blob{Blob: r.blob()}
	case 2:
		d.Content = &pb.DocumentProto_Tensor{Tensor: r.array()}
	}
	if r.some(2) {
		d.Granularity, d.Adjacency, d.ParentId = r.Uint32(), r.Uint32(), r.text()
		d.Weight, d.Offset = r.float(), r.float()
		d.Uri, d.Modality, d.MimeType = r.text(), r.text(), r.text()
		d.Location = []float32{r.float(), r.float()}
		d.Tags = r.object(3)
		d.Scores, d.Evaluations = r.scores(), r.scores()
		d.Embedding = r.array()
	}
	for range r.IntN(3) * min(depth, 1) {
		d.Chunks = append(d.Chunks, r.document(depth-1))
		d.Matches = append(d.Matches, r.document(depth-1))
	}
	return d
}

func (r invent) status() *pb.StatusProto {
	s := &pb.StatusProto{Code: pb.StatusProto_ERROR, Description: r.text()}
	if r.some(2) {
		s.Exception = &pb.StatusProto_ExceptionProto{Name: r.text(), Args: []string{r.text()}, Stacks: []string{r.text(), r.text()}, Executor: r.text()}
	}
	return s
}

func (r invent) answer() *pb.DataRequestProto {
	endpoint, target := "/"+r.text(), ""
	m := &pb.DataRequestProto{Header: &pb.HeaderProto{RequestId: r.text(), ExecEndpoint: &endpoint, TargetExecutor: &target}}
	if r.some(2) {
		m.Header.Status = r.status()
	}
	m.Parameters = r.object(3)
	for range r.IntN(3) {
		at := time.UnixMicro(r.Int64N(4e15))
		m.Routes = append(m.Routes, &pb.RouteProto{Executor: r.text(), StartTime: timestamppb.New(at), EndTime: timestamppb.New(at.Add(time.Second))})
		if r.some(3) {
			m.Routes[len(m.Routes)-1].Status = r.status()
		}
	}
	list := &pb.DocumentArrayProto{}
	for range r.IntN(4) {
		list.Docs = append(list.Docs, r.document(2))
	}
	m.Data = &pb.DataRequestProto_DataContentProto{Documents: &pb.DataRequestProto_DataContentProto_Docs{Docs: list}}
	return m
}

// TestAnswersComeBack reads random answers again: the head with protobuf's strict parser, the documents with Parse.
func TestAnswersComeBack(t *testing.T) {
	r := invent{rand.New(rand.NewPCG(5, 6))}
	for range 400 {
		m := r.answer()
		for _, form := range []Form{HTTP, WebSocket} {
			text := Append(nil, m, Options{Form: form})
			var parts map[string]json.RawMessage
			if err := json.Unmarshal(text, &parts); err != nil {
				t.Fatalf("%v\n%s", err, text)
			}
			docs := parts["data"]
			delete(parts, "data")
			head, _ := json.Marshal(parts)
			got := &pb.DataRequestProto{}
			if err := protojson.Unmarshal(head, got); err != nil {
				t.Fatalf("%v\n%s", err, head)
			}
			parsed, err := Parse(append(append([]byte(`{"data":`), docs...), '}'), Limits{})
			if err != nil {
				t.Fatalf("%v\n%s", err, docs)
			}
			got.Data = parsed.Proto.Data
			if !proto.Equal(got, m) {
				t.Fatalf("got\n%v\nwant\n%v\n%s", got, m, text)
			}
		}
	}
}

// TestPlainReturnsComeBack reads random answers again as a client with jina 3.27.1 does.
func TestPlainReturnsComeBack(t *testing.T) {
	r := invent{rand.New(rand.NewPCG(7, 8))}
	for range 400 {
		m := r.answer()
		text := AppendPlainReturn([]byte("data before"), m)
		text, found := bytes.CutPrefix(text, []byte("data before"))
		if !found || bytes.Contains(text, []byte("data")) {
			t.Fatalf("%s", text)
		}
		got := &pb.DataRequestProto{}
		if err := protojson.Unmarshal(text, got); err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		if !proto.Equal(got, m) {
			t.Fatalf("got\n%v\nwant\n%v\n%s", got, m, text)
		}
	}
	for _, m := range []*pb.DataRequestProto{nil, {}, {Data: &pb.DataRequestProto_DataContentProto{}}} {
		got := &pb.DataRequestProto{}
		if text := AppendPlainReturn(nil, m); protojson.Unmarshal(text, got) != nil {
			t.Errorf("%v became %s", m, text)
		}
	}
}

// TestAnswersOfAnything writes messages that no request becomes: bytes that are no UTF-8, numbers that JSON has not, arrays
// that are none.
func TestAnswersOfAnything(t *testing.T) {
	nan := float32(math.NaN())
	docs := []*pb.DocumentProto{
		{Id: "\xff\xfea\xf0\x9f", Weight: nan, Location: []float32{nan, float32(math.Inf(-1)), 1}},
		{Tags: &structpb.Struct{Fields: map[string]*structpb.Value{"a": structpb.NewNumberValue(math.NaN()), "\xff": nil, "e": {}}}},
		{Scores: map[string]*pb.NamedScoreProto{"a": nil, "b": {Value: nan}}},
		{Embedding: &pb.NdArrayProto{}},
		{Embedding: newArray([]byte{1, 2, 3}, []uint32{1}, "<f4")},
		{Embedding: newArray(nil, []uint32{1}, "<f4")},
		{Embedding: newArray(nil, []uint32{1 << 31, 1 << 31, 4}, "<f4")},
		{Embedding: newArray(nil, []uint32{4e9, 4e9, 0}, "<f4")},
		{Embedding: newArray([]byte{0, 0, 0xC0, 0x7F, 0, 0, 0x80, 0xFF}, []uint32{2}, "<f4")},
		{Embedding: newArray([]byte{0, 0, 0xC0, 0x7F}, []uint32{1}, "complex")},
		{Embedding: newArray([]byte{0, 0, 0xC0, 0x7F}, nil, "<f4")},
		{Embedding: &pb.NdArrayProto{Content: &pb.NdArrayProto_Sparse{}}},
		{Content: &pb.DocumentProto_Tensor{}},
		{Content: &pb.DocumentProto_Blob{}},
		{},
	}
	m := &pb.DataRequestProto{
		Header: &pb.HeaderProto{Status: &pb.StatusProto{Code: 7, Exception: &pb.StatusProto_ExceptionProto{Args: []string{"\xff"}}}},
		Routes: []*pb.RouteProto{{}, {StartTime: &timestamppb.Timestamp{Seconds: -62135596800}}},
		Data:   &pb.DataRequestProto_DataContentProto{Documents: &pb.DataRequestProto_DataContentProto_Docs{Docs: &pb.DocumentArrayProto{Docs: docs}}},
	}
	for _, text := range [][]byte{
		Append(nil, m, Options{}), Append(nil, m, Options{Form: WebSocket}), Append(nil, m, Options{Base64: true}),
		Append(nil, nil, Options{}), Append(nil, nil, Options{Form: WebSocket}), AppendPlainReturn(nil, m),
	} {
		if !json.Valid(text) || !utf8.Valid(text) {
			t.Errorf("no JSON: %s", text)
		}
	}
}
