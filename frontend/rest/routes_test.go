package rest

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"clipd/engine"
	"clipd/frontend/jina"
)

func TestServerPaths(t *testing.T) {
	r := serve(t, hashModel{}, nil)
	r.do("GET", "/", "").want(t, 200, `{}`)
	r.do("GET", "/dry_run", "").want(t, 200, `{"code":0,"description":"","exception":null}`)
	r.do("GET", "/status", "").want(t, 200, `"clipd":"test"`)
	r.do("GET", "/redoc", "").want(t, 307, "/docs")
	r.do("GET", "/nope", "").want(t, 404, `{"detail":"Not Found"}`)
	r.do("GET", "/post/", "").want(t, 404, `{"detail":"Not Found"}`)
	if a := r.do("PUT", "/rank", oneText).want(t, 405, `{"detail":"Method Not Allowed"}`); a.header.Get("Allow") != "POST" {
		t.Errorf("Allow is %q", a.header.Get("Allow"))
	}
	for _, method := range []string{"OPTIONS", "TRACE", "BREW"} {
		r.do(method, "/post", "").want(t, 405, "Method Not Allowed")
	}
}

func TestEndpointOfThePath(t *testing.T) {
	r := serve(t, hashModel{}, nil)
	check := func(path, body, endpoint string) {
		t.Helper()
		r.do("POST", path, body).want(t, 200, `"execEndpoint":"`+endpoint+`","targetExecutor":""}`)
	}
	check("/post", oneText, "/")
	check("/post", `{"data": [{"text": "hi"}], "execEndpoint": "/foo"}`, "/foo")
	check("/encode", oneText, "/encode")
	check("/encode?x=1", `{"data": [{"text": "hi"}], "exec_endpoint": "/encode"}`, "/encode")
	check("/encode", `{"data": [{"text": "hi"}], "exec_endpoint": "/rank"}`, "/encode")
	check("/index", oneText, "/index")
	check("/encode/ViT-B-32::openai", oneText, "/encode/ViT-B-32::openai")
	check("/encode/ViT-B/32", oneText, "/encode/ViT-B/32")
	check("/encode/M-CLIP%2FXLM-Roberta%20Large", oneText, "/encode/M-CLIP/XLM-Roberta Large")
	check("/encode/../rank", oneText, "/encode/../rank")
	check("/p%6Fst", oneText, "/")
	check("/rank/any", `{"data": [{"text": "a", "matches": [{"text": "b"}, {"text": "c"}]}]}`, "/rank/any")
	r.do("POST", "/rank", `{"data": [{"text": "a", "matches": [{"text": "b"}, {"text": "c"}]}]}`).want(t, 200, `"clip_score_cosine"`)
	r.dialed(request("/encode/%zz", oneText)).want(t, 400, "percent-escape")
	r.dialed(request("/encode/%ff", oneText)).want(t, 400, "not UTF-8")
	r.dialed(request("http://elsewhere/post?a=/b", oneText)).want(t, 200, `"execEndpoint":"/"`)
}

// dialed sends a request on a connection of its own.
func (r *running) dialed(request string) answer {
	r.t.Helper()
	c := r.dial()
	c.send(request)
	return c.receive()
}

func TestModelByHeader(t *testing.T) {
	r := serve(t, hashModel{}, nil)
	r.do("POST", "/encode", oneText, "clip-model", "ViT-B/32::openai").want(t, 200, `"status":null`)
	r.do("POST", "/encode", oneText, "clip-model", "nothing").want(t, 200, `no model is called \"nothing\"`)
}

func TestEmbeddingsAsBase64(t *testing.T) {
	r := serve(t, hashModel{}, nil)
	check := func(path, body string, want bool) {
		t.Helper()
		a := r.do("POST", path, body).want(t, 200, `"status":null`)
		if got := strings.Contains(a.body, `"embedding":"`); got != want {
			t.Errorf("%s %s: base64 is %v", path, body, got)
		}
	}
	check("/encode", oneText, false)
	check("/encode?encoding_format=float", oneText, false)
	check("/encode?encoding_format=base64", oneText, true)
	check("/post", `{"data": [{"text": "hi"}], "encoding_format": "base64"}`, true)
	a := r.do("POST", "/encode?encoding_format=hex", oneText).want(t, 422, `"loc":["query","encoding_format"]`)
	if !json.Valid([]byte(a.body)) {
		t.Errorf("no JSON: %s", a.body)
	}
}

func TestSwitches(t *testing.T) {
	check := func(set func(*Options), method, path string, status int) {
		t.Helper()
		r := serve(t, hashModel{}, set)
		body := ""
		if method != "GET" {
			body = oneText
		}
		if a := r.do(method, path, body); a.status != status {
			t.Errorf("%s %s: %d, want %d", method, path, a.status, status)
		}
		r.describes(t, method, path, status != 404)
	}
	noDebug := func(o *Options) { o.NoDebugEndpoints = true }
	check(noDebug, "POST", "/post", 404)
	check(noDebug, "GET", "/status", 404)
	check(noDebug, "GET", "/dry_run", 404)
	check(noDebug, "GET", "/", 200)
	check(noDebug, "POST", "/encode", 200)
	check(noDebug, "POST", "/index", 200)
	noCRUD := func(o *Options) { o.NoCRUDEndpoints = true }
	check(noCRUD, "POST", "/post", 200)
	check(noCRUD, "POST", "/index", 404)
	check(noCRUD, "POST", "/search", 404)
	check(noCRUD, "PUT", "/update", 404)
	check(noCRUD, "DELETE", "/delete", 404)
	webSocketPort := func(o *Options) { o.Post = false }
	for _, path := range []string{"/", "/status", "/dry_run", "/docs", "/openapi.json"} {
		check(webSocketPort, "GET", path, 200)
	}
	check(webSocketPort, "POST", "/post", 404)
	check(webSocketPort, "POST", "/encode", 404)
	expose := func(o *Options) {
		o.Expose = []Exposed{
			{Endpoint: "/foo", Path: "/over/there", Methods: []string{"GET", "PATCH"}, Summary: "Foo", Tags: []string{"mine"}},
			{Endpoint: "bar", Path: "/encode"}, {Endpoint: "/x", Path: "/post"},
		}
	}
	check(expose, "GET", "/over/there", 422) // without a body
	check(expose, "PATCH", "/over/there", 200)
	r := serve(t, hashModel{}, expose)
	r.do("PATCH", "/over/there", oneText).want(t, 200, `"execEndpoint":"/foo"`)
	r.do("POST", "/encode", oneText).want(t, 200, `"execEndpoint":"/bar"`)
	r.do("POST", "/post", oneText).want(t, 200, `"execEndpoint":"/"`)
}

