package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/rs/zerolog"

	"clipd/cuda"
	"clipd/flows"
	"clipd/frontend"
	"clipd/frontend/fetch"
	"clipd/frontend/jina"
	"clipd/frontend/limit"
	"clipd/frontend/metrics"
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
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM, os.Interrupt)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	if err := setEnv(flow); err != nil {
		return err
	}
	placed, err := placeGPUs(flow, cuda.Open, log)
	if err != nil {
		return err
	}
	loader, err := fetch.New(fetchOptions(flow.Gateway.AllowURIs, flow.Gateway.Limits))
	if err != nil {
		return fmt.Errorf("%s: allow_uris: %w", flow.Source, err)
	}

	defer loader.Close()

	// The ports are opened before the models are loaded: one that is taken should not cost the wait.
	boundHeap()
	bytes := limit.NewBytes(flow.Gateway.Limits.MaxInflightBytes)
	var counters *metrics.Metrics // nil: nobody asks
	if flow.Gateway.Monitoring {
		counters = metrics.New(version)
	}
	gateway := jina.NewGateway(jina.GatewayOptions{
		Version: version, Timeout: flow.Gateway.TimeoutSend, MaxDocuments: flow.Gateway.Limits.MaxDocuments, Metrics: counters,
	})
	server, err := frontend.Listen(frontend.Options{Settings: flow.Gateway, Version: version, Bytes: bytes, Metrics: counters, Log: log}, gateway)
	if err != nil {
		return fmt.Errorf("%s: %w", flow.Source, err)
	}
	state := newHealth(flow, counters, log)
	loaded, err := loadModels(ctx, flow, placed, state, log)
	if err != nil {
		server.Close()
		if ctx.Err() != nil {
			return nil // ended by a signal while loading
		}
		return err
	}
	executors, err := loaded.executors(flow, loader, bytes, counters, log)
	if err == nil {
		err = gateway.SetExecutors(executors...)
	}
	if err != nil {
		server.Close()
		loaded.Close()
		return err
	}
	server.CheckKeys()
	state.follow(func(reason string) {
		gateway.SetHealth(reason)
		server.SetReady(reason == "")
	})
	log.Info().Msg("ready")
	printBox(os.Stdout, flow, loaded, server.URLs())
	return run(ctx, server, loaded, log)
}

// run waits for the end and leaves nothing unanswered.
func run(ctx context.Context, server *frontend.Server, loaded models, log zerolog.Logger) error {
	select {
	case <-ctx.Done():
	case err := <-server.Failed():
		server.Close()
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

// boundHeap makes the garbage collector work harder before Go's heap fills the machine: by itself it lets the heap grow to
// twice of what lives, and requests in progress alone may be a quarter of the memory. The models' memory is not Go's, so a
// part is left to them. The environment variable GOMEMLIMIT goes before.
func boundHeap() {
	const part = 0.6
	if memory := limit.Memory(); memory > 0 && os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(int64(part * float64(memory)))
	}
}

func readFlow(name string, fromStdin bool) (*flows.Flow, error) {
	if fromStdin {
		return flows.Parse(os.Stdin, "standard input", flows.Options{})
	}
	return flows.Load(name, flows.Options{})
}

// setEnv sets the environment variables of a flow. Its models are one process, so two executors that want different
// values of one variable cannot both have theirs.
func setEnv(f *flows.Flow) error {
	env, from := maps.Clone(f.Gateway.Env), map[string]string{}
	if env == nil {
		env = map[string]string{}
	}
	for _, x := range f.Executors {
		for k, v := range x.Env {
			if onGPU(x) && k == "CUDA_VISIBLE_DEVICES" {
				continue // each executor has its own; placeGPUs reads it
			}
			if other, set := from[k]; set && env[k] != v {
				return x.Errorf("env", "executor %s wants %s=%s, executor %s wants %s=%s; they are one process, so write one value", x.Name, k, v, other, k, env[k])
			}
			env[k], from[k] = v, x.Name
		}
	}
	for k, v := range env {
		if err := os.Setenv(k, v); err != nil {
			return fmt.Errorf("%s: env %s: %w", f.Source, k, err)
		}
	}
	return nil
}

func fetchOptions(a flows.AllowURIs, l flows.Limits) fetch.Options {
	o := fetch.Options{
		HTTP: a.HTTP, HTTPS: a.HTTPS, Hosts: a.Hosts, Networks: a.Networks, Folder: a.Folder,
		Timeout: a.Timeout, MaxBytes: a.MaxBytes, MaxRedirects: a.MaxRedirects,
	}
	if !a.Any() {
		o.MaxBytes = l.MaxImageBytes
	}
	return o
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
