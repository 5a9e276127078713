package jinajson

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"

	"clipd/frontend/fault"
	"clipd/frontend/jina/pb"
)

// parseText parses a body that must be right.
func parseText(t *testing.T, body string) *Request {
	t.Helper()
	r, err := Parse([]byte(body), Limits{})
	if err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	return r
}

// firstDoc parses the only document of a body.
func firstDoc(t *testing.T, document string) *pb.DocumentProto {
	t.Helper()
	docs := parseText(t, `{"data":[`+document+`]}`).Proto.GetData().GetDocs().GetDocs()
	if len(docs) != 1 {
		t.Fatalf("%s: %d documents", document, len(docs))
	}
	return docs[0]
}

func TestHeadOfRequest(t *testing.T) {
	check := func(body, endpoint, executor string) {
		t.Helper()
		h := parseText(t, body).Proto.Header
		if h.GetExecEndpoint() != endpoint || h.GetTargetExecutor() != executor || len(h.RequestId) != 32 {
			t.Errorf("%s: %v", body, h)
		}
	}
	check(`{}`, "/", "")
	check(` {"exec_endpoint" : "/a" , "target_executor" : "x"} `, "/a", "x")
	check(`{"execEndpoint":"/a","targetExecutor":"x"}`, "/a", "x")
	check(`{"execEndpoint":null,"targetExecutor":null,"data":null,"parameters":null}`, "/", "")
	check(`{"header":{"exec_endpoint":"/other","request_id":"5"},"nonsense":[1,{"a":[]}]}`, "/", "")
	check(`{"exec_endpoint":"/a","execEndpoint":"/b"}`, "/b", "")
	check(`{"\u0065xec_endpoint":"\/a\u00e9\ud83d\ude00\n"}`, "/aé😀\n", "")
	if h := parseText(t, `{}`).Proto.Header; h.TargetExecutor != nil {
		t.Errorf("a target_executor came from nowhere: %v", h)
	}
	if a, b := parseText(t, `{}`), parseText(t, `{}`); a.Proto.Header.RequestId == b.Proto.Header.RequestId {
		t.Error("two requests with one id")
	}
}

func TestEncodingFormat(t *testing.T) {
	for body, want := range map[string]bool{
		`{}`: false, `{"encoding_format":"base64"}`: true, `{"encodingFormat":"base64"}`: true,
		`{"encoding_format":"float"}`: false, `{"encoding_format":null}`: false,
	} {
		if parseText(t, body).Base64 != want {
			t.Errorf("%s: not %v", body, want)
		}
	}
}

