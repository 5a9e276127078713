package metrics

import (
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"clipd/engine"
)

// Model is what is asked of a model whenever somebody reads the metrics; *engine.Model is one.
type Model interface {
	Stats() engine.Stats
	Activity() engine.Activity
	Health() (ok bool, reason string)
}

// Server is what is asked of the server then.
type Server interface {
	// Connections are those that are open: of each protocol, and those that have not said yet what they speak.
	Connections() (grpc, http, websocket, undecided int)
	// RefusedConnections is how many a limit has turned away.
	RefusedConnections() uint64
	// InFlight is how much of the budget of requests in progress is used, and how large it is, in bytes.
	InFlight() (used, limit int64)
}

// source reads what is counted elsewhere when it is asked, so that counting it costs nothing.
type source struct {
	mu     sync.Mutex
	models []namedModel
	server Server

	all []*sourceMetric
}

type namedModel struct {
	name  string
	model Model
}

// sourceMetric is one metric of a source.
type sourceMetric struct {
	desc   *prometheus.Desc
	kind   prometheus.ValueType
	model  func(s snapshot, emit emit)
	server func(s Server, emit emit)
}

// snapshot is what a model says of itself at a moment.
type snapshot struct {
	engine.Stats
	engine.Activity
	up bool
}

// emit gives one value, with the labels beside executor.
type emit = func(value float64, labels ...string)

func (s *source) declare(m *Metrics) {
	add := func(kind prometheus.ValueType, name, help string, labels []string, metric sourceMetric) {
		word := "gauge"
		if kind == prometheus.CounterValue {
			word = "counter"
		}
		m.note(word, name, help, labels)
		metric.desc, metric.kind = prometheus.NewDesc(name, help, labels, nil), kind
		s.all = append(s.all, &metric)
	}
	image, text := engine.ImageTower, engine.TextTower
	ofModel := func(kind prometheus.ValueType, name, help string, read func(s snapshot, e emit), labels ...string) {
		add(kind, name, help, append([]string{"executor"}, labels...), sourceMetric{model: read})
	}
	one := func(value func(s snapshot) float64) func(snapshot, emit) {
		return func(s snapshot, e emit) { e(value(s)) }
	}
	const gauge, counter = prometheus.GaugeValue, prometheus.CounterValue
	ofModel(gauge, "clipd_queued_inputs", "Inputs that were accepted and are not answered (max_queued is their limit).",
		one(func(s snapshot) float64 { return float64(s.Queued) }))
	ofModel(gauge, "clipd_queue_length", "Inputs that are ready and wait for a lane.", func(s snapshot, e emit) {
		e(float64(s.Waiting[image]), image.String())
		e(float64(s.Waiting[text]), text.String())
	}, "tower")
	ofModel(gauge, "clipd_undecoded_images", "Pictures that wait to be decoded.",
		one(func(s snapshot) float64 { return float64(s.Undecoded) }))
	ofModel(gauge, "clipd_running_inputs", "Inputs that lanes work on.", func(s snapshot, e emit) {
		e(float64(s.Running[image]), image.String())
		e(float64(s.Running[text]), text.String())
	}, "tower")
	ofModel(gauge, "clipd_lanes", "Lanes by state: in_service, or out until they are made anew.", func(s snapshot, e emit) {
		e(float64(s.Lanes), "in_service")
		e(float64(s.LanesOut), "out")
	}, "state")
	ofModel(counter, "clipd_cache_hits_total", "Inputs answered from the cache.",
		one(func(s snapshot) float64 { return float64(s.CacheHits) }))
	ofModel(counter, "clipd_cache_misses_total", "Inputs looked for in the cache in vain.",
		one(func(s snapshot) float64 { return float64(s.CacheMisses) }))
	ofModel(counter, "clipd_cache_evictions_total", "Embeddings that the cache dropped for others.",
		one(func(s snapshot) float64 { return float64(s.Evicted) }))
	ofModel(gauge, "clipd_cache_bytes", "Bytes that the cache takes.",
		one(func(s snapshot) float64 { return float64(s.CacheBytes) }))
	ofModel(counter, "clipd_coalesced_inputs_total", "Inputs that were the same as one in progress, and were answered with it.",
		one(func(s snapshot) float64 { return float64(s.Joined) }))

	ofModel(gauge, "clipd_model_up", "1 while the model answers, 0 while no lane of it works.", one(func(s snapshot) float64 {
		if s.up {
			return 1
		}
		return 0
	}))

	ofServer := func(kind prometheus.ValueType, name, help string, read func(s Server, e emit), labels ...string) {
		add(kind, name, help, labels, sourceMetric{server: read})
	}
	ofServer(gauge, "clipd_connections", "Open connections by protocol; undecided: those that have not said what they speak.", func(s Server, e emit) {
		grpc, http, websocket, undecided := s.Connections()
		for i, n := range []int{grpc, http, websocket} {
			e(float64(n), protocolNames[i])
		}
		e(float64(undecided), "undecided")
	}, "protocol")
	ofServer(counter, "clipd_refused_connections_total", "Connections that max_connections or max_connections_per_address has turned away.",
		func(s Server, e emit) { e(float64(s.RefusedConnections())) })
	ofServer(gauge, "clipd_inflight_bytes", "Bytes of the requests in progress, as max_inflight_bytes counts them.",
		func(s Server, e emit) { used, _ := s.InFlight(); e(float64(used)) })
	ofServer(gauge, "clipd_inflight_bytes_limit", "max_inflight_bytes.",
		func(s Server, e emit) { _, limit := s.InFlight(); e(float64(limit)) })
	m.registry.MustRegister(s)
}

// Watch has a server asked from now on.
func (m *Metrics) Watch(s Server) {
	if m == nil {
		return
	}
	m.source.mu.Lock()
	defer m.source.mu.Unlock()
	m.source.server = s
}

// AddModel has the model of an executor asked from now on.
func (m *Metrics) AddModel(executor string, model Model) {
	if m == nil {
		return
	}
	m.source.mu.Lock()
	defer m.source.mu.Unlock()
	m.source.models = append(m.source.models, namedModel{executor, model})
}

// Describe implements prometheus.Collector.
func (s *source) Describe(to chan<- *prometheus.Desc) {
	for _, metric := range s.all {
		to <- metric.desc
	}
}

// Collect implements prometheus.Collector.
func (s *source) Collect(to chan<- prometheus.Metric) {
	s.mu.Lock()
	models, server := s.models, s.server
	s.mu.Unlock()
	for _, named := range models {
		now := snapshot{Stats: named.model.Stats(), Activity: named.model.Activity()}
		now.up, _ = named.model.Health()
		for _, metric := range s.all {
			if metric.model != nil {
				metric.model(now, func(value float64, labels ...string) {
					to <- prometheus.MustNewConstMetric(metric.desc, metric.kind, value, append([]string{named.name}, labels...)...)
				})
			}
		}
	}
	if server == nil {
		return
	}
	for _, metric := range s.all {
		if metric.server != nil {
			metric.server(server, func(value float64, labels ...string) {
				to <- prometheus.MustNewConstMetric(metric.desc, metric.kind, value, labels...)
			})
		}
	}
}
