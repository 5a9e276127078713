package metrics

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// Metrics are all metrics of one server. It is safe for concurrent use.
type Metrics struct {
	registry *prometheus.Registry
	declared []declared
	requests requests
	work     work
	source   source
}

// declared is what the page says of a metric.
type declared struct{ name, kind, labels, help string }

// New makes the metrics of a server of the given version.
func New(version string) *Metrics {
	m := &Metrics{registry: prometheus.NewRegistry()}
	m.requests.declare(m)
	m.work.declare(m)
	m.source.declare(m)
	m.gauge("clipd_build_info", "1, with the server's version.", "version").WithLabelValues(version).Set(1)
	m.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

func (m *Metrics) note(kind, name, help string, labels []string) {
	all := ""
	for i, l := range labels {
		if i > 0 {
			all += ", "
		}
		all += "`" + l + "`"
	}
	m.declared = append(m.declared, declared{name, kind, all, help})
}

func (m *Metrics) counter(name, help string, labels ...string) *prometheus.CounterVec {
	m.note("counter", name, help, labels)
	v := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	m.registry.MustRegister(v)
	return v
}

func (m *Metrics) gauge(name, help string, labels ...string) *prometheus.GaugeVec {
	m.note("gauge", name, help, labels)
	v := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, labels)
	m.registry.MustRegister(v)
	return v
}

func (m *Metrics) histogram(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
	m.note("histogram", name, help, labels)
	v := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets}, labels)
	m.registry.MustRegister(v)
	return v
}

// Buckets: of times from what a cached text takes to what callers give up at, of the rows of batches, and of bytes.
var (
	seconds = []float64{0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60}
	rows    = []float64{1, 2, 4, 8, 16, 32, 64, 128, 256}
	bytes   = []float64{1 << 8, 1 << 10, 1 << 12, 1 << 14, 1 << 16, 1 << 18, 1 << 20, 1 << 22, 1 << 24, 1 << 26}
)