func TestDocumentFields(t *testing.T) {
	d := firstDoc(t, `{"id":"a","parent_id":"b","granularity":1,"adjacency":2.0,"mime_type":"text/html","text":"t","weight":0.5,
		"uri":"u","tags":{"n":1,"zero":0,"big":1e300,"s":"x","l":[true,null,{}],"o":{"k":"v"}},"offset":1.5,"location":[1,2.5],
		"modality":"m","evaluations":{"e":{"value":1}},"scores":{"s":{"value":0.25,"op_name":"o","description":"d","ref_id":"r"},"none":null},
		"chunks":[{"text":"c"}],"matches":[{"uri":"1"},{"uri":"2"}],"unknown":[{"id":"z"}]}`)
	got, err := protojson.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"id":"a","text":"t","granularity":1,"adjacency":2,"parentId":"b","weight":0.5,"uri":"u","modality":"m","mimeType":"text/html",
		"offset":1.5,"location":[1,2.5],"chunks":[{"text":"c"}],"matches":[{"uri":"1"},{"uri":"2"}],
		"tags":{"n":1,"zero":0,"big":1e300,"s":"x","l":[true,null,{}],"o":{"k":"v"}},
		"scores":{"s":{"value":0.25,"opName":"o","description":"d","refId":"r"}},"evaluations":{"e":{"value":1}}}`
	if err := same(sorted(t, got), sorted(t, []byte(want))); err != nil {
		t.Errorf("%v\n%s", err, got)
	}
}

// sorted writes JSON with its keys in order and numbers alike.
func sorted(t *testing.T, text []byte) []byte {
	t.Helper()
	var v any
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	text, _ = json.Marshal(v)
	return text
}

// TestContentIsOne holds the order in which the original lets one content replace another.
func TestContentIsOne(t *testing.T) {
	check := func(document, want string) {
		t.Helper()
		if got := fmt.Sprintf("%T", firstDoc(t, document).Content); got != want {
			t.Errorf("%s: %s, want %s", document, got, want)
		}
	}
	check(`{"text":"a"}`, "*pb.DocumentProto_Text")
	check(`{"blob":"QUJD","text":"a"}`, "*pb.DocumentProto_Blob")
	check(`{"text":"a","blob":"QUJD"}`, "*pb.DocumentProto_Blob")
	check(`{"tensor":[[1]],"text":"a","blob":"QUJD"}`, "*pb.DocumentProto_Tensor")
	check(`{"text":"a","blob":"","tensor":null}`, "*pb.DocumentProto_Text")
	check(`{"text":""}`, "<nil>")
	check(`{"text":"a","text":null}`, "*pb.DocumentProto_Text")
	check(`{"text":"a","text":""}`, "<nil>")
}

func TestStrings(t *testing.T) {
	check := func(literal, want string) {
		t.Helper()
		if got := firstDoc(t, `{"text":`+literal+`}`).GetText(); got != want {
			t.Errorf("%s: %q, want %q", literal, got, want)
		}
	}
	check(`"a\"\\\/\b\f\n\r\tz"`, "a\"\\/\b\f\n\r\tz")
	check(`"\u00e9\u4F60\u0000"`, "é你\x00")
	check(`"\ud83d\ude00"`, "😀")
	check(`"\ud83d"`, "\uFFFD")
	check(`"\ude00\ud83d"`, "\uFFFD\uFFFD")
	check(`"\ud83d\u0041"`, "\uFFFDA")
	check(`"\ud83d\n"`, "\uFFFD\n")
	check(`"\ud83d\ud83d\ude00"`, "\uFFFD😀")
	check("\"\u2028<&>\x7f\"", "\u2028<&>\x7f")
	check(`12`, "12")
	check(`-1.5`, "-1.5")
	long := strings.Repeat("lang ", 1000)
	check(`"`+long+`\n"`, long+"\n")
	check(`"`+long+`"`, long)
}

// TestStringsAndBody holds what Parse says about parts of the body: ids outlive it, base64 and long strings are in it.
func TestStringsAndBody(t *testing.T) {
	long := strings.Repeat("x", longString)
	body := []byte(`{"exec_endpoint":"/encode","data":[{"id":"one","blob":"QUJD","uri":"` + long + `"},{"id":"two\n"}],"parameters":{"key":"value"}}`)
	r, err := Parse(body, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	docs := r.Proto.Data.GetDocs().Docs
	blob := docs[0].GetBlob()
	inBody := func(p *byte) bool {
		for i := range body {
			if &body[i] == p {
				return true
			}
		}
		return false
	}
	if string(blob) != "ABC" || !inBody(&blob[0]) || !inBody(&bytesOf(docs[0].Uri)[0]) {
		t.Error("blob or uri are copies")
	}
	for i := range body {
		body[i] = '?'
	}
	if docs[0].Id != "one" || docs[1].Id != "two\n" || r.Proto.Header.GetExecEndpoint() != "/encode" || r.Proto.Parameters.Fields["key"].GetStringValue() != "value" {
		t.Errorf("short strings died with the body: %v", r.Proto)
	}
}

// TestArrays holds which numpy type and shape nested lists become.
func TestArrays(t *testing.T) {
	check := func(list, dtype string, shape ...uint32) {
		t.Helper()
		a := firstDoc(t, `{"embedding":`+list+`}`).Embedding
		d := a.GetDense()
		if d.GetDtype() != dtype || !slices.Equal(d.GetShape(), shape) || a.GetClsName() != "numpy" {
			t.Errorf("%s: %v", list, a)
			return
		}
		var got, want any
		if err := json.Unmarshal(appendArray(nil, a), &got); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal([]byte(list), &want); err != nil {
			t.Fatal(err)
		}
		if dtype != "|u1" && len(d.Buffer) > 0 && fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s came back as %v", list, got)
		}
	}
	check(`[0,255,7]`, "|u1", 3)
	check(`[[[1,2,3],[4,5,6]]]`, "|u1", 1, 2, 3)
	check(`[0,256,-7]`, "<i8", 3)
	check(`[1,-1]`, "<i8", 2)
	check(`[1,2,0.5]`, "<f8", 3)
	check(`[1,256,0.5,3]`, "<f8", 4)
	check(`[0.1,2e3,-3E-4,256,1]`, "<f8", 5)
	check(`[123456789012345678901]`, "<f8", 1)
	check(`[-0]`, "|u1", 1)
	check(`[true,false]`, "|b1", 2)
	check(`[true,2]`, "|u1", 2)
	check(`[]`, "<f8", 0)
	check(`[ [ ] , [ ] ]`, "<f8", 2, 0)
	d := firstDoc(t, `{"embedding":"AACAPwAAAMA="}`).Embedding.GetDense()
	if d.GetDtype() != "<f4" || !slices.Equal(d.GetShape(), []uint32{2}) || string(appendArray(nil, newArray(d.Buffer, d.Shape, d.Dtype))) != "[1.0,-2.0]" {
		t.Errorf("embedding of base64: %v", d)
	}
}

// answer is what is said of a body that is refused.
func answer(t *testing.T, body string, l Limits) (*Error, string) {
	t.Helper()
	_, err := Parse([]byte(body), l)
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("%.200s: %v", body, err)
	}
	detail := e.AppendDetail(nil)
	if !json.Valid(detail) {
		t.Fatalf("%.200s: no JSON: %s", body, detail)
	}
	return e, string(detail)
}

// TestErrorsOfCaptures compares the answers to broken bodies with the recorded ones.
func TestErrorsOfCaptures(t *testing.T) {
	check := func(name string) {
		t.Helper()
		_, body := httpMessage(t, filepath.Join(captures, "http", name, "01-request.http"))
		_, want := httpMessage(t, filepath.Join(captures, "http", name, "01-response.http"))
		e, got := answer(t, string(body), Limits{})
		if same(sorted(t, []byte(got)), sorted(t, want)) != nil || e.Status() != 422 {
			t.Errorf("%s: %d %s, want %s", name, e.Status(), got, want)
		}
	}
	check("direct_curl_bad_json")
	check("direct_curl_wrong_type")
	// The original goes on to say that the list is no object either, which is none of the caller's mistakes.
	_, got := answer(t, `{"data": [{"text": {"a": 1}}]}`, Limits{})
	if want := `{"detail":[{"type":"type_error.str","loc":["body","data",0,"text"],"msg":"str type expected"}]}`; got != want {
		t.Errorf("%s", got)
	}
	// A body of another content type, which the original does not even parse, is one that is no object.
	_, got = answer(t, `"{}"`, Limits{})
	if want := `{"detail":[{"type":"type_error.dict","loc":["body"],"msg":"value is not a valid dict"}]}`; got != want {
		t.Errorf("%s", got)
	}
}

func TestErrors(t *testing.T) {
	check := func(body string, code fault.Code, loc string, sentence string) {
		t.Helper()
		e, detail := answer(t, body, Limits{MaxDocuments: 4})
		f := fault.Of(fmt.Errorf("wrapped: %w", e))
		if f.Code != code || !strings.Contains(detail, `"loc":`+loc) || e.Error() != sentence || f.Error() != sentence {
			t.Errorf("%.200s: %v\n%s\n%s", body, f.Code, e, detail)
		}
	}
	check(``, fault.Invalid, `["body"]`, `the body is empty; it must be an object such as {"data": [{"text": "a dog"}]}`)
	check("  \n", fault.Invalid, `["body"]`, `the body is empty; it must be an object such as {"data": [{"text": "a dog"}]}`)
	check(`[1]`, fault.Invalid, `["body"]`, `the body is "[1]"; it must be an object such as {"data": [{"text": "a dog"}]}`)
	check(`{"data":[{"text":"a"},{"id":5,"text":["b"]}]}`, fault.Invalid, `["body","data",1,"text"]`,
		`data[1].text of document 1 (id "5") is "[\"b\"]"; it must be a string`)
	check(`{"data":[{"blob":"QUJ"},{}]}`, fault.Invalid, `["body","data",0,"blob"]`,
		`data[0].blob of document 0 (id "") is broken base64: it ends (character 3) with 3 characters of a group and 0 of the 1 '=' that complete it`)
	check(`{"data":{"docs":[{"matches":[{},{"blob":"!!A","id":"x"}]}]}}`, fault.Invalid, `["body","data","docs",0,"matches",1,"blob"]`,
		`data.docs[0].matches[1].blob of document 1 (id "x") is broken base64: it ends (character 3) with a single character of a group, which needs at least two`)
	check(`{"data":[{"tensor":[[1,2],[3]]}]}`, fault.Invalid, `["body","data",0,"tensor"]`,
		`data[0].tensor of document 0 (id "") is no array: its lists have different lengths, 2 and 1`)
	check(`{"data":[{"tensor":[1,[2]]}]}`, fault.Invalid, `["body","data",0,"tensor"]`,
		`data[0].tensor of document 0 (id "") is no array: lists and numbers stand side by side`)
	check(`{"data":[{"tensor":[[],[[]]]}]}`, fault.Invalid, `["body","data",0,"tensor"]`,
		`data[0].tensor of document 0 (id "") is no array: its lists have different lengths, 0 and 1`)
	check(`{"data":[{"tensor":[[1],["a"]]}]}`, fault.Invalid, `["body","data",0,"tensor"]`,
		`data[0].tensor of document 0 (id "") is no array: it holds "\"a\"", which is no number`)
	check(`{"data":[{"tensor":[1e999]}]}`, fault.Invalid, `["body","data",0,"tensor"]`,
		`data[0].tensor of document 0 (id "") is no array: it holds "1e999", which is not within the range of 64-bit floats`)
	check(`{"data":[{"tensor":`+strings.Repeat("[", 40)+strings.Repeat("]", 40)+`}]}`, fault.Invalid, `["body","data",0,"tensor"]`,
		`data[0].tensor of document 0 (id "") is no array: it has more than 32 dimensions`)
	check(`{"data":[{"tensor":7}]}`, fault.Invalid, `["body","data",0,"tensor"]`,
		`data[0].tensor of document 0 (id "") is "7"; it must be nested lists of numbers`)
	check(`{"data":[{"embedding":"QUJD"}]}`, fault.Invalid, `["body","data",0,"embedding"]`,
		`data[0].embedding of document 0 (id "") is base64 of 3 bytes, which is no whole number of 32-bit floats`)
	check(`{"data":[{"weight":1e39}]}`, fault.Invalid, `["body","data",0,"weight"]`,
		`data[0].weight of document 0 (id "") is "1e39"; it must be within the range of 32-bit floats`)
	check(`{"data":[{"adjacency":-1}]}`, fault.Invalid, `["body","data",0,"adjacency"]`,
		`data[0].adjacency of document 0 (id "") is "-1"; it must be a whole number from 0 to 4294967295`)
	check(`{"data":[{"scores":{"s":{"value":"x"}}}]}`, fault.Invalid, `["body","data",0,"scores","s","value"]`,
		`data[0].scores.s.value of document 0 (id "") is "\"x\""; it must be a number`)
	check(`{"data":[{"location":[1,{}]}]}`, fault.Invalid, `["body","data",0,"location",1]`,
		`data[0].location[1] of document 0 (id "") is "{}"; it must be a number`)
	check(`{"data":[null]}`, fault.Invalid, `["body","data",0]`, `data[0] is "null"; it must be an object such as {"text": "a dog"}`)
	check(`{"data":{"docs":7}}`, fault.Invalid, `["body","data","docs"]`, `data.docs is "7"; it must be a list of documents`)
	check(`{"parameters":[]}`, fault.Invalid, `["body","parameters"]`, `parameters is "[]"; it must be an object`)
	check(`{"parameters":{"a":[0,1e999]}}`, fault.Invalid, `["body","parameters","a",1]`, `parameters.a[1] is "1e999"; it must be within the range of 64-bit floats`)
	check(`{"exec_endpoint":true}`, fault.Invalid, `["body","exec_endpoint"]`, `exec_endpoint is "true"; it must be a string`)
	check(`{"encoding_format":"int8"}`, fault.Invalid, `["body","encoding_format"]`, `encoding_format is "\"int8\""; it must be "float" or "base64"`)
	check(`{"data":[{},{},{"chunks":[{}],"matches":[{}]}]}`, fault.TooLarge, `["body"]`, `the request holds more than 4 documents, chunks and matches counted; send fewer at a time`)
	check(`{"a":`+strings.Repeat("[", 301), fault.Invalid, `["body"]`, `the body's lists and objects lie more than 300 deep in one another (byte 304)`)
	check(`{nope`, fault.Malformed, `["body",1]`, `the body is not JSON: Expecting property name enclosed in double quotes at byte 1; there is "nope"`)
	check(`{"data":[NaN]}`, fault.Malformed, `["body",9]`, `the body is not JSON: Expecting value at byte 9; there is "NaN]}"`)
	check(`{"data":[]} x`, fault.Malformed, `["body",12]`, `the body is not JSON: Extra data at byte 12; there is "x"`)
	check(`{"a":"`, fault.Malformed, `["body",5]`, `the body is not JSON: Unterminated string starting at byte 5; there is "\""`)
	check("{\"a\":\"\xff\"}", fault.Malformed, `["body",6]`, `the body is not JSON: Invalid UTF-8 at byte 6; there is "\xff\"}"`)
}

