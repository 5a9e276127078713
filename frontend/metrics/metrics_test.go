package metrics

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/rs/zerolog"

	"clipd/engine"
	"clipd/frontend/fault"
)

// still is a model and a server of which everything is known.
type still struct{}

func (still) Stats() engine.Stats {
	return engine.Stats{CacheHits: 1, CacheMisses: 2, CacheBytes: 3, Evicted: 4, Joined: 5}
}
func (still) Activity() engine.Activity {
	return engine.Activity{Queued: 21, Undecoded: 6, Waiting: [2]int{7, 8}, Running: [2]int{9, 10}, Lanes: 11, LanesOut: 12}
}
func (still) Health() (bool, string)                              { return true, "" }
func (still) Connections() (grpc, http, websocket, undecided int) { return 13, 14, 15, 16 }
func (still) RefusedConnections() uint64                          { return 17 }
func (still) InFlight() (used, limit int64)                       { return 18, 19 }

// busy counts at least one of everything.
func busy() *Metrics {
	m := New("1.2.3")
	m.Watch(still{})
	m.AddModel("clip", still{})
	x := m.Executor("clip")
	m.Begin(GRPC, time.Now()).End("/encode", nil, 100, 200)
	m.Begin(HTTP, time.Now()).End("/rank/some", fault.New(fault.Overloaded, "full").Past("max_queued"), 100, -1)
	m.Begin(WebSocket, time.Now()).End("/whatever", fault.New(fault.Invalid, "wrong"), -1, -1)
	m.Begin(GRPC, time.Now()) // in progress
	x.Embedding([]engine.Input{{Tower: engine.TextTower}, {Tower: engine.TextTower}, {Tower: engine.ImageTower}})
	x.Answered("/encode", 3, time.Millisecond, false)
	x.Answered("/", 3, time.Millisecond, true)
	o := x.Observer()
	o.Prepared(engine.ImageTower, 1, time.Millisecond)
	o.Waited(engine.TextTower, time.Millisecond)
	o.Ran(engine.Batch{Tower: engine.TextTower, Rows: 2, Tokens: 12, Padding: 4, Took: time.Millisecond})
	o.Ran(engine.Batch{Tower: engine.ImageTower, Rows: 1, Took: time.Millisecond, Again: true, Err: errors.New("again")})
	o.Rebuilt(nil)
	o.Rebuilt(errors.New("not yet"))
	return m
}

func gather(t *testing.T, m *Metrics) map[string]*dto.MetricFamily {
	t.Helper()
	all, err := m.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	byName := map[string]*dto.MetricFamily{}
	for _, f := range all {
		byName[f.GetName()] = f
	}
	return byName
}

// value returns the value of a metric with all of the labels, given as name=value; of a histogram its count.
func value(t *testing.T, all map[string]*dto.MetricFamily, name string, labels ...string) float64 {
	t.Helper()
	for _, metric := range all[name].GetMetric() {
		have := map[string]bool{}
		for _, l := range metric.GetLabel() {
			have[l.GetName()+"="+l.GetValue()] = true
		}
		fits := true
		for _, l := range labels {
			fits = fits && have[l]
		}
		if fits && len(have) == len(labels) {
			return metric.GetCounter().GetValue() + metric.GetGauge().GetValue() + float64(metric.GetHistogram().GetSampleCount())
		}
	}
	return 0
}

