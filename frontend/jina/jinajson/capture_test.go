package jinajson

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"clipd/frontend/jina/pb"
)

const captures = "../../../testdata/captures"

// httpMessage splits a recorded HTTP message.
func httpMessage(t *testing.T, file string) (first string, body []byte) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	head, body, found := bytes.Cut(data, []byte("\r\n\r\n"))
	if !found {
		t.Fatalf("%s has no empty line", file)
	}
	first, _, _ = strings.Cut(string(head), "\r\n")
	return first, body
}

// exchanges returns the HTTP captures whose request has a JSON body and whose answer has status, by name: the files of
// requests and answers.
func exchanges(t *testing.T, status string) map[string][][2]string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(captures, "http", "*", "*-request.http"))
	if err != nil || len(files) == 0 {
		t.Fatal("no captures", err)
	}
	found := make(map[string][][2]string)
	for _, f := range files {
		answer := strings.Replace(f, "-request", "-response", 1)
		name := filepath.Base(filepath.Dir(f))
		_, body := httpMessage(t, f)
		line, _ := httpMessage(t, answer)
		if len(body) > 0 && body[0] == '{' && strings.Contains(line, " "+status+" ") {
			found[name] = append(found[name], [2]string{f, answer})
		}
	}
	return found
}

// TestRequestsOfCaptures parses every recorded HTTP body and compares it with the message that the same call of the client
// sent over gRPC.
func TestRequestsOfCaptures(t *testing.T) {
	parsed, compared := 0, 0
	for name, calls := range exchanges(t, "200") {
		var got []string
		for _, files := range calls {
			_, body := httpMessage(t, files[0])
			r, err := Parse(body, Limits{MaxDocuments: 100})
			if err != nil {
				t.Errorf("%s: %v", files[0], err)
				continue
			}
			parsed++
			got = append(got, comparable(r.Proto))
		}
		sent, _ := filepath.Glob(filepath.Join(captures, "grpc", name, "*-client.bin"))
		var want []string
		for _, f := range sent {
			data, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			m := &pb.DataRequestProto{}
			if err := proto.Unmarshal(data, m); err != nil {
				t.Fatal(f, err)
			}
			want = append(want, comparable(m))
		}
		if len(want) == 0 {
			continue
		}
		compared++
		sort.Strings(got)
		sort.Strings(want)
		if !slices.Equal(got, want) {
			t.Errorf("%s: parsed\n%s\nover gRPC\n%s", name, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
	if parsed < 55 || compared < 24 {
		t.Errorf("only %d bodies were parsed and %d calls compared", parsed, compared)
	}
}

// comparable writes a request without what differs from recording to recording: ids that the client invented.
func comparable(m *pb.DataRequestProto) string {
	m = proto.Clone(m).(*pb.DataRequestProto)
	m.Header.RequestId = ""
	var clean func(docs []*pb.DocumentProto)
	clean = func(docs []*pb.DocumentProto) {
		for _, d := range docs {
			if len(d.Id) == 32 {
				d.Id = "id"
			}
			if text, is := d.Content.(*pb.DocumentProto_Text); is && text.Text == "" {
				d.Content = nil
			}
			clean(d.Chunks)
			clean(d.Matches)
		}
	}
	clean(m.GetData().GetDocs().GetDocs())
	if len(m.GetData().GetDocs().GetDocs()) == 0 {
		m.Data = nil // there is no difference between no data and no documents
	}
	b, err := protojson.Marshal(m)
	if err != nil {
		panic(err)
	}
	var v any
	if err := json.Unmarshal(b, &v); err != nil {
		panic(err)
	}
	b, _ = json.Marshal(v) // without the spaces that protojson strews in
	return string(b)
}

// TestAnswersOfCaptures writes every recorded answer again, from messages made of it, and compares each key, its place and
// its value.
func TestAnswersOfCaptures(t *testing.T) {
	written := 0
	check := func(file string, body []byte, form Form) {
		t.Helper()
		m := recordedAnswer(t, file, body)
		written++
		got := Append(nil, m, Options{Form: form})
		if err := same(got, body); err != nil {
			t.Errorf("%s: %v\ngot  %.3000s\nwant %.3000s", file, err, got, body)
		}
	}
	for _, calls := range exchanges(t, "200") {
		for _, files := range calls {
			_, body := httpMessage(t, files[1])
			// One capture has a time without a zone, a fault of the original that no strict parser takes.
			body = regexp.MustCompile(`("\d{4}-\d\d-\d\dT[\d:.]+)"`).ReplaceAll(body, []byte(`$1+00:00"`))
			check(files[1], body, HTTP)
		}
	}
	files, _ := filepath.Glob(filepath.Join(captures, "websocket", "direct_*", "*-server.json"))
	for _, f := range files {
		body, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if IsEnd(body) { // of /dry_run
			continue
		}
		check(f, body, WebSocket)
	}
	if written < 59 {
		t.Errorf("only %d answers were written", written)
	}
}

// recordedAnswer makes the message of an answer: what the client reads with protobuf's strict parser with the Go one, and
// documents as documents of a request.
func recordedAnswer(t *testing.T, file string, body []byte) *pb.DataRequestProto {
	t.Helper()
	var parts map[string]json.RawMessage
	if err := json.Unmarshal(body, &parts); err != nil {
		t.Fatal(file, err)
	}
	docs := parts["data"]
	delete(parts, "data")
	head, _ := json.Marshal(parts)
	m := &pb.DataRequestProto{}
	if err := protojson.Unmarshal(head, m); err != nil {
		t.Fatal(file, err)
	}
	r, err := Parse(slices.Concat([]byte(`{"data":`), docs, []byte("}")), Limits{})
	if err != nil {
		t.Fatal(file, err)
	}
	m.Data = r.Proto.Data
	for _, d := range m.GetData().GetDocs().GetDocs() {
		if e := d.Embedding.GetDense(); e != nil {
			toFloat32(e)
		}
	}
	return m
}

// toFloat32 turns an array into what the server's embeddings are.
func toFloat32(e *pb.DenseNdArrayProto) {
	t, _ := typeOf(e.Dtype)
	var buf []byte
	for i := 0; i < len(e.Buffer); i += t.bytes {
		bits := math.Float32bits(float32(t.float(e.Buffer[i:])))
		buf = append(buf, byte(bits), byte(bits>>8), byte(bits>>16), byte(bits>>24))
	}
	e.Buffer, e.Dtype = buf, "<f4"
}

// pair is a member of an object.
type pair struct {
	key   string
	value any
}

// same compares two JSON texts: all keys in their order, save in parameters and tags, whose order no message keeps, strings,
// and numbers as float32 and by whether they are whole.
func same(got, want []byte) error {
	read := func(text []byte) (any, error) {
		d := json.NewDecoder(bytes.NewReader(text))
		d.UseNumber()
		return tree(d, false)
	}
	g, err := read(got)
	if err != nil {
		return err
	}
	w, err := read(want)
	if err != nil {
		return err
	}
	return differ("", g, w)
}

func tree(d *json.Decoder, unordered bool) (any, error) {
	token, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch token {
	case json.Delim('{'):
		pairs := []pair{}
		for d.More() {
			key, err := d.Token()
			if err != nil {
				return nil, err
			}
			v, err := tree(d, unordered || key == "parameters" || key == "tags")
			if err != nil {
				return nil, err
			}
			pairs = append(pairs, pair{key.(string), v})
		}
		if unordered {
			slices.SortFunc(pairs, func(a, b pair) int { return strings.Compare(a.key, b.key) })
		}
		_, err = d.Token()
		return pairs, err
	case json.Delim('['):
		list := []any{}
		for d.More() {
			v, err := tree(d, unordered)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		_, err = d.Token()
		return list, err
	}
	return token, nil
}

func differ(at string, got, want any) error {
	switch want := want.(type) {
	case []pair:
		g, is := got.([]pair)
		if !is || len(g) != len(want) {
			return fmt.Errorf("%s: %v, want %v", at, got, want)
		}
		for i, p := range want {
			if g[i].key != p.key {
				return fmt.Errorf("%s: key %q, want %q", at, g[i].key, p.key)
			}
			if err := differ(at+"."+p.key, g[i].value, p.value); err != nil {
				return err
			}
		}
	case []any:
		g, is := got.([]any)
		if !is || len(g) != len(want) {
			return fmt.Errorf("%s: %v, want %v", at, got, want)
		}
		for i, v := range want {
			if err := differ(at+"["+strconv.Itoa(i)+"]", g[i], v); err != nil {
				return err
			}
		}
	case json.Number:
		g, is := got.(json.Number)
		a, _ := g.Float64()
		b, _ := want.Float64()
		whole := func(n json.Number) bool { return !strings.ContainsAny(string(n), ".eE") }
		if !is || float32(a) != float32(b) || whole(g) != whole(want) {
			return fmt.Errorf("%s: %v, want %v", at, got, want)
		}
	default:
		if got != want {
			return fmt.Errorf("%s: %v, want %v", at, got, want)
		}
	}
	return nil
}
