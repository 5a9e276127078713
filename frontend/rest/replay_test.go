package rest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"clipd/frontend/capturetest"
	"clipd/frontend/fetch"
	"clipd/frontend/jina"
)

// captures are real exchanges of clip_client, and of clients made by hand, with the original.
const captures = "../../testdata/captures"

// exceptions are the captures that are not simply replayed and compared.
var exceptions = map[string]struct {
	// why is what makes the recorded answer another one: a fault of the original, or a decision here.
	why string
	// mend takes that out of the recorded body, so that the rest is compared; nil: check looks at the answer instead.
	mend  func(body map[string]any)
	check func(t *testing.T, got answer)
	// loads: uris are refused unless the flow allows them; the capture is compared where it does.
	loads bool
}{
	"direct_curl_bad_base64": {why: "malformed base64 is a plain 500 in the original, and the caller's mistake here",
		check: func(t *testing.T, got answer) {
			got.want(t, 422, `{"detail":[{"`).want(t, 422, `"loc":["body","data",0,"blob"]`)
		}},
	"direct_curl_uri":      {why: "only data: is loaded unless the flow allows more", loads: true, check: refused},
	"post_server_side_uri": {why: "only data: is loaded unless the flow allows more", loads: true, check: refused},
	"direct_curl_wrong_doc_type": {why: "the original goes on to say that the list is no object, which is none of the caller's mistakes",
		mend: func(body map[string]any) { body["detail"] = body["detail"].([]any)[:1] }},
	"direct_curl_with_id_tags": {why: "the original makes true of a tag that is 1",
		mend: func(body map[string]any) {
			body["data"].([]any)[0].(map[string]any)["tags"].(map[string]any)["a"] = 1.0
		}},
	"direct_post_encode_path_404": {why: "/encode is a path here", check: func(t *testing.T, got answer) {
		got.want(t, 200, `"status":null,"execEndpoint":"/encode"`)
	}},
	"direct_gzip_request_body": {why: "bodies may be compressed here", check: func(t *testing.T, got answer) { got.want(t, 200, `"status":null`) }},
	"direct_get_redoc": {why: "there is one page of the API, /docs", check: func(t *testing.T, got answer) {
		if got.want(t, 307, ""); got.header.Get("Location") != "docs" {
			t.Errorf("it leads to %q", got.header.Get("Location"))
		}
	}},
}

// refused: the answer is an error of the request.
func refused(t *testing.T, got answer) {
	got.want(t, 200, `"status":{"code":1,`).want(t, 200, "127.0.0.1")
}

// corsOnly are the captures of a server with cors: true.
var corsOnly = map[string]bool{"direct_cors_preflight": true, "direct_cors_simple": true}

// unreachable are those whose uri cannot be loaded; it cannot where uris are allowed, too.
var unreachable = map[string]bool{"direct_curl_bad_uri": true, "direct_curl_missing_file_uri": true}

// TestReplay sends what clip_client and others sent to the original and compares the answers in all that a client can
// see, apart from ids that the server invents, times, words of errors, and the values of embeddings and scores.
func TestReplay(t *testing.T) {
	names := capturetest.Names(t, captures, "http")
	plain, cors := serve(t, hashModel{}, nil), serve(t, hashModel{}, func(o *Options) { o.CORS = true })
	loading, address := serveLoading(t)
	equal, mended, loaded, checked, requests := 0, 0, 0, 0, 0
	for _, name := range names {
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
		r := plain
		if corsOnly[name] {
			r = cors
		}
		files, _ := filepath.Glob(filepath.Join(captures, "http", name, "*-request.http"))
		if len(files) == 0 {
			t.Errorf("%s has no request", name)
		}
		requests += len(files)
		t.Run(name, func(t *testing.T) {
			for _, file := range files {
				sent, want := readExchange(t, file, recordedAddress)
				got := r.replay(t, sent)
				if x.check != nil && !bytes.HasPrefix(sent, []byte("GET /openapi.json ")) {
					x.check(t, got)
				} else {
					compare(t, sent, got, want, x.mend)
				}
				if x.loads || unreachable[name] {
					sent, want = readExchange(t, file, address)
					compare(t, sent, loading.replay(t, sent), want, nil)
				}
			}
		})
	}
	t.Logf("%d captures with %d requests: %d equal, %d equal but for a fault of the original, %d equal when uris are allowed, %d with another answer",
		len(names), requests, equal, mended, loaded, checked)
	if mended+loaded+checked != len(exceptions) || equal+mended+loaded+checked != len(names) {
		t.Error("some captures were forgotten")
	}
}

// recordedAddress is where the pictures of captures were served.
const recordedAddress = "127.0.0.1:51140"

