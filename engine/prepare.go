package engine

import (
	"context"

	"clipd/engine/model"
	"clipd/engine/runtime"
)

// Prepared is what is known of a model before it is compiled.
type Prepared struct {
	Checkpoint *model.Model
	Runtime    runtime.Info
	Compiled   string // the folder of what is compiled from its graphs
}

// Prepare finds the runtime and makes the graphs that Open would compile, without compiling them.
func Prepare(ctx context.Context, o LoadOptions) (*Prepared, error) {
	l, err := prepare(ctx, o)
	if err != nil {
		return nil, err
	}
	return &Prepared{Checkpoint: l.Checkpoint, Runtime: l.Runtime, Compiled: l.compiledDir()}, nil
}

// prepare is the part of Open that Prepare has in common with it.
func prepare(ctx context.Context, o LoadOptions) (*Opened, error) {
	r, err := openRuntime(o.Runtime, o.Device)
	if err != nil {
		return nil, err
	}
	l := &Opened{Replicas: max(o.Replicas, 1), Runtime: r.Info(), runtime: r, options: o}
	if l.Checkpoint, err = l.loadGraphs(ctx, weightsFor(l.Runtime, o.Precision)); err != nil {
		return nil, err
	}
	return l, nil
}