// describes checks that the OpenAPI document has an operation, or that it has not.
func (r *running) describes(t *testing.T, method, path string, want bool) {
	t.Helper()
	_, got := r.operations(t)[path][strings.ToLower(method)]
	if got != want {
		t.Errorf("the OpenAPI document has %s %s: %v, want %v", method, path, got, want)
	}
}

// operations are those of the OpenAPI document, by path and method.
func (r *running) operations(t *testing.T) map[string]map[string]json.RawMessage {
	t.Helper()
	var document struct {
		Paths map[string]map[string]json.RawMessage
	}
	if err := json.Unmarshal([]byte(r.do("GET", "/openapi.json", "").body), &document); err != nil {
		t.Fatal(err)
	}
	return document.Paths
}

func TestPlainReturns(t *testing.T) {
	r := serve(t, hashModel{}, func(o *Options) { o.PlainReturns = true })
	check := func(method, path, body, contentType string) {
		t.Helper()
		a := r.do(method, path, body)
		if got := a.header.Get("Content-Type"); a.status != 200 || got != contentType {
			t.Errorf("%s %s: %d %s, want %s", method, path, a.status, got, contentType)
		}
		if contentType == "text/plain" && strings.Contains(a.body, "data") {
			t.Errorf("%s %s: the letters data occur in %.300s", method, path, a.body)
		}
		if !json.Valid([]byte(a.body)) {
			t.Errorf("%s %s: no JSON: %.300s", method, path, a.body)
		}
	}
	check("POST", "/encode", oneText, "text/plain")
	check("POST", "/encode/some/model", oneText, "text/plain")
	check("POST", "/index", oneText, "text/plain")
	check("POST", "/post", `{"data": [{"text": "hi"}], "execEndpoint": "/encode"}`, "text/plain")
	check("POST", "/rank", `{"data": [{"text": "a", "matches": [{"text": "b"}]}]}`, "text/plain")
	check("POST", "/post", oneText, "application/json") // profile() reads JSON
	check("PUT", "/update", oneText, "application/json")
	check("POST", "/encode", `{"data": [{"blob": "aGk="}]}`, "application/json") // an error
}

func TestNotReady(t *testing.T) {
	g := jina.NewGateway(jina.GatewayOptions{Version: "test"})
	r := serve(t, hashModel{}, func(o *Options) { o.Gateway = g })
	r.do("GET", "/", "").want(t, 200, "{}")
	r.do("GET", "/dry_run", "").want(t, 200, `{"code":1,"description":"the model is still loading`)
	a := r.do("POST", "/encode", oneText).want(t, 503, `"status":{"code":1,"description":"the model is still loading`)
	if a.header.Get("Retry-After") != "1" {
		t.Errorf("Retry-After is %q", a.header.Get("Retry-After"))
	}
	if err := g.SetExecutors(executorOf(t, hashModel{})); err != nil {
		t.Fatal(err)
	}
	r.do("GET", "/dry_run", "").want(t, 200, `{"code":0,`)
	g.Drain()
	r.do("GET", "/dry_run", "").want(t, 200, `{"code":1,"description":"the server is shutting down`)
	// Those who are connected are served still, and told to go elsewhere next time.
	if a := r.dialed(request("/post", oneText)).want(t, 200, `"embedding":[`); a.header.Get("Connection") != "close" {
		t.Errorf("while draining: %v", a.header)
	}
}

// TestModelRefuses: what the model has no room or no time for has a status of its own, and the body that clip_client reads.
func TestModelRefuses(t *testing.T) {
	check := func(kind engine.Kind, status int, retry string) {
		t.Helper()
		r := serve(t, modelFunc(func(context.Context, engine.Request) (*engine.Embeddings, error) {
			return nil, engine.Errorf(kind, "the reason")
		}), nil)
		a := r.do("POST", "/post", `{"data": [{"text": "hi"}], "execEndpoint": "/encode"}`)
		var body struct {
			Header struct {
				RequestID, ExecEndpoint string
				Status                  struct {
					Code        int
					Description string
				}
			}
			Routes any
		}
		if err := json.Unmarshal([]byte(a.body), &body); err != nil {
			t.Fatalf("%v: %s", err, a.body)
		}
		h := body.Header
		if a.status != status || h.Status.Code != 1 || !strings.Contains(h.Status.Description, "the reason") ||
			len(h.RequestID) != 32 || h.ExecEndpoint != "/encode" || body.Routes != nil || a.header.Get("Retry-After") != retry {
			t.Errorf("%d %v %s", a.status, a.header, a.body)
		}
	}
	check(engine.Overloaded, 429, "1")
	check(engine.Unavailable, 503, "1")
	check(engine.Deadline, 504, "")
}