// serveLoading runs a server that loads uris, and another for the pictures of captures, at address.
func serveLoading(t *testing.T) (r *running, address string) {
	t.Helper()
	folder := filepath.Join(captures, "assets")
	s := httptest.NewServer(http.FileServer(http.Dir(folder)))
	t.Cleanup(s.Close)
	address = s.Listener.Addr().String()
	if len(address) != len(recordedAddress) { // Content-Length has to stay right
		t.Fatalf("the pictures are served at %s, which is not as long as %s", address, recordedAddress)
	}
	loader, err := fetch.New(fetch.Options{HTTP: true, Networks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Folder: folder})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { loader.Close() })
	x, err := jina.NewExecutor(jina.ExecutorOptions{Name: "clip_o", ModelName: "ViT-B-32::openai", Model: hashModel{}, LogitScale: 100, Loader: *loader})
	if err != nil {
		t.Fatal(err)
	}
	g := jina.NewGateway(jina.GatewayOptions{Version: "test"})
	if err := g.SetExecutors(x); err != nil {
		t.Fatal(err)
	}
	return serve(t, hashModel{}, func(o *Options) { o.Gateway = g }), address
}

// readExchange reads a request and its answer, with the pictures at address.
func readExchange(t *testing.T, file, address string) (request []byte, response answer) {
	t.Helper()
	read := func(file string) []byte {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return bytes.ReplaceAll(content, []byte(recordedAddress), []byte(address))
	}
	request = read(file)
	content := read(strings.Replace(file, "-request", "-response", 1))
	return request, readAnswer(t, request, bufio.NewReader(bytes.NewReader(content)))
}

// readAnswer reads the answer to a request.
func readAnswer(t *testing.T, request []byte, r *bufio.Reader) answer {
	t.Helper()
	method, _, _ := strings.Cut(string(request), " ")
	resp, err := http.ReadResponse(r, &http.Request{Method: method})
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header, string(body)}
}

func (r *running) replay(t *testing.T, request []byte) answer {
	t.Helper()
	c := r.dial()
	defer c.Close()
	if _, err := c.Write(request); err != nil {
		t.Fatal(err)
	}
	return readAnswer(t, request, c.r)
}

// comparedHeaders are those that a client acts on.
var comparedHeaders = []string{
	"Content-Type", "Allow", "Content-Encoding", "Location", "Connection", "Vary", "Www-Authenticate", "Retry-After",
	"Access-Control-Allow-Origin", "Access-Control-Allow-Credentials", "Access-Control-Allow-Methods", "Access-Control-Allow-Headers",
	"Access-Control-Expose-Headers", "Access-Control-Max-Age",
}

func compare(t *testing.T, request []byte, got, want answer, mend func(map[string]any)) {
	t.Helper()
	if got.status != want.status {
		t.Fatalf("status %d, want %d: %.600s", got.status, want.status, got.body)
	}
	for _, name := range comparedHeaders {
		if g, w := got.header.Get(name), want.header.Get(name); g != w {
			t.Errorf("header %s: %q, want %q", name, g, w)
		}
	}
	var g, w any
	if json.Unmarshal([]byte(want.body), &w) != nil {
		// Pages are each server's own, and were not kept.
		if page := "<html>(page)</html>"; got.body != want.body && (want.body != page || !strings.Contains(got.body, "</html>")) {
			t.Errorf("body %.600q\nwant %.600q", got.body, want.body)
		}
		return
	}
	if err := json.Unmarshal([]byte(got.body), &g); err != nil {
		t.Fatalf("body is no JSON: %v: %.600s", err, got.body)
	}
	switch path := bytes.Fields(request)[1]; string(path) {
	case "/openapi.json":
		compareOperations(t, g, w)
		return
	case "/status":
		compareStatus(t, g, w)
		return
	}
	if mend != nil {
		mend(w.(map[string]any))
	}
	ids := idsOf(request)
	normalise(t, g, ids, true)
	normalise(t, w, ids, false)
	if !reflect.DeepEqual(g, w) {
		gs, _ := json.MarshalIndent(g, "", " ")
		ws, _ := json.MarshalIndent(w, "", " ")
		t.Errorf("body\n%s\nwant\n%s", difference(gs, ws), difference(ws, gs))
	}
}

// compareOperations looks for the original's paths and methods, which is all that was recorded, in the description. There
// may be more, and the version of OpenAPI is that of the document.
func compareOperations(t *testing.T, got, want any) {
	t.Helper()
	g, w := got.(map[string]any), want.(map[string]any)
	if g["openapi"] != w["openapi"] || g["info"].(map[string]any)["title"] == "" || g["info"].(map[string]any)["version"] == "" {
		t.Errorf("openapi %v, info %v; want openapi %v", g["openapi"], g["info"], w["openapi"])
	}
	paths := g["paths"].(map[string]any)
	for path, methods := range w["paths"].(map[string]any) {
		described, _ := paths[path].(map[string]any)
		for method := range methods.(map[string]any) {
			if described[method] == nil {
				t.Errorf("the description has no %s %s", method, path)
			}
		}
	}
}

