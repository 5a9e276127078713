package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/rs/zerolog"

	"clipd/engine"
	"clipd/engine/preprocess"
	"clipd/engine/runtime"
	"clipd/flows"
	"clipd/frontend"
	"clipd/frontend/fetch"
	"clipd/frontend/jina"
)

// graceTime is how long calls may go on after SIGTERM; Kubernetes kills 30 s after its signal.
const graceTime = 25 * time.Second

// serve runs a flow until a signal ends it.
func serve(ctx context.Context, name string, fromStdin bool) error {
	log := newLogger()
	flow, err := readFlow(name, fromStdin)
	if err != nil {
		return err
	}
	for _, n := range flow.Notices {
		log.Info().Str("key", n.Key).Int("line", n.Line).Msg(n.Message)
	}
	if err := servable(flow); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM, os.Interrupt)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the process at once

	x := flow.Executors[0]
	if err := setEnv(flow.Gateway.Env, x.Env); err != nil {
		return err
	}
	// The port is opened before the model is loaded: one that is taken should not cost the wait.
	gateway := jina.NewGateway(jina.GatewayOptions{Version: version, Timeout: flow.Gateway.TimeoutSend})
	server, err := frontend.Listen(frontend.Options{
		Host: flow.Gateway.Host, Port: flow.Gateway.Ports[0], MaxMessage: int(flow.Gateway.Limits.MaxMessageBytes),
		Prefetch: flow.Gateway.Prefetch, StreamInputs: max(flow.Gateway.Limits.MaxQueued/8, 1),
	}, gateway)
	if err != nil {
		return err
	}
	log.Info().Str("flow", flow.Source).Str("model", cmp.Or(x.ModelPath, x.Model)).Msg("loading")
	loaded, err := engine.Load(ctx, loadOptions(flow, log))
	if err != nil {
		closing, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		server.Shutdown(closing)
		if ctx.Err() != nil {
			return nil // ended by a signal while loading
		}
		return x.Errorf("", "executor %s: %v", x.Name, err)
	}
	executor, err := jina.NewExecutor(jina.ExecutorOptions{
		Name: x.Name, ModelName: loaded.Name, Model: loaded.Model, LogitScale: loaded.LogitScale, AccessPaths: x.AccessPaths, Loader: fetch.Loader{},
	})
	if err != nil {
		loaded.Close()
		return err
	}
	if err := gateway.SetExecutors(executor); err != nil {
		loaded.Close()
		return err
	}
	server.SetReady()
	log.Info().Str("model", loaded.Name).Str("runtime", loaded.Runtime.Name).Dur("took_ms", loaded.Took).Msg("ready")
	printBox(os.Stdout, flow, loaded, server.Addr())

	select {
	case <-ctx.Done():
	case err := <-server.Failed():
		loaded.Close()
		return fmt.Errorf("the server's listener failed: %w", err)
	}
	log.Info().Int("waiting", loaded.Queued()).Msg("shutting down: finishing open calls")
	grace, cancel := context.WithTimeout(context.Background(), graceTime)
	defer cancel()
	if err := server.Shutdown(grace); err != nil {
		log.Warn().Err(err).Msg("cut off")
	}
	loaded.Close()
	log.Info().Msg("bye")
	return nil
}

func readFlow(name string, fromStdin bool) (*flows.Flow, error) {
	if fromStdin {
		return flows.Parse(os.Stdin, "standard input", flows.Options{})
	}
	return flows.Load(name, flows.Options{})
}

// servable refuses what this version does not serve, rather than starting half a flow.
func servable(f *flows.Flow) error {
	for _, p := range f.Gateway.Protocols {
		if p != flows.GRPC {
			return fmt.Errorf("%s: protocol %q is not served by this version; use protocol: grpc", f.Source, p)
		}
	}
	switch {
	case len(f.Executors) > 1:
		return f.Executors[1].Errorf("", "%d executors; this version serves one model in a flow", len(f.Executors))
	case f.Gateway.SSLCertFile != "":
		return fmt.Errorf("%s: ssl_certfile: this version serves without TLS; put it behind a proxy that ends TLS", f.Source)
	}
	return nil
}

func setEnv(sets ...map[string]string) error {
	for _, env := range sets {
		for k, v := range env {
			if err := os.Setenv(k, v); err != nil {
				return fmt.Errorf("env %s: %w", k, err)
			}
		}
	}
	return nil
}

func loadOptions(f *flows.Flow, log zerolog.Logger) engine.LoadOptions {
	x := f.Executors[0]
	limits := f.Gateway.Limits
	precision, err := runtime.ParsePrecision(x.DType)
	if err != nil {
		panic("BUG: the flow's dtype was checked: " + err.Error())
	}
	return engine.LoadOptions{
		Name: x.Model, Path: x.ModelPath, Runtime: runtimeOf(x), Device: x.Device, Precision: precision,
		Replicas: x.Replicas, LaneCount: x.Lanes, Threads: x.Threads,
		Options: engine.Options{
			MaxBatch: x.MinibatchSize, MaxQueued: limits.MaxQueued, Workers: x.NumWorkerPreprocess,
			Limits: preprocess.Limits{MaxBytes: limits.MaxImageBytes, MaxPixels: limits.MaxPixels},
		},
		Progress: logProgress(log, zerolog.InfoLevel),
	}
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

// longStage is the size in bytes from which a stage takes long enough that its progress is worth a line.
const longStage = 64 << 20

// logProgress logs each stage once at the given level, and a long one every few seconds.
func logProgress(log zerolog.Logger, level zerolog.Level) func(stage string, done, total int64) {
	var last string
	var at time.Time
	return func(stage string, done, total int64) {
		if stage == last && time.Since(at) < 3*time.Second {
			return
		}
		last, at = stage, time.Now()
		if total >= longStage {
			log.Info().Str("progress", fmt.Sprintf("%d of %d MB", done>>20, total>>20)).Msg(stage)
			return
		}
		log.WithLevel(level).Msg(stage)
	}
}
