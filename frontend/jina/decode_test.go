package jina

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"clipd/frontend/jina/pb"
)

// sameAsProto decodes data both ways and compares the results, and says whether data was accepted.
func sameAsProto(t *testing.T, data []byte) bool {
	t.Helper()
	want := &pb.DataRequestProto{}
	wantErr := proto.Unmarshal(data, want)
	before := bytes.Clone(data)
	w, err := weigh(data, requestKind)
	if err != nil && wantErr == nil {
		t.Fatalf("weighing %x failed: %v", data, err)
	}
	var got *pb.DataRequestProto
	if err == nil {
		got, err = decodeRequest(data, w)
	}
	if (err == nil) != (wantErr == nil) {
		t.Fatalf("%x: error %v, want %v", data, err, wantErr)
	}
	header := decodeHeader(data)
	if !bytes.Equal(data, before) {
		t.Fatalf("decoding changed the message %x", before)
	}
	if err != nil {
		return false
	}
	if n := CountDocuments(got.GetData().GetDocs().GetDocs()); n > w.documents {
		t.Fatalf("%x: %d documents were weighed, %d came", data, w.documents, n)
	}
	if !proto.Equal(got, want) {
		t.Fatalf("%x:\n%v\nwant\n%v", data, got, want)
	}
	if !proto.Equal(header.Header, want.Header) {
		t.Fatalf("%x: the header alone is %v, want %v", data, header.Header, want.Header)
	}
	options := proto.MarshalOptions{Deterministic: true}
	a, errA := options.Marshal(got)
	b, errB := options.Marshal(want)
	if errA != nil || errB != nil || !bytes.Equal(a, b) {
		t.Fatalf("%x is written as %x (%v), want %x (%v)", data, a, errA, b, errB)
	}
	return true
}

func captured(t testing.TB) [][]byte {
	t.Helper()
	files, err := filepath.Glob("../../testdata/captures/grpc/*/*.bin")
	if err != nil || len(files) < 100 {
		t.Fatal(len(files), err)
	}
	var all [][]byte
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, data)
	}
	return all
}

func TestDecodeCaptures(t *testing.T) {
	for _, data := range captured(t) {
		sameAsProto(t, data)
		for i := 1; i < len(data) && i < 400; i++ {
			sameAsProto(t, data[:i]) // cut off
		}
	}
}

// wireWriter writes messages at random, such as no client would, but of the right fields for the most part.
type wireWriter struct {
	*rand.Rand
	left int // fields
}

// kindsBelow names the fields of each kind; some are tried more often.
var kindsBelow = map[*kind][]int{
	requestKind: {1, 2, 3, 4, 4, 4}, contentKind: {1, 1, 2}, documentKind: {1, 2, 3, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 16, 17, 18, 19, 20},
	arrayKind: {1, 1, 2, 3, 4}, denseKind: {1, 2, 2, 3}, sparseKind: {1, 2, 3}, structKind: {1}, valueKind: {1, 2, 3, 4, 5, 6}, listKind: {1},
	headerKind: {1, 2, 3, 4, 5}, statusKind: {1, 2, 3}, exceptionKind: {1, 2, 3, 4}, routeKind: {1, 2, 3, 4}, timeKind: {1, 2}, scoreKind: {1, 2, 3, 4},
}

func (r *wireWriter) message(k *kind, depth int) []byte {
	var b []byte
	for range r.IntN(5) {
		if r.left--; r.left < 0 || depth > 12 {
			break
		}
		number := 1 + r.IntN(3)
		if usual := kindsBelow[k]; usual != nil && r.IntN(12) > 0 {
			number = usual[r.IntN(len(usual))]
		} else if r.IntN(6) == 0 {
			number = 1 + r.IntN(40)
		}
		b = r.field(b, protowire.Number(number), k, depth)
	}
	if r.IntN(300) == 0 && len(b) > 0 {
		b = b[:r.IntN(len(b))]
	}
	return b
}

func (r *wireWriter) field(b []byte, number protowire.Number, k *kind, depth int) []byte {
	var below *kind
	if int(number) < maxField {
		below = k.below[number]
	}
	if below != nil && r.IntN(15) > 0 {
		return protowire.AppendBytes(protowire.AppendTag(b, number, protowire.BytesType), r.message(below, depth+1))
	}
	switch r.IntN(12) {
	case 0, 1:
		return protowire.AppendVarint(protowire.AppendTag(b, number, protowire.VarintType), r.Uint64()>>r.IntN(64))
	case 2:
		return protowire.AppendFixed32(protowire.AppendTag(b, number, protowire.Fixed32Type), r.Uint32())
	case 3:
		return protowire.AppendFixed64(protowire.AppendTag(b, number, protowire.Fixed64Type), r.Uint64())
	case 4:
		b = protowire.AppendTag(b, number, protowire.StartGroupType)
		b = append(b, r.message(&kind{}, depth+1)...)
		return protowire.AppendTag(b, number, protowire.EndGroupType)
	case 5:
		if r.IntN(20) == 0 {
			return protowire.AppendString(protowire.AppendTag(b, number, protowire.BytesType), "\xff not UTF-8")
		}
		return protowire.AppendString(protowire.AppendTag(b, number, protowire.BytesType), "")
	case 6:
		if r.IntN(30) == 0 {
			return append(b, byte(r.IntN(256))) // nonsense
		}
		fallthrough
	default:
		return protowire.AppendString(protowire.AppendTag(b, number, protowire.BytesType), "aé\x01\x02 text"[:r.IntN(3)*3])
	}
}