// compareStatus compares the form: two objects of texts. What they say is the machine's.
func compareStatus(t *testing.T, got, want any) {
	t.Helper()
	form := func(v any) string {
		var keys []string
		for key, part := range v.(map[string]any) {
			of := "texts"
			for _, value := range part.(map[string]any) {
				if _, text := value.(string); !text {
					of = fmt.Sprint(value)
				}
			}
			keys = append(keys, key+" of "+of)
		}
		slices.Sort(keys)
		return fmt.Sprint(keys)
	}
	if g, w := form(got), form(want); g != w {
		t.Errorf("the status is %s, want %s", g, w)
	}
	if len(got.(map[string]any)["jina"].(map[string]any)) == 0 {
		t.Error("the status has no versions")
	}
}

// idsOf are those that the client chose.
func idsOf(request []byte) map[string]bool {
	ids := make(map[string]bool)
	_, body, _ := bytes.Cut(request, []byte("\r\n\r\n"))
	var v any
	if json.Unmarshal(body, &v) != nil {
		return ids
	}
	var collect func(v any)
	collect = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, e := range v {
				collect(e)
			}
		case map[string]any:
			if id, ok := v["id"].(string); ok {
				ids[id] = true
			}
			for _, e := range v {
				collect(e)
			}
		}
	}
	collect(v)
	return ids
}

// difference returns the part of a from a little before where it differs from b.
func difference(a, b []byte) []byte {
	i := 0
	for i < min(len(a), len(b)) && a[i] == b[i] {
		i++
	}
	return a[max(0, i-200):min(len(a), i+400)]
}

// normalise blanks what two servers may differ in. What is recorded may have faults where ours may not.
func normalise(t *testing.T, v any, ids map[string]bool, ours bool) {
	t.Helper()
	m, _ := v.(map[string]any)
	if details, ok := m["detail"].([]any); ok {
		normaliseDetails(details)
	}
	if m["header"] == nil {
		return
	}
	header := m["header"].(map[string]any)
	header["requestId"] = invented(t, header["requestId"])
	normaliseStatus(t, header["status"])
	for i, route := range m["routes"].([]any) {
		r := route.(map[string]any)
		for _, key := range []string{"startTime", "endTime"} {
			at, text := r[key].(string)
			if _, err := time.Parse(time.RFC3339Nano, at); text && err != nil && ours {
				t.Error(err)
			}
			if text {
				r[key] = "a time"
			}
		}
		normaliseStatus(t, r["status"])
		if i == 1 {
			r["executor"] = "executor"
		}
	}
	normaliseDocs(t, m["data"], ids, header["status"] != nil, ours)
}

// normaliseDetails keeps where a mistake is and that there are words.
func normaliseDetails(details []any) {
	for _, d := range details {
		if d, ok := d.(map[string]any); ok {
			d["msg"] = d["msg"] != ""
		}
	}
}

// invented checks an id that a server made up.
func invented(t *testing.T, v any) string {
	t.Helper()
	if id, ok := v.(string); !ok || len(id) != 32 || strings.Trim(id, "0123456789abcdef") != "" {
		t.Errorf("an invented id is %v", v)
	}
	return "invented"
}

// normaliseStatus keeps the code, who failed, and that there are words, in the form that jina has for them.
func normaliseStatus(t *testing.T, v any) {
	t.Helper()
	s, _ := v.(map[string]any)
	if e, _ := s["exception"].(map[string]any); e != nil {
		name, _ := e["name"].(string)
		args, _ := e["args"].([]any)
		stacks, _ := e["stacks"].([]any)
		text, _ := s["description"].(string)
		if name == "" || len(args) == 0 || len(stacks) == 0 || !strings.HasPrefix(text, name+"(") || !strings.HasSuffix(text, ")") {
			t.Errorf("the error is no NAME('words') with its parts: %v", s)
		}
		e["name"], e["args"], e["stacks"], s["description"] = nil, nil, nil, "words"
	}
}

func normaliseDocs(t *testing.T, v any, ids map[string]bool, failed, ours bool) {
	t.Helper()
	docs, _ := v.([]any)
	for _, doc := range docs {
		d := doc.(map[string]any)
		if id, _ := d["id"].(string); !ids[id] {
			d["id"] = invented(t, d["id"])
		}
		if e, _ := d["embedding"].([]any); e != nil && !failed {
			d["embedding"] = len(e)
		}
		matches, _ := d["matches"].([]any)
		if ours && !slices.IsSortedFunc(matches, func(a, b any) int { return -compareScores(a, b) }) {
			t.Errorf("the matches of %v are not sorted", d["id"])
		}
		for _, s := range asMap(d["scores"]) {
			s.(map[string]any)["value"] = nil
		}
		normaliseDocs(t, d["chunks"], ids, failed, ours)
		normaliseDocs(t, d["matches"], ids, failed, ours)
		slices.SortFunc(matches, func(a, b any) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
	}
}

func asMap(v any) map[string]any {
	m, _ := v.(map[string]any)
	return m
}

func compareScores(a, b any) int {
	score := func(v any) float64 {
		value, _ := asMap(asMap(asMap(v)["scores"])["clip_score"])["value"].(float64)
		return value
	}
	switch x, y := score(a), score(b); {
	case x < y:
		return -1
	case x > y:
		return 1
	}
	return 0
}
