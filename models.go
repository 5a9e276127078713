package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/rs/zerolog"

	"clipd/engine"
	"clipd/engine/preprocess"
	"clipd/engine/runtime"
	"clipd/flows"
	"clipd/frontend/fault"
	"clipd/frontend/jina"
	"clipd/frontend/limit"
	"clipd/frontend/metrics"
)

// models are the loaded models of a flow, in the order of its executors.
type models []*engine.Loaded

// loadModels loads the models of a flow, one after the other, so that the peaks of their memory do not add up. When one
// fails, those before it are freed.
func loadModels(ctx context.Context, f *flows.Flow, placed gpus, h *health, log zerolog.Logger) (models, error) {
	var all models
	for i, x := range f.Executors {
		log.Info().Str("executor", x.Name).Str("model", cmp.Or(x.ModelPath, x.Model)).Msg("loading")
		l, err := loadModel(ctx, f, x, placed[i], h.report(i), h.observer(i), log)
		if err != nil {
			all.Close()
			return nil, x.Errorf("", "executor %s: %v", x.Name, err)
		}
		log.Info().Str("executor", x.Name).Str("model", l.Name).Str("runtime", l.Runtime.Name).Dur("took_ms", l.Took).Msg("loaded")
		h.metrics.AddModel(x.Name, l)
		all = append(all, l)
	}
	return all, nil
}

func loadModel(ctx context.Context, f *flows.Flow, x flows.Executor, devices []string, onHealth func(bool, string), observer engine.Observer, log zerolog.Logger) (*engine.Loaded, error) {
	if x.TimeoutReady > 0 {
		bounded, cancel := context.WithTimeoutCause(ctx, x.TimeoutReady, fmt.Errorf("not loaded within %v (timeout_ready)", x.TimeoutReady))
		defer cancel()
		ctx = bounded
	}
	o := loadOptions(f, settle(ctx, f, x, log), log)
	o.Devices = devices
	o.OnHealth, o.Observer = onHealth, observer
	l, err := engine.Load(ctx, o)
	if err != nil && errors.Is(err, context.DeadlineExceeded) {
		err = context.Cause(ctx)
	}
	return l, err
}

func loadOptions(f *flows.Flow, x flows.Executor, log zerolog.Logger) engine.LoadOptions {
	limits := f.Gateway.Limits
	precision, err := runtime.ParsePrecision(x.DType)
	if err != nil {
		panic("BUG: the flow's dtype was checked: " + err.Error())
	}
	o := engine.LoadOptions{
		Name: x.Model, Path: x.ModelPath, Runtime: runtimeOf(x), Device: x.Device, Precision: precision,
		Replicas: x.Replicas, LaneCount: x.Lanes, Threads: x.Threads, NoWide: !x.WideLane,
		Options: engine.Options{
			MaxBatch: x.MinibatchSize, MaxQueued: limits.MaxQueued, Workers: x.NumWorkerPreprocess,
			Limits: preprocess.Limits{MaxBytes: limits.MaxImageBytes, MaxPixels: limits.MaxPixels},
		},
		Progress: logProgress(log, zerolog.InfoLevel),
	}
	o.CacheBytes = x.CacheBytes
	if o.MaxWait = limits.MaxWait; o.MaxWait == 0 {
		o.MaxWait = math.MaxInt64
	}
	if b := x.Batching(); b != nil {
		o.PreferredBatch, o.MaxDelay = min(b.PreferredBatchSize, x.MinibatchSize), b.Timeout
	}
	return o
}

// runtimeOf chooses the runtime for the Python module that a flow names; an explicit runtime wins.
func runtimeOf(x flows.Executor) string {
	if x.Runtime != "" {
		return x.Runtime
	}
	switch x.Backend {
	case flows.ONNX:
		return "onnxruntime"
	case flows.TensorRT:
		return "tensorrt"
	}
	return "" // torch: the best one of the machine
}

// executors makes what answers requests with the models.
func (m models) executors(f *flows.Flow, loader jina.Loader, bytes *limit.Bytes, counters *metrics.Metrics, log zerolog.Logger) ([]*jina.Executor, error) {
	all := make([]*jina.Executor, len(m))
	for i, l := range m {
		x := f.Executors[i]
		made, err := jina.NewExecutor(jina.ExecutorOptions{
			Name: x.Name, ModelName: l.Name, Model: l.Model, LogitScale: l.LogitScale, AccessPaths: x.AccessPaths, Loader: loader,
			Bytes: bytes, MaxLoaded: f.Gateway.Limits.MaxMessageBytes, Metrics: counters.Executor(x.Name), Log: log,
		})
		if err != nil {
			return nil, x.Errorf("access_paths", "executor %s: %v", x.Name, fault.Of(err))
		}
		all[i] = made
	}
	return all, nil
}

// Queued is how many inputs all models have accepted and not yet answered.
func (m models) Queued() int {
	n := 0
	for _, l := range m {
		n += l.Queued()
	}
	return n
}

// Close answers what was accepted, then frees the models.
func (m models) Close() {
	for _, l := range m {
		l.Close()
	}
}
