package bench

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// answered is an answer of Jina's in JSON with so many embeddings.
func answered(n int) string {
	document := `{"id":"a","embedding":[` + strings.TrimSuffix(strings.Repeat("0.125,", 64), ",") + `]}`
	return `{"header":{"requestId":"x","status":null},"parameters":{},"routes":[],"data":[` +
		strings.TrimSuffix(strings.Repeat(document+",", n), ",") + `]}`
}

func TestHTTP(t *testing.T) {
	var got jsonRequest
	var header http.Header
	var path string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header, path = r.Header, r.URL.Path
		if err := json.NewDecoder(r.Body).Decode(&got); err != nil {
			t.Error(err)
		}
		io.WriteString(w, answered(2))
	}))
	defer s.Close()
	want(t, meet(t, s.URL, TargetOptions{Credential: "token", Headers: [][2]string{{"X-A", "1"}, {"X-A", "2"}}}, inputs), "", false)
	if path != "/post" || header.Get("Content-Type") != "application/json" || header.Get("Authorization") != "token" || len(header.Values("X-A")) != 2 {
		t.Errorf("path %s, header %v", path, header)
	}
	if got.ExecEndpoint != "/encode" || len(got.Data) != 2 || got.Data[0].Text != inputs[0].Text || string(got.Data[1].Blob) != string(inputs[1].Picture) {
		t.Errorf("the server got %+v", got)
	}
}

func TestHTTPErrors(t *testing.T) {
	check := func(code int, body, text string, refused bool) {
		t.Helper()
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			w.WriteHeader(code)
			io.WriteString(w, body)
		}))
		defer s.Close()
		want(t, meet(t, s.URL, TargetOptions{}, inputs), text, refused)
	}
	inHeader := func(code, exception string) string {
		return fmt.Sprintf(`{"data":[],"header":{"status":{"code":%s,"description":"why","exception":{"name":"%s"}}}}`, code, exception)
	}
	check(429, "too many", "too many", true)
	check(503, "starting", "503", true)
	check(500, "broken", "broken", false)
	check(200, inHeader("1", "BlockingIOError"), "why", true)
	check(200, inHeader(`"ERROR"`, "ValueError"), "why", false)
	check(200, answered(1), "1 embeddings to 2 items", false)
	check(200, `{"data":[]}`, "no header", false)
	check(200, `[]`, "no JSON object", false)
	check(200, `{"header":`, "broken JSON", false)
	check(200, ``, "no JSON object", false)
}

// One connection is used again and again, and a request of which nothing is known is not sent twice.
func TestHTTPKeepsItsConnection(t *testing.T) {
	var connections, requests atomic.Int64
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		if requests.Add(1) == 5 {
			panic(http.ErrAbortHandler) // cuts the connection
		}
		io.WriteString(w, answered(2))
	}))
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	s.Start()
	defer s.Close()
	target, err := ParseTarget(s.URL, TargetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	c, err := target.Dial()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	request, err := target.Encode(inputs)
	if err != nil {
		t.Fatal(err)
	}
	failures := 0
	for range 8 {
		if err := c.Exchange(t.Context(), request, 2); err != nil {
			failures++
		}
	}
	if failures != 1 || requests.Load() != 8 || connections.Load() != 2 {
		t.Errorf("%d failures, %d requests on %d connections; the fifth of eight was cut", failures, requests.Load(), connections.Load())
	}
}

// hang starts a server that never answers and returns a function that ends it.
func hang(t *testing.T) (address string, heard <-chan struct{}) {
	release, begun := make(chan struct{}), make(chan struct{}, 10)
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		begun <- struct{}{}
		<-release
	}))
	t.Cleanup(func() {
		close(release)
		s.Close()
	})
	return s.URL, begun
}

func TestHTTPExchangeEndsWithItsContext(t *testing.T) {
	address, heard := hang(t)
	target, err := ParseTarget(address, TargetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	request, _ := target.Encode(inputs)
	c, _ := target.Dial()
	defer c.Close()
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-heard
		cancel()
	}()
	if err := c.Exchange(ctx, request, 2); err != context.Canceled {
		t.Errorf("%v; the context was cancelled", err)
	}
	ctx, cancel = context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := c.Exchange(ctx, request, 2); err == nil {
		t.Error("an exchange with a server that hangs ended well")
	}
}

func TestHTTPS(t *testing.T) {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, answered(2)) }))
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // of the handshake that is to fail
	s.StartTLS()
	defer s.Close()
	want(t, meet(t, s.URL, TargetOptions{Insecure: true}, inputs), "", false)
	want(t, meet(t, s.URL, TargetOptions{}, inputs), "certificate", false)
}

func TestOpenAI(t *testing.T) {
	var got openaiRequest
	var auth string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		auth = r.Header.Get("Authorization")
		got = openaiRequest{}
		if err := json.NewDecoder(r.Body).Decode(&got); err != nil {
			t.Error(err)
		}
		row := `{"object":"embedding","index":0,"embedding":[` + strings.TrimSuffix(strings.Repeat("0.125,", 64), ",") + `]}`
		fmt.Fprintf(w, `{"object":"list","data":[%s]}`, strings.TrimSuffix(strings.Repeat(row+",", len(got.Input)), ","))
	}))
	defer s.Close()
	address := s.URL + "/v1/embeddings"
	want(t, meet(t, address, TargetOptions{Model: "clip", Credential: "key"}, []Item{inputs[0], inputs[0]}), "", false)
	if got.Model != "clip" || len(got.Input) != 2 || got.Input[0] != inputs[0].Text || got.Modality != "" || auth != "Bearer key" {
		t.Errorf("the server got %+v, Authorization %q", got, auth)
	}
	want(t, meet(t, address, TargetOptions{Credential: "Basic abc"}, []Item{inputs[1]}), "", false)
	if uri := "data:image/jpeg;base64," + base64.StdEncoding.EncodeToString(inputs[1].Picture); got.Modality != "image" || got.Input[0] != uri || auth != "Basic abc" {
		t.Errorf("the server got %+v, Authorization %q", got, auth)
	}
	target, err := ParseTarget(address, TargetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := target.Encode(inputs); err == nil || target.Mixed() {
		t.Errorf("a request of a text and a picture was made: %v", err)
	}
}
