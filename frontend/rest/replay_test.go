package rest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// differs names the captures whose answer is another one here, and why.
var differs = map[string]string{
	"direct_gzip_request_body":    "bodies may be compressed",
	"direct_curl_bad_base64":      "broken base64 is the caller's mistake, 422, and not a 500",
	"direct_post_encode_path_404": "/encode is there",
	"direct_get_openapi":          "there are more paths; TestOpenAPIHasTheOriginalsPaths looks for the original's",
	"direct_get_docs":             "another page",
	"direct_get_redoc":            "leads to /docs",
	"direct_get_status":           "values belong to a machine",
	"direct_curl_uri":             "http URIs are off",
	"post_server_side_uri":        "http URIs are off",
	"direct_curl_wrong_doc_type":  "data is a list, so nobody is told that it is no dict; TestWrongBodies looks for the rest",
	"direct_curl_with_id_tags":    "a tag of 1 does not become true; TestTagsStay looks for the rest",
}

// corsOnly are the captures of a server with cors: true.
var corsOnly = map[string]bool{"direct_cors_preflight": true, "direct_cors_simple": true}

// TestReplay sends what clip_client and others sent to the original and compares the answers in all that a client can
// see, apart from ids, times, words of errors, and the values of embeddings and scores.
func TestReplay(t *testing.T) {
	root := "../../testdata/captures/http"
	folders, err := os.ReadDir(root)
	if err != nil {
		t.Fatal(err)
	}
	servers := map[bool]*running{
		false: serve(t, hashModel{}, nil),
		true:  serve(t, hashModel{}, func(o *Options) { o.CORS = true }),
	}
	replayed := 0
	for _, f := range folders {
		if !f.IsDir() {
			continue
		}
		requests, _ := filepath.Glob(filepath.Join(root, f.Name(), "*-request.http"))
		slices.Sort(requests)
		for _, file := range requests {
			name := filepath.Join(f.Name(), filepath.Base(file))
			recorded := readResponse(t, strings.Replace(file, "-request", "-response", 1))
			if recorded == nil || skipped(f.Name(), file) {
				continue
			}
			replayed++
			t.Run(name, func(t *testing.T) { replay(t, servers[corsOnly[f.Name()]], file, recorded) })
		}
	}
	if replayed < 68 {
		t.Errorf("only %d requests were replayed", replayed)
	}
}

// skipped reports whether another answer is right for a request. clip_client asks for openapi.json before its first call.
func skipped(folder, file string) bool {
	content, _ := os.ReadFile(file)
	return differs[folder] != "" || bytes.HasPrefix(content, []byte("GET /openapi.json ")) || bytes.HasPrefix(content, []byte("GET /status "))
}

func readResponse(t *testing.T, file string) *answer {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		return nil
	}
	request := &http.Request{Method: "GET"}
	if strings.Contains(file, "direct_head") {
		request.Method = "HEAD"
	}
	resp, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(content)), request)
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return &answer{resp.StatusCode, resp.Header, string(body)}
}

func replay(t *testing.T, r *running, file string, want *answer) {
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	c := r.dial()
	c.t = t
	c.send(string(content))
	var got answer
	if bytes.HasPrefix(content, []byte("HEAD ")) {
		resp, err := http.ReadResponse(c.r, &http.Request{Method: "HEAD"})
		if err != nil {
			t.Fatal(err)
		}
		got = answer{resp.StatusCode, resp.Header, ""}
	} else {
		got = c.receive()
	}
	if got.status != want.status {
		t.Fatalf("status %d, want %d: %.600s", got.status, want.status, got.body)
	}
	for _, name := range []string{
		"Content-Type", "Allow", "Content-Encoding", "Access-Control-Allow-Origin", "Access-Control-Allow-Credentials", "Access-Control-Allow-Methods",
		"Access-Control-Allow-Headers", "Access-Control-Max-Age",
	} {
		if g, w := got.header.Get(name), want.header.Get(name); g != w {
			t.Errorf("header %s: %q, want %q", name, g, w)
		}
	}
	compareBodies(t, got.body, want.body)
}

// compareBodies compares JSON by its values and other bodies by their bytes.
func compareBodies(t *testing.T, got, want string) {
	t.Helper()
	var g, w any
	if json.Unmarshal([]byte(want), &w) != nil {
		if got != want {
			t.Errorf("body %.600q\nwant %.600q", got, want)
		}
		return
	}
	if err := json.Unmarshal([]byte(got), &g); err != nil {
		t.Fatalf("body is no JSON: %v: %.600s", err, got)
	}
	normalise(g)
	normalise(w)
	if !reflect.DeepEqual(g, w) {
		gs, _ := json.MarshalIndent(g, "", " ")
		ws, _ := json.MarshalIndent(w, "", " ")
		t.Errorf("body\n%s\nwant\n%s", difference(gs, ws), difference(ws, gs))
	}
}

// difference returns the part of a from a little before where it differs from b.
func difference(a, b []byte) []byte {
	i := 0
	for i < min(len(a), len(b)) && a[i] == b[i] {
		i++
	}
	return a[max(0, i-200):min(len(a), i+400)]
}

// normalise blanks what two servers may differ in.
func normalise(v any) {
	m, _ := v.(map[string]any)
	if m["header"] == nil {
		return
	}
	header := m["header"].(map[string]any)
	header["requestId"] = fmt.Sprint(len(header["requestId"].(string)))
	normaliseStatus(header["status"])
	routes, _ := m["routes"].([]any)
	for i, route := range routes {
		r := route.(map[string]any)
		r["startTime"], r["endTime"] = nil, nil
		normaliseStatus(r["status"])
		if i == 1 {
			r["executor"] = "executor"
		}
	}
	if len(routes) > 2 { // the stages of the executor, which the original does not tell
		m["routes"] = routes[:2]
	}
	normaliseDocs(m["data"], header["status"] != nil)
}

// normaliseStatus keeps the code and that there are words; the words are each server's own.
func normaliseStatus(v any) {
	s, _ := v.(map[string]any)
	if s == nil {
		return
	}
	s["description"] = s["description"] != ""
	if e, _ := s["exception"].(map[string]any); e != nil {
		s["exception"] = map[string]any{"executor": e["executor"]}
	}
}

func normaliseDocs(v any, failed bool) {
	docs, _ := v.([]any)
	for _, doc := range docs {
		d := doc.(map[string]any)
		if id, _ := d["id"].(string); len(id) == 32 {
			d["id"] = "id"
		}
		if e, _ := d["embedding"].([]any); e != nil && !failed {
			d["embedding"] = len(e)
		}
		scores, _ := d["scores"].(map[string]any)
		for _, s := range scores {
			s.(map[string]any)["value"] = nil
		}
		normaliseDocs(d["chunks"], failed)
		normaliseDocs(d["matches"], failed)
		matches, _ := d["matches"].([]any)
		slices.SortFunc(matches, func(a, b any) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
	}
}
