package metrics

import (
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"clipd/frontend/fault"
)

// Protocol is how a request came.
type Protocol int

// The protocols.
const (
	GRPC Protocol = iota
	HTTP
	WebSocket
	protocols
)

var protocolNames = [protocols]string{"grpc", "http", "websocket"}

// The endpoints by which requests are told apart; callers name what they like, so everything else is one.
const (
	encode = iota
	rank
	root
	other
	endpoints
)

var endpointNames = [endpoints]string{"/encode", "/rank", "/", "other"}

// endpointOf returns which one it is; /encode/MODEL is /encode.
func endpointOf(endpoint string) int {
	switch {
	case endpoint == "/encode" || strings.HasPrefix(endpoint, "/encode/"):
		return encode
	case endpoint == "/rank" || strings.HasPrefix(endpoint, "/rank/"):
		return rank
	case endpoint == "/" || endpoint == "":
		return root
	}
	return other
}

// gatewayName is the runtime_name of what jina's gateway counts.
const gatewayName = "gateway"

// statuses are how a request can end: well, or by one of the codes.
const statuses = fault.Codes + 1

func statusOf(f *fault.Error) int {
	if f == nil {
		return 0
	}
	return 1 + int(f.Code)
}

func statusName(status int) string {
	if status == 0 {
		return "ok"
	}
	return fault.Code(status - 1).Label()
}

// requests are the metrics of requests, one for each message of a stream or WebSocket.
type requests struct {
	total   *prometheus.CounterVec
	refused *prometheus.CounterVec
	took    [protocols][endpoints]prometheus.Observer
	counted [protocols][endpoints][statuses]atomic.Pointer[prometheus.Counter] // of total, looked up at the first request

	pending    prometheus.Gauge
	succeeded  prometheus.Counter
	failed     prometheus.Counter
	receiving  prometheus.Observer
	received   prometheus.Observer
	sent       prometheus.Observer
	byExecutor jinaExecutor
}

// jinaExecutor are the metrics that jina has of gateways and executors alike, or of executors alone.
type jinaExecutor struct {
	succeeded, failed, documents               *prometheus.CounterVec
	receiving, processing, sending             *prometheus.HistogramVec
	prepareImages, prepareTexts, images, texts *prometheus.HistogramVec
}

func (r *requests) declare(m *Metrics) {
	r.total = m.counter("clipd_requests_total", "Requests by how they ended: ok, or the kind of the error.", "protocol", "endpoint", "status")
	took := m.histogram("clipd_request_seconds", "Time from a request's arrival to its answer, whatever that says.", seconds, "protocol", "endpoint")
	r.refused = m.counter("clipd_refused_requests_total", "Requests that failed for a limit, by its name, or for something else than their content, by its kind.",
		"reason")
	for p := range protocols {
		for e := range endpoints {
			r.took[p][e] = took.WithLabelValues(protocolNames[p], endpointNames[e])
		}
	}
	x := &r.byExecutor
	r.pending = m.gauge("jina_number_of_pending_requests", "As in jina: requests that have come and are not answered.", "runtime_name").WithLabelValues(gatewayName)
	x.succeeded = m.counter("jina_successful_requests_total", "As in jina: requests answered without an error; runtime_name is gateway, or an executor.", "runtime_name")
	x.failed = m.counter("jina_failed_requests_total", "As in jina: requests answered with an error, or refused.", "runtime_name")
	x.receiving = m.histogram("jina_receiving_request_seconds", "As in jina: time of a successful request in the gateway, and of any request in an executor.", seconds, "runtime_name")
	r.received = m.histogram("jina_received_request_bytes", "As in jina: size of requests, as they came and unpacked.", bytes, "runtime_name").WithLabelValues(gatewayName)
	r.sent = m.histogram("jina_sent_response_bytes", "As in jina: size of successful answers, before compression.", bytes, "runtime_name").WithLabelValues(gatewayName)
	x.sending = m.histogram("jina_sending_request_seconds", "As in jina: time from handing a request to an executor to its answer.", seconds, "runtime_name")
	x.processing = m.histogram("jina_process_request_seconds", "As in jina: time of an executor on a request.", seconds, "executor", "executor_endpoint", "runtime_name")
	x.documents = m.counter("jina_document_processed_total", "As in jina: documents of the requests that an executor was given, chunks and matches not counted.",
		"executor_endpoint", "executor", "runtime_name")
	r.succeeded, r.failed = x.succeeded.WithLabelValues(gatewayName), x.failed.WithLabelValues(gatewayName)
	r.receiving = x.receiving.WithLabelValues(gatewayName)
}

// Request is a request on its way to its answer. The zero value counts nothing.
type Request struct {
	m        *Metrics
	protocol Protocol
	began    time.Time
}

// Begin counts a request that came at a time. End must be called once.
func (m *Metrics) Begin(p Protocol, arrived time.Time) Request {
	if m == nil {
		return Request{}
	}
	m.requests.pending.Inc()
	return Request{m, p, arrived}
}

// End counts how a request for an endpoint ended: f is its error, nil for a good answer. Of what it was and of its
// answer it takes the bytes; less than 0, they are not known.
func (r Request) End(endpoint string, f *fault.Error, received, sent int) {
	if r.m == nil {
		return
	}
	all, e, took := &r.m.requests, endpointOf(endpoint), time.Since(r.began).Seconds()
	all.pending.Dec()
	all.count(r.protocol, e, statusOf(f))
	all.took[r.protocol][e].Observe(took)
	if received >= 0 {
		all.received.Observe(float64(received))
	}
	if f != nil {
		all.failed.Inc()
		if isRefusal(f) {
			all.refused.WithLabelValues(f.Reason()).Inc()
		}
		return
	}
	all.succeeded.Inc()
	all.receiving.Observe(took)
	if sent >= 0 {
		all.sent.Observe(float64(sent))
	}
}

// isRefusal tells what is refused for a limit, or for who asks and when, from mistakes in what is asked and those of ours.
func isRefusal(f *fault.Error) bool {
	switch f.Code {
	case fault.TooLarge, fault.Unauthenticated, fault.Forbidden, fault.Overloaded, fault.Unavailable, fault.Deadline:
		return true
	}
	return f.Limit != ""
}

func (r *requests) count(p Protocol, endpoint, status int) {
	at := &r.counted[p][endpoint][status]
	c := at.Load()
	if c == nil {
		made := r.total.WithLabelValues(protocolNames[p], endpointNames[endpoint], statusName(status))
		c = &made
		at.Store(c)
	}
	(*c).Inc()
}