func TestDecodeRandomMessages(t *testing.T) {
	accepted, documents := 0, 0
	const rounds = 20000
	for seed := range uint64(rounds) {
		r := &wireWriter{rand.New(rand.NewPCG(seed, 4)), 300}
		var data []byte
		for len(data) < 40 && r.left > 0 {
			data = append(data, r.message(requestKind, 0)...)
		}
		if sameAsProto(t, data) {
			accepted++
			w, _ := weigh(data, requestKind)
			documents += w.documents
		}
	}
	if accepted < rounds/4 || accepted > rounds*19/20 || documents < rounds/4 {
		t.Errorf("%d of %d messages were accepted, with %d documents; the test did not test", accepted, rounds, documents)
	}
}

// TestDecodeDepth looks at both sides of the deepest nesting that is read, for each way down.
func TestDecodeDepth(t *testing.T) {
	wrap := func(b []byte, numbers ...protowire.Number) []byte {
		for _, n := range numbers {
			b = protowire.AppendBytes(protowire.AppendTag(nil, n, protowire.BytesType), b)
		}
		return b
	}
	check := func(name string, steps []protowire.Number, levels int, outside ...protowire.Number) {
		t.Helper()
		var b []byte
		var accepted []bool
		for level := range levels + 5 {
			if level > levels-5 {
				accepted = append(accepted, sameAsProto(t, wrap(b, outside...)))
			}
			b = wrap(b, steps...)
		}
		if !accepted[0] || accepted[len(accepted)-1] {
			t.Errorf("%s: the limit is not near %d levels: %v", name, levels, accepted)
		}
	}
	check("chunks", []protowire.Number{14}, 9997, 1, 1, 4)
	check("lists in tags", []protowire.Number{6, 1}, 4996, 6, 2, 1, 17, 1, 1, 4)
	check("structs in parameters", []protowire.Number{5, 2, 1}, 3333, 2)
	for n := 9990; n < 10010; n++ {
		open, shut := protowire.AppendTag(nil, 21, protowire.StartGroupType), protowire.AppendTag(nil, 21, protowire.EndGroupType)
		sameAsProto(t, wrap(append(bytes.Repeat(open, n), bytes.Repeat(shut, n)...), 1, 1, 4))
	}
}

// TestDecodeAliases shows that what is large lies in the message's own memory and nothing can be appended over it.
func TestDecodeAliases(t *testing.T) {
	picture := bytes.Repeat([]byte("picture"), 1000)
	m := NewRequest("/encode", []*pb.DocumentProto{
		{Id: "a", Content: &pb.DocumentProto_Blob{Blob: picture}},
		{Id: "b", Content: &pb.DocumentProto_Text{Text: strings.Repeat("text", 1000)}},
		{Id: "c", Content: &pb.DocumentProto_Tensor{Tensor: newEmbedding(make([]float32, 1000))}},
	})
	data, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	w, err := weigh(data, requestKind)
	if err != nil || w.documents != 3 {
		t.Fatal(w, err)
	}
	got, err := decodeRequest(data, w)
	if err != nil {
		t.Fatal(err)
	}
	docs := got.Data.GetDocs().Docs
	clear(data)
	blob := docs[0].GetBlob()
	if len(blob) != len(picture) || cap(blob) != len(blob) || !bytes.Equal(blob, make([]byte, len(blob))) {
		t.Error("the blob is a copy, or can grow into what comes after it")
	}
	if strings.Trim(docs[1].GetText(), "\x00") != "" || docs[1].Id != "\x00" {
		t.Error("the text is a copy")
	}
	if b := docs[2].GetTensor().GetDense().Buffer; len(b) != 4000 || cap(b) != 4000 {
		t.Errorf("the tensor has %d bytes, room for %d", len(b), cap(b))
	}
}

func FuzzDecode(f *testing.F) {
	for _, data := range captured(f) {
		if len(data) < 3000 {
			f.Add(data)
		}
	}
	for seed := range uint64(100) {
		f.Add((&wireWriter{rand.New(rand.NewPCG(seed, 5)), 60}).message(requestKind, 0))
	}
	f.Fuzz(func(t *testing.T, data []byte) { sameAsProto(t, data) })
}