func TestEachCounterCountsOnce(t *testing.T) {
	all := gather(t, busy())
	check := func(want float64, name string, labels ...string) {
		t.Helper()
		if got := value(t, all, name, labels...); got != want {
			t.Errorf("%s %v is %v, want %v", name, labels, got, want)
		}
	}
	check(1, "clipd_build_info", "version=1.2.3")
	check(1, "clipd_requests_total", "protocol=grpc", "endpoint=/encode", "status=ok")
	check(1, "clipd_requests_total", "protocol=http", "endpoint=/rank", "status=overloaded")
	check(1, "clipd_requests_total", "protocol=websocket", "endpoint=other", "status=invalid")
	check(1, "clipd_request_seconds", "protocol=websocket", "endpoint=other")
	check(0, "clipd_request_seconds", "protocol=websocket", "endpoint=/encode")
	check(1, "clipd_refused_requests_total", "reason=max_queued")
	if n := len(all["clipd_refused_requests_total"].GetMetric()); n != 1 {
		t.Errorf("%d reasons; a mistake in a request is no refusal", n)
	}
	check(1, "jina_number_of_pending_requests", "runtime_name=gateway")
	check(1, "jina_successful_requests_total", "runtime_name=gateway")
	check(2, "jina_failed_requests_total", "runtime_name=gateway")
	check(1, "jina_receiving_request_seconds", "runtime_name=gateway")
	check(2, "jina_received_request_bytes", "runtime_name=gateway")
	check(1, "jina_sent_response_bytes", "runtime_name=gateway")
	check(1, "jina_successful_requests_total", "runtime_name=clip")
	check(1, "jina_failed_requests_total", "runtime_name=clip")
	check(2, "jina_receiving_request_seconds", "runtime_name=clip")
	check(2, "jina_sending_request_seconds", "runtime_name=gateway")
	check(1, "jina_process_request_seconds", "executor=CLIPEncoder", "executor_endpoint=/encode", "runtime_name=clip")
	check(3, "jina_document_processed_total", "executor=CLIPEncoder", "executor_endpoint=/", "runtime_name=clip")
	check(1, "jina_preprocess_images_seconds", "runtime_name=clip")
	check(1, "jina_encode_texts_seconds", "runtime_name=clip")
	check(2, "clipd_documents_total", "executor=clip", "kind=text")
	check(1, "clipd_documents_total", "executor=clip", "kind=image")
	check(1, "clipd_batch_rows", "executor=clip", "tower=text")
	check(1, "clipd_batch_seconds", "executor=clip", "tower=image")
	check(1, "clipd_queue_seconds", "executor=clip", "tower=text")
	check(1, "clipd_prepare_seconds", "executor=clip", "tower=image")
	check(12, "clipd_tokens_total", "executor=clip")
	check(4, "clipd_padding_tokens_total", "executor=clip")
	check(1, "clipd_failed_batches_total", "executor=clip", "tower=image")
	check(1, "clipd_retried_batches_total", "executor=clip", "tower=image")
	check(1, "clipd_lane_rebuilds_total", "executor=clip", "result=ok")
	check(1, "clipd_lane_rebuilds_total", "executor=clip", "result=failed")
	check(1, "clipd_cache_hits_total", "executor=clip")
	check(2, "clipd_cache_misses_total", "executor=clip")
	check(3, "clipd_cache_bytes", "executor=clip")
	check(4, "clipd_cache_evictions_total", "executor=clip")
	check(5, "clipd_coalesced_inputs_total", "executor=clip")
	check(21, "clipd_queued_inputs", "executor=clip")
	check(6, "clipd_undecoded_images", "executor=clip")
	check(7, "clipd_queue_length", "executor=clip", "tower=image")
	check(8, "clipd_queue_length", "executor=clip", "tower=text")
	check(9, "clipd_running_inputs", "executor=clip", "tower=image")
	check(10, "clipd_running_inputs", "executor=clip", "tower=text")
	check(11, "clipd_lanes", "executor=clip", "state=in_service")
	check(12, "clipd_lanes", "executor=clip", "state=out")
	check(1, "clipd_model_up", "executor=clip")
	check(13, "clipd_connections", "protocol=grpc")
	check(14, "clipd_connections", "protocol=http")
	check(15, "clipd_connections", "protocol=websocket")
	check(16, "clipd_connections", "protocol=undecided")
	check(17, "clipd_refused_connections_total")
	check(18, "clipd_inflight_bytes")
	check(19, "clipd_inflight_bytes_limit")
}