func TestSeveralErrors(t *testing.T) {
	e, detail := answer(t, `{"exec_endpoint":1.5,"data":[{"id":[]},{"text":{}},7],"parameters":5}`, Limits{})
	if len(e.Details) != 4 {
		t.Errorf("%s", detail)
	}
	e, _ = answer(t, `{"data":[`+strings.Repeat(`7,`, 99)+`7]}`, Limits{})
	if len(e.Details) != maxDetails {
		t.Errorf("%d details", len(e.Details))
	}
}

func TestDocumentsWithinDocuments(t *testing.T) {
	nest := func(n int) string {
		return `{"data":[` + strings.Repeat(`{"chunks":[`, n-1) + `{}` + strings.Repeat(`]}`, n-1) + `]}`
	}
	d := parseText(t, nest(100)).Proto.Data.GetDocs().Docs[0]
	deep := 1
	for ; len(d.Chunks) > 0; d = d.Chunks[0] {
		deep++
	}
	if deep != 100 {
		t.Errorf("%d documents", deep)
	}
	if e, _ := answer(t, nest(101), Limits{}); !strings.Contains(e.Error(), "documents lie more than 100 deep") {
		t.Error(e)
	}
}

func TestMessages(t *testing.T) {
	if _, err := ParseMessage([]byte(`{"data":[]}`), Limits{}); err != nil {
		t.Error(err)
	}
	for _, body := range []string{`{"execEndpoint":"/"}`, `{"data":null}`, `{}`} {
		_, err := ParseMessage([]byte(body), Limits{})
		var e *Error
		if !errors.As(err, &e) || string(e.AppendDetail(nil)) != `{"detail":[{"type":"value_error.missing","loc":["body","data"],"msg":"field required"}]}` {
			t.Errorf("%s: %v", body, err)
		}
	}
	for body, want := range map[string]bool{`{}`: true, " {\n} ": true, `{}{}`: false, `{"a":1}`: false, ``: false, `{`: false, `[]`: false, "{}\x00": false} {
		if IsEnd([]byte(body)) != want {
			t.Errorf("IsEnd(%q) is not %v", body, want)
		}
	}
}

