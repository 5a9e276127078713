package jinajson

import (
	"bytes"
	"encoding/json"
	"errors"
	"path/filepath"
	"runtime"
	"testing"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"

	"clipd/frontend/jina/pb"
)

// seeds are the recorded bodies and some that are broken in ways of their own.
func seeds(f *testing.F) {
	files, _ := filepath.Glob(filepath.Join(captures, "http", "direct_*", "*-request.http"))
	for _, file := range files {
		_, body := httpMessage(&testing.T{}, file)
		if len(body) < 4<<10 {
			f.Add(body)
		}
	}
	for _, s := range []string{
		`{"data":[{"id":"a","tensor":[[1,2],[3,256]],"embedding":[0.5,-1e-7],"tags":{"a":[1,null,{"b":"\ud83d\ude00"}]},"scores":{"s":{"value":1}}}]}`,
		`{"data":[{"embedding":"AACAPw==","location":[1,2],"chunks":[{"matches":[{"blob":"QQ=="}]}],"chunks":[]}],"data":{"docs":[{}]}}`,
		`{"data":[{"blob":"Q\/U=\nJ D","text":"\u00zz"}]}`, `{"\u0064ata":[{"\u0069d":"\\"}],"parameters":{"":1e308,"":-0.0}}`,
		`{"data":[{"weight":1e39,"granularity":1.0,"tensor":[[],[[]]]},5,null]}`, "{\"a\":\"\xc3\"}", `[`, `{"a":00}`, `{"a":1.}`, `{"a":-}`, `{"a":tru}`,
	} {
		f.Add([]byte(s))
	}
}

// FuzzParse holds that no body makes Parse panic or take memory out of proportion, that what it refuses for its syntax is what
// encoding/json refuses, and that what it returns can be sent.
func FuzzParse(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		const documents = 100
		valid := json.Valid(body) && utf8.Valid(body)
		copied := bytes.Clone(body)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		r, err := Parse(copied, Limits{MaxDocuments: documents})
		runtime.ReadMemStats(&after)
		// The constant is what few documents, mistakes, and other goroutines of the fuzzer take.
		if used := after.TotalAlloc - before.TotalAlloc; used > uint64(100*len(body))+documents*400+1<<20 {
			t.Errorf("%d bytes for a body of %d", used, len(body))
		}
		if err != nil {
			var e *Error
			if !errors.As(err, &e) || e.Error() == "" || len(e.Details) == 0 || !json.Valid(e.AppendDetail(nil)) {
				t.Fatalf("%#v", err)
			}
			if syntax := e.Details[0].Type == "json_invalid"; syntax && valid || !syntax && !valid && e.Details[0].Type != "value_error.limit" && len(bytes.TrimSpace(body)) > 0 {
				t.Errorf("valid is %v: %v", valid, e)
			}
			return
		}
		if !valid {
			t.Error("taken, but no JSON")
		}
		wire, err := proto.Marshal(r.Proto)
		if err != nil {
			t.Fatal(err)
		}
		if err := proto.Unmarshal(wire, &pb.DataRequestProto{}); err != nil {
			t.Fatal(err)
		}
		if n := countDocuments(r.Proto.GetData().GetDocs().GetDocs()); n > documents {
			t.Errorf("%d documents", n)
		}
	})
}

func countDocuments(docs []*pb.DocumentProto) int {
	n := len(docs)
	for _, d := range docs {
		n += countDocuments(d.Chunks) + countDocuments(d.Matches)
	}
	return n
}

// FuzzRoundTrip holds that an answer is JSON, and that its documents are read as what they were.
func FuzzRoundTrip(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		first, err := Parse(body, Limits{MaxDocuments: 100})
		if err != nil {
			return
		}
		for _, o := range []Options{{}, {Form: WebSocket}} {
			text := Append(nil, first.Proto, o)
			if !json.Valid(text) {
				t.Fatalf("no JSON: %s", text)
			}
			var parts struct{ Data, Parameters json.RawMessage }
			if err := json.Unmarshal(text, &parts); err != nil {
				t.Fatal(err)
			}
			again := bytes.Clone([]byte(`{"data":` + string(parts.Data) + `,"parameters":` + string(parts.Parameters) + `}`))
			second, err := Parse(again, Limits{MaxDocuments: 100})
			if err != nil {
				t.Fatalf("%v\n%s", err, text)
			}
			if back := Append(nil, second.Proto, o); !bytes.Equal(tail(back), tail(text)) {
				t.Fatalf("%s\nthen\n%s", text, back)
			}
		}
		if text := Append(nil, first.Proto, Options{Base64: true}); !json.Valid(text) {
			t.Fatalf("no JSON: %s", text)
		}
		if text := AppendPlainReturn(nil, first.Proto); !json.Valid(text) || bytes.Contains(text, []byte("data")) {
			t.Fatalf("%s", text)
		}
	})
}

// tail is an answer from its parameters on.
func tail(text []byte) []byte { return text[bytes.Index(text, []byte(`"parameters"`)):] }
