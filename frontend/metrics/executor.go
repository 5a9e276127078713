package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"clipd/engine"
)

// className is what jina's label executor says of CLIP-as-service's executors.
const className = "CLIPEncoder"

// work are the metrics of models. Their label executor is the name of the executor in the flow.
type work struct {
	documents, tokens, padding, failed, retried, rebuilds *prometheus.CounterVec
	rows, ran, waited, prepared                           *prometheus.HistogramVec
}

func (w *work) declare(m *Metrics) {
	w.documents = m.counter("clipd_documents_total", "Documents that were handed to a model, by kind: text or image.", "executor", "kind")
	w.rows = m.histogram("clipd_batch_rows", "Rows of the batches that lanes ran.", rows, "executor", "tower")
	w.ran = m.histogram("clipd_batch_seconds", "Time of the batches that lanes ran.", seconds, "executor", "tower")
	w.waited = m.histogram("clipd_queue_seconds", "Time from when an input was ready until a lane took it.", seconds, "executor", "tower")
	w.prepared = m.histogram("clipd_prepare_seconds", "Time of decoding and resizing a picture, or of tokenizing up to 256 texts of a request.", seconds, "executor", "tower")
	w.tokens = m.counter("clipd_tokens_total", "Tokens of the texts in batches.", "executor")
	w.padding = m.counter("clipd_padding_tokens_total", "Places for tokens in batches that were left over. Its rate by the sum of both rates is the share of padding.", "executor")
	w.failed = m.counter("clipd_failed_batches_total", "Batches that failed as a whole, or did not end in time.", "executor", "tower")
	w.retried = m.counter("clipd_retried_batches_total", "Batches of inputs that had been in one that failed.", "executor", "tower")
	w.rebuilds = m.counter("clipd_lane_rebuilds_total", "Lanes that were made anew after they had failed, by result: ok or failed.", "executor", "result")
	x := &m.requests.byExecutor
	x.prepareImages = m.histogram("jina_preprocess_images_seconds", "As in CLIP-as-service, but for each picture where that has minibatches.", seconds, "runtime_name")
	x.prepareTexts = m.histogram("jina_preprocess_texts_seconds", "As in CLIP-as-service, for up to 256 texts of a request.", seconds, "runtime_name")
	x.images = m.histogram("jina_encode_images_seconds", "As in CLIP-as-service: time of a batch of pictures.", seconds, "runtime_name")
	x.texts = m.histogram("jina_encode_texts_seconds", "As in CLIP-as-service: time of a batch of texts.", seconds, "runtime_name")
}

// Executor counts what one executor does. A nil *Executor counts nothing.
type Executor struct {
	documents  [2]prometheus.Counter // by engine.Tower
	requests   [2]prometheus.Counter // good and failed
	receiving  prometheus.Observer
	sending    prometheus.Observer
	processing [endpoints]prometheus.Observer
	processed  [endpoints]prometheus.Counter

	towers   [2]tower
	tokens   prometheus.Counter
	padding  prometheus.Counter
	rebuilds [2]prometheus.Counter // ok and failed
}

// tower are the handles of one tower of a model.
type tower struct {
	rows, ran, waited, prepared prometheus.Observer
	jinaEncode, jinaPrepare     prometheus.Observer
	failed, retried             prometheus.Counter
}

// Executor returns the counters of an executor by its name in the flow; nil for a nil *Metrics.
func (m *Metrics) Executor(name string) *Executor {
	if m == nil {
		return nil
	}
	w, j := &m.work, &m.requests.byExecutor
	x := &Executor{
		requests:  [2]prometheus.Counter{j.succeeded.WithLabelValues(name), j.failed.WithLabelValues(name)},
		receiving: j.receiving.WithLabelValues(name), sending: j.sending.WithLabelValues(gatewayName),
		tokens: w.tokens.WithLabelValues(name), padding: w.padding.WithLabelValues(name),
		rebuilds: [2]prometheus.Counter{w.rebuilds.WithLabelValues(name, "ok"), w.rebuilds.WithLabelValues(name, "failed")},
	}
	for e, endpoint := range endpointNames {
		x.processing[e] = j.processing.WithLabelValues(className, endpoint, name)
		x.processed[e] = j.documents.WithLabelValues(endpoint, className, name)
	}
	for _, t := range []engine.Tower{engine.ImageTower, engine.TextTower} {
		word := t.String()
		x.documents[t] = w.documents.WithLabelValues(name, word)
		x.towers[t] = tower{
			rows: w.rows.WithLabelValues(name, word), ran: w.ran.WithLabelValues(name, word),
			waited: w.waited.WithLabelValues(name, word), prepared: w.prepared.WithLabelValues(name, word),
			failed: w.failed.WithLabelValues(name, word), retried: w.retried.WithLabelValues(name, word),
		}
	}
	images, texts := &x.towers[engine.ImageTower], &x.towers[engine.TextTower]
	images.jinaEncode, images.jinaPrepare = j.images.WithLabelValues(name), j.prepareImages.WithLabelValues(name)
	texts.jinaEncode, texts.jinaPrepare = j.texts.WithLabelValues(name), j.prepareTexts.WithLabelValues(name)
	return x
}

// Answered counts a request with so many documents that the executor has answered, well or not.
func (x *Executor) Answered(endpoint string, documents int, took time.Duration, failed bool) {
	if x == nil {
		return
	}
	e, s := endpointOf(endpoint), took.Seconds()
	if failed {
		x.requests[1].Inc()
	} else {
		x.requests[0].Inc()
	}
	x.receiving.Observe(s)
	x.sending.Observe(s)
	x.processing[e].Observe(s)
	x.processed[e].Add(float64(documents))
}

// Embedding counts the inputs that the executor hands to its model.
func (x *Executor) Embedding(inputs []engine.Input) {
	if x == nil {
		return
	}
	var n [2]int
	for i := range inputs {
		n[inputs[i].Tower]++
	}
	for t, count := range n {
		if count > 0 {
			x.documents[t].Add(float64(count))
		}
	}
}

// Observer returns x for engine.Options: nil, and not a nil *Executor, when nothing is counted.
func (x *Executor) Observer() engine.Observer {
	if x == nil {
		return nil
	}
	return x
}

// Prepared implements engine.Observer.
func (x *Executor) Prepared(t engine.Tower, _ int, took time.Duration) {
	x.towers[t].prepared.Observe(took.Seconds())
	x.towers[t].jinaPrepare.Observe(took.Seconds())
}

// Waited implements engine.Observer.
func (x *Executor) Waited(t engine.Tower, waited time.Duration) {
	x.towers[t].waited.Observe(waited.Seconds())
}

// Ran implements engine.Observer.
func (x *Executor) Ran(b engine.Batch) {
	t := &x.towers[b.Tower]
	t.rows.Observe(float64(b.Rows))
	t.ran.Observe(b.Took.Seconds())
	t.jinaEncode.Observe(b.Took.Seconds())
	if b.Err != nil {
		t.failed.Inc()
	}
	if b.Again {
		t.retried.Inc()
	}
	if b.Tower == engine.TextTower {
		x.tokens.Add(float64(b.Tokens))
		x.padding.Add(float64(b.Padding))
	}
}

// Rebuilt implements engine.Observer.
func (x *Executor) Rebuilt(err error) {
	if err != nil {
		x.rebuilds[1].Inc()
		return
	}
	x.rebuilds[0].Inc()
}