// TestLint holds the metrics to Prometheus's own rules for names, units and helps.
func TestLint(t *testing.T) {
	problems, err := testutil.GatherAndLint(busy().registry)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

// TestNothingIsCountedWithoutMetrics shows that a nil *Metrics and what comes of it may be used.
func TestNothingIsCountedWithoutMetrics(t *testing.T) {
	var m *Metrics
	m.Watch(still{})
	m.AddModel("clip", still{})
	m.Begin(HTTP, time.Now()).End("/encode", nil, 1, 1)
	x := m.Executor("clip")
	x.Embedding([]engine.Input{{}})
	x.Answered("/encode", 1, time.Second, false)
	if x.Observer() != nil {
		t.Error("a model without metrics has an observer")
	}
	var l *Listener
	l.Shutdown(t.Context())
}

// TestListen reads the metrics as Prometheus does.
func TestListen(t *testing.T) {
	m := busy()
	l, err := m.Listen("127.0.0.1:0", zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	get := func(url string) (*http.Response, string) {
		t.Helper()
		r, err := http.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Fatal(err)
		}
		return r, string(body)
	}
	r, body := get(l.URL("127.0.0.1"))
	if r.StatusCode != http.StatusOK || !strings.HasPrefix(r.Header.Get("Content-Type"), "text/plain; version=0.0.4") {
		t.Fatalf("%d, %s", r.StatusCode, r.Header.Get("Content-Type"))
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range m.declared {
		f := families[d.name]
		if f == nil || !strings.EqualFold(f.GetType().String(), d.kind) || f.GetHelp() != d.help {
			t.Errorf("%s: declared a %s (%s), served %v %q", d.name, d.kind, d.help, f.GetType(), f.GetHelp())
		}
	}
	for _, name := range []string{"go_goroutines", "process_resident_memory_bytes", "process_open_fds"} {
		if families[name] == nil {
			t.Errorf("no %s", name)
		}
	}
	if r, body = get(strings.TrimSuffix(l.URL("127.0.0.1"), Path) + "/"); r.StatusCode != http.StatusOK || !strings.Contains(body, Path) {
		t.Errorf("%d %s", r.StatusCode, body)
	}
	if r, _ = get(l.URL("127.0.0.1") + "/x"); r.StatusCode != http.StatusNotFound {
		t.Errorf("%d for an unknown path", r.StatusCode)
	}
	_, port, _ := strings.Cut(strings.TrimPrefix(strings.TrimSuffix(l.URL("127.0.0.1"), Path), "http://"), ":")
	if _, err := m.Listen("127.0.0.1:"+port, zerolog.Nop()); err == nil || !strings.Contains(err.Error(), port) || !strings.Contains(err.Error(), "port_monitoring") {
		t.Errorf("a port that is taken: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	l.Shutdown(ctx)
	if _, err := http.Get(l.URL("127.0.0.1")); err == nil {
		t.Error("served after the end")
	}
}

// TestNoMemoryForARequest shows that counting a request allocates nothing, once each of its handles was used.
func TestNoMemoryForARequest(t *testing.T) {
	m := New("")
	x := m.Executor("clip")
	inputs := []engine.Input{{Tower: engine.TextTower}}
	now := time.Now()
	if n := testing.AllocsPerRun(100, func() { countOne(m, x, inputs, now) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// countOne counts what there is to count of a request of one text.
func countOne(m *Metrics, x *Executor, inputs []engine.Input, now time.Time) {
	r := m.Begin(GRPC, now)
	x.Embedding(inputs)
	x.Prepared(engine.TextTower, 1, time.Microsecond)
	x.Waited(engine.TextTower, time.Microsecond)
	x.Ran(engine.Batch{Tower: engine.TextTower, Rows: 1, Tokens: 10, Took: time.Millisecond})
	x.Answered("/encode", 1, time.Millisecond, false)
	r.End("/encode", nil, 100, 2000)
}
