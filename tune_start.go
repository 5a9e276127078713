package main

import (
	"context"
	"errors"
	"math"
	goruntime "runtime"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"clipd/bench"
	"clipd/engine"
	"clipd/engine/cpus"
	"clipd/engine/tune"
	"clipd/flows"
)

// jitTime bounds the measurements of a start with jit: true.
const jitTime = 20 * time.Second

// tuning is an executor whose settings are looked up or searched for.
type tuning struct {
	executor flows.Executor
	options  engine.LoadOptions
	folder   string // of what is stored
	key      tune.Key
}

func newTuning(ctx context.Context, f *flows.Flow, x flows.Executor, log zerolog.Logger) (*tuning, error) {
	t := &tuning{executor: x, options: loadOptions(f, x, log)}
	p, err := engine.Prepare(ctx, t.options)
	if err != nil {
		return nil, err
	}
	t.folder = p.Compiled
	t.key = tune.Key{
		Devices: p.Runtime.Devices, Cores: goruntime.GOMAXPROCS(0), Quota: cpus.Local().Quota, Device: x.Device, Replicas: x.Replicas,
		Runtime: p.Runtime.Name + " " + p.Runtime.Version, Checkpoint: p.Checkpoint.ContentHash, Precision: t.options.Precision.String(),
	}
	return t, nil
}

// givesLayout reports whether a flow says itself how a replica's work is laid out. Lanes, threads and the wide lane
// go together: with one of them set by hand, what was measured of the others does not hold.
func givesLayout(x flows.Executor) bool {
	return x.Given("lanes") && x.Lanes > 0 || x.Given("threads") && x.Threads > 0 || x.Given("wide_lane")
}

// with returns the executor with a setting, where the flow does not say otherwise itself.
func (t *tuning) with(s tune.Setting) flows.Executor {
	x := t.executor
	if !givesLayout(x) {
		x.Lanes, x.Threads, x.WideLane = s.Lanes, s.Threads, s.Wide
	}
	if !x.Given("minibatch_size") {
		x.MinibatchSize = s.Minibatch
	}
	return x
}

// open makes a model with a setting. What a server does beside answering is left out, the cache above all: the same
// inputs come again and again.
func (t *tuning) open(ctx context.Context, s tune.Setting) (tune.Model, tune.Setting, error) {
	o := t.options
	o.LaneCount, o.Threads, o.NoWide, o.MaxBatch = s.Lanes, s.Threads, !s.Wide, s.Minibatch
	o.PreferredBatch = min(o.PreferredBatch, o.MaxBatch)
	o.NoCheck, o.CacheBytes, o.MaxWait, o.Progress = true, 0, math.MaxInt64, nil
	l, err := engine.Load(ctx, o)
	if err != nil {
		return nil, s, err
	}
	s = tune.Setting{Lanes: l.LaneCount, Threads: l.LaneCount * l.Threads, Wide: len(l.Wide) > 0, Minibatch: o.MaxBatch}
	if onGPU(t.executor) {
		s.Threads = 0
	}
	return l, s, nil
}

// search compares what the executor has with what the space allows.
func (t *tuning) search(ctx context.Context, o tune.Options) (*tune.Result, error) {
	x := t.executor
	var err error
	if o.Material.Texts, err = bench.Captions(4096, "caption", 1); err != nil {
		return nil, err
	}
	if o.Material.Pictures, err = bench.Pictures(96, []bench.PictureSource{{Width: 640, Height: 480, Format: "jpeg"}}, 1); err != nil {
		return nil, err
	}
	o.Open = t.open
	o.Present = tune.Setting{Lanes: x.Lanes, Threads: x.Threads, Wide: x.WideLane, Minibatch: x.MinibatchSize}
	o.Space.Wide = strings.HasPrefix(t.key.Runtime, "openvino ")
	if !onGPU(t.executor) {
		o.Space.Cores = max(t.key.Cores/max(x.Replicas, 1), 1)
	}
	return tune.Run(ctx, o)
}

// save keeps the outcome for later starts on this machine and returns the file.
func (t *tuning) save(r *tune.Result) (string, error) {
	s := tune.Stored{Key: t.key, Setting: r.Best.Setting, For: r.For, Figures: r.Best.Figures, Measured: time.Now().UTC().Truncate(time.Second)}
	return s.Save(t.folder)
}

// settle returns the executor with the settings that were measured on this machine, where the flow leaves them open. With
// jit they are measured now when nothing is stored. What goes wrong with a model altogether is left to its loading.
func settle(ctx context.Context, f *flows.Flow, x flows.Executor, log zerolog.Logger) flows.Executor {
	log = log.With().Str("executor", x.Name).Logger()
	if givesLayout(x) && x.Given("minibatch_size") {
		return x
	}
	t, err := newTuning(ctx, f, x, log)
	if err != nil {
		return x
	}
	stored, err := tune.Find(t.folder, t.key)
	if err == nil {
		tuned := t.with(stored.Setting)
		log.Info().Stringer("settings", settingOf(tuned)).Time("measured", stored.Measured).Str("for", string(stored.For)).Msg("settings measured on this machine")
		return tuned
	}
	log.Debug().Err(err).Msg("no measured settings")
	if !x.JIT {
		return x
	}
	return t.justInTime(ctx, log)
}

func settingOf(x flows.Executor) tune.Setting {
	return tune.Setting{Lanes: x.Lanes, Threads: x.Threads, Wide: x.WideLane, Minibatch: x.MinibatchSize}
}

// justInTime searches for a short time, keeps the outcome and returns the executor with it. A server starts without it, too.
func (t *tuning) justInTime(ctx context.Context, log zerolog.Logger) flows.Executor {
	limit := jitTime
	if ready := t.executor.TimeoutReady; ready > 0 {
		limit = min(limit, ready/2)
	}
	log.Info().Dur("at_most_ms", limit).Msg("jit: measuring settings for this machine")
	last := time.Now()
	r, err := t.search(ctx, tune.Options{
		For: tune.Balanced, Time: limit,
		Space: tune.Space{KeepLayout: givesLayout(t.executor), KeepMinibatch: t.executor.Given("minibatch_size")},
		Progress: func(p tune.Progress) {
			if time.Since(last) >= 3*time.Second {
				last = time.Now()
				log.Info().Str("stage", p.Stage).Stringer("settings", p.Setting).Dur("elapsed_ms", p.Elapsed).Msg("jit: measuring")
			}
		},
	})
	if err != nil {
		event := log.Warn()
		if errors.Is(err, context.Canceled) {
			event = log.Debug() // the start itself ends
		}
		event.Err(err).Msg("jit: nothing measured; the settings stay as they are")
		return t.executor
	}
	log.Info().Stringer("settings", r.Best.Setting).Bool("change", r.Change).Dur("took_ms", r.Took).Msg("jit: measured")
	if path, err := t.save(r); err != nil {
		log.Warn().Err(err).Msg("jit: the next start measures again, as nothing can be stored")
	} else {
		log.Debug().Str("file", path).Msg("jit: stored")
	}
	return t.with(r.Best.Setting)
}
