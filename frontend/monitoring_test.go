package frontend

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/coder/websocket"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/rs/zerolog"

	"clipd/flows"
	"clipd/frontend/auth"
	"clipd/frontend/jina"
)

// scraped are metrics as Prometheus reads them.
type scraped map[string]*dto.MetricFamily

func (w *whole) scrape() scraped {
	w.t.Helper()
	r, err := http.Get(w.Server.metrics.URL("127.0.0.1"))
	if err != nil {
		w.t.Fatal(err)
	}
	defer r.Body.Close()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(r.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return families
}

// sum adds the values of a metric that have all of the labels, given as name=value; of histograms their counts.
func (s scraped) sum(name string, labels ...string) float64 {
	total := 0.0
	for _, m := range s[name].GetMetric() {
		fits := 0
		for _, l := range m.GetLabel() {
			for _, want := range labels {
				if l.GetName()+"="+l.GetValue() == want {
					fits++
				}
			}
		}
		if fits == len(labels) {
			total += m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return total
}

// TestMetricsOfAllDoors sends requests over each protocol and finds each counted once, where it belongs.
func TestMetricsOfAllDoors(t *testing.T) {
	w := startWhole(t, 4, nil)
	before := w.scrape()
	held := make(chan error, 1)
	go func() { held <- w.callers()["unary"](t.Context(), texts(2), "") }()
	<-w.lane.begun
	during := w.scrape()
	for name, want := range map[string]float64{"jina_number_of_pending_requests": 1, "clipd_queued_inputs": 2, "clipd_running_inputs": 2} {
		if got := during.sum(name); got != want {
			t.Errorf("%s is %v while two texts are in a batch, want %v", name, got, want)
		}
	}
	w.open()
	if err := <-held; err != nil {
		t.Fatal(err)
	}
	for _, protocol := range []string{"stream", "http"} {
		if err := w.callers()[protocol](t.Context(), texts(3), ""); err != nil {
			t.Error(err)
		}
	}
	if err := w.callers()["http"](t.Context(), pictures([]byte("no picture")), ""); err != nil {
		t.Error(err) // 200: the answer says it
	}
	if err := w.callers()["unary"](t.Context(), texts(101), ""); err == nil {
		t.Error("101 documents were let in")
	}
	socket, _, err := websocket.Dial(t.Context(), "ws://"+w.Addr().String()+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer socket.CloseNow()
	for _, body := range []string{`{"data":[{"text":"x"}],"execEndpoint":"/encode"}`, `{"data":[{"text":"x","matches":[{"text":"y"}]}],"execEndpoint":"/rank"}`} {
		if err := socket.Write(t.Context(), websocket.MessageText, []byte(body)); err != nil {
			t.Fatal(err)
		}
		if _, _, err := socket.Read(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	w.eventually("every request is counted", func() bool { return w.scrape().sum("jina_number_of_pending_requests") == 0 })
	after := w.scrape()
	check := func(want float64, name string, labels ...string) {
		t.Helper()
		if got := after.sum(name, labels...) - before.sum(name, labels...); got != want {
			t.Errorf("%s %v went up by %v, want %v", name, labels, got, want)
		}
	}
	check(2, "clipd_requests_total", "protocol=grpc", "endpoint=/encode", "status=ok")
	check(1, "clipd_requests_total", "protocol=grpc", "endpoint=/encode", "status=too_large")
	check(1, "clipd_requests_total", "protocol=http", "endpoint=/encode", "status=ok")
	check(1, "clipd_requests_total", "protocol=http", "endpoint=/encode", "status=invalid")
	check(1, "clipd_requests_total", "protocol=websocket", "endpoint=/encode", "status=ok")
	check(1, "clipd_requests_total", "protocol=websocket", "endpoint=/rank", "status=ok")
	check(7, "clipd_requests_total")
	check(7, "clipd_request_seconds")
	check(1, "clipd_refused_requests_total", "reason=max_documents")
	check(1, "clipd_refused_requests_total")
	check(5, "jina_successful_requests_total", "runtime_name=gateway")
	check(2, "jina_failed_requests_total", "runtime_name=gateway")
	check(5, "jina_receiving_request_seconds", "runtime_name=gateway")
	check(7, "jina_received_request_bytes", "runtime_name=gateway")
	check(5, "jina_sent_response_bytes", "runtime_name=gateway")
	check(5, "jina_successful_requests_total", "runtime_name=clip_t")
	check(1, "jina_failed_requests_total", "runtime_name=clip_t")
	check(6, "jina_sending_request_seconds", "runtime_name=gateway")
	check(6, "jina_process_request_seconds")
	check(2+3+3+1+2, "clipd_documents_total", "kind=text")
	check(1, "clipd_documents_total", "kind=image")
	check(2+3+3+1+2, "clipd_queue_seconds", "tower=text")
	check(0, "clipd_queue_seconds", "tower=image")
	check(1, "clipd_prepare_seconds", "tower=image")
	if got := after.sum("clipd_connections", "protocol=websocket"); got != 1 {
		t.Errorf("%v WebSockets", got)
	}
	if got := after.sum("clipd_connections", "protocol=grpc"); got != 1 {
		t.Errorf("%v gRPC connections", got)
	}
	if got := after.sum("clipd_lanes", "state=in_service"); got != 1 {
		t.Errorf("%v lanes", got)
	}
	if limit := after.sum("clipd_inflight_bytes_limit"); limit != float64(w.bytes.Max()) {
		t.Errorf("a budget of %v", limit)
	}
}

// TestNothingListensWithoutMetrics: the port stays free.
func TestNothingListensWithoutMetrics(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	o := settings(func(g *flows.Gateway) { g.PortMonitoring = l.Addr().(*net.TCPAddr).Port })
	s, err := Listen(o, jina.NewGateway(jina.GatewayOptions{}))
	if err != nil {
		t.Fatalf("a port that nobody asked for: %v", err)
	}
	defer s.Close()
	for _, u := range s.URLs() {
		if u.Name == "metrics" {
			t.Errorf("%+v", u)
		}
	}
}

// lines is a log that may be read while it is written.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// TestLogOfCalls: gRPC writes a line about each call, as HTTP does, and a key that can be used for nothing is named at the start
// with its line.
func TestLogOfCalls(t *testing.T) {
	file := filepath.Join(t.TempDir(), "keys")
	secret := auth.NewSecret()
	hash, err := auth.Hash(secret)
	if err != nil {
		t.Fatal(err)
	}
	mine, typo := auth.Entry{Name: "mine", Hash: hash}, auth.Entry{Name: "typo", Hash: [32]byte{1}, Limits: auth.Limits{Models: []string{"clip_x"}}}
	if err := os.WriteFile(file, []byte(mine.String()+"\n"+typo.String()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	log := &lines{}
	w := startWholeLogging(t, 4, zerolog.New(log), func(g *flows.Gateway) { g.Auth = &flows.Auth{KeysFile: file} })
	w.CheckKeys()
	for _, part := range []string{`"key":"typo"`, `"line":"` + file + `:2"`, `"models":["clip_x"]`, `"served":["clip_t"]`, `"level":"warn"`} {
		if !strings.Contains(log.String(), part) {
			t.Errorf("no %s in %s", part, log)
		}
	}
	w.open()
	ctx := withKey(t.Context(), secret)
	for method, name := range map[string]string{"unary": "/jina.JinaSingleDataRequestRPC/process_single_data", "stream": "/jina.JinaRPC/Call"} {
		ctx, cancel := context.WithCancel(ctx)
		if err := w.callers()[method](ctx, texts(1), ""); err != nil {
			t.Error(err)
		}
		cancel()
		w.eventually("a line about "+name, func() bool { return strings.Contains(log.String(), `"method":"`+name+`"`) })
	}
	for _, part := range []string{`"code":"OK"`, `"requests":1`, `"answers":1`, `"took":`, `"key":"mine"`, `"message":"grpc"`} {
		if !strings.Contains(log.String(), part) {
			t.Errorf("no %s in %s", part, log)
		}
	}
	if strings.Contains(log.String(), secret) {
		t.Error("the log has the key")
	}
}