// TestMemory holds that no body takes more than a small multiple of its size.
func TestMemory(t *testing.T) {
	const size = 4 << 20
	fill := func(head, piece, tail string) string {
		return head + strings.Repeat(piece+",", size/(len(piece)+1)) + piece + tail
	}
	check := func(what, body string, most float64) {
		t.Helper()
		b := []byte(body)
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		r, err := Parse(b, Limits{MaxDocuments: 10000})
		runtime.ReadMemStats(&after)
		runtime.KeepAlive(r)
		if used := float64(after.TotalAlloc-before.TotalAlloc) / float64(len(b)); used > most {
			t.Errorf("%s: %.1f bytes allocated for each byte of the body (%v)", what, used, err)
		}
	}
	check("documents", fill(`{"data":[`, `{}`, `]}`), 0.1)
	check("documents twice", fill(`{"data":[{}],"data":[`, `{}`, `]}`), 0.1)
	check("matches", fill(`{"data":[{"matches":[`, `{}`, `]}]}`), 0.1)
	check("no documents", fill(`{"data":[`, `1`, `]}`), 0.1)
	check("bytes in a tensor", fill(`{"data":[{"tensor":[`, `1`, `]}]}`), 4)
	check("wide numbers in a tensor", fill(`{"data":[{"tensor":[`, `256`, `]}]}`), 12)
	check("a tensor that widens late", fill(`{"data":[{"tensor":[`, `1`, `,256,0.5]}]}`), 24)
	check("empty lists in a tensor", fill(`{"data":[{"tensor":[`, `[]`, `]}]}`), 0.1)
	check("location", fill(`{"data":[{"location":[`, `1`, `]}]}`), 12)
	check("tags", fill(`{"data":[{"tags":{"a":[`, `1`, `]}}]}`), 16)
	check("lists in tags", fill(`{"data":[{"tags":{"a":[`, `[]`, `]}}]}`), 16)
	check("many tags", fill(`{"data":[{"tags":{`, `"":{}`, `}}]}`), 16)
	check("scores", fill(`{"data":[{"scores":{`, `"a":{}`, `}}]}`), 16)
	check("parameters", fill(`{"parameters":{"a":[`, `1`, `]}}`), 16)
	check("unknown keys", fill(`{"x":[`, `{"a":[1]}`, `]}`), 0.1)
	check("a long text", `{"data":[{"text":"`+strings.Repeat("x", size)+`"}]}`, 0.1)
	check("escapes", `{"data":[{"text":"`+strings.Repeat(`\ud83d\ude00\n`, size/14)+`"}]}`, 0.1)
	check("base64", `{"data":[{"blob":"`+strings.Repeat("QUJD", size/4)+`"}]}`, 0.1)
	check("short strings", fill(`{"data":[{"id":"a"`, `"id":"abcdefghijkl"`, `}]}`), 2)
	check("a long key", `{"parameters":{"`+strings.Repeat("x", size)+`":[1e999,1e999,1e999]}}`, 0.1)
}

func TestNumbersOutOfRangeOfUint(t *testing.T) {
	if d := firstDoc(t, `{"granularity":4294967295,"adjacency":4294967295.0}`); d.Granularity != math.MaxUint32 || d.Adjacency != math.MaxUint32 {
		t.Error(d)
	}
	answer(t, `{"data":[{"granularity":4294967296}]}`, Limits{})
	answer(t, `{"data":[{"granularity":1.5}]}`, Limits{})
	answer(t, `{"data":[{"granularity":1e999}]}`, Limits{})
}
