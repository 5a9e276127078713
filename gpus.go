package main

import (
	"os"
	"strings"

	"github.com/rs/zerolog"

	"clipd/cuda"
	"clipd/flows"
)

// gpus are where the replicas of each executor run: the devices as runtimes name them, none for an executor on the processor.
type gpus [][]string

// placeGPUs spreads the replicas of a flow over the GPUs that its CUDA_VISIBLE_DEVICES leaves and sets the variable for CUDA,
// which reads it when the first runtime is opened. A flow without `device: cuda` needs no GPU and asks for none.
func placeGPUs(f *flows.Flow, open func() (*cuda.Library, error), log zerolog.Logger) (gpus, error) {
	placed := make(gpus, len(f.Executors))
	var library *cuda.Library
	var devices, used []cuda.Device
	for i, x := range f.Executors {
		if !onGPU(x) {
			continue
		}
		if library == nil {
			var err error
			if library, err = open(); err != nil {
				return nil, x.Errorf("device", "executor %s: %v", x.Name, err)
			}
			defer library.Close()
			if devices, err = library.Discover(); err != nil {
				return nil, x.Errorf("device", "executor %s: %v", x.Name, err)
			}
		}
		mine, err := placeExecutor(x, devices, log)
		if err != nil {
			return nil, x.Errorf("device", "executor %s: %v", x.Name, err)
		}
		for _, d := range mine {
			placed[i] = append(placed[i], d.Runtime())
		}
		used = append(used, mine...)
	}
	if len(used) == 0 {
		return placed, nil
	}
	visible, err := cuda.Environment(used)
	if err != nil {
		return nil, err
	}
	return placed, os.Setenv("CUDA_VISIBLE_DEVICES", visible)
}

// onGPU reports whether an executor asks for a GPU.
func onGPU(x flows.Executor) bool { return strings.HasPrefix(x.Device, "cuda") }

// placeExecutor gives each replica of an executor its GPU.
func placeExecutor(x flows.Executor, devices []cuda.Device, log zerolog.Logger) ([]cuda.Device, error) {
	selection, err := cuda.Visible(devices, cuda.FromEnvironment(x.Env, os.LookupEnv))
	if err != nil {
		return nil, err
	}
	for _, note := range selection.Notes {
		log.Warn().Str("executor", x.Name).Msg(note)
	}
	picked, err := selection.Pick(x.Device)
	if err != nil {
		return nil, err
	}
	placed, err := cuda.Place(max(x.Replicas, 1), picked)
	if err != nil {
		return nil, err
	}
	for replica, d := range placed {
		log.Info().Str("executor", x.Name).Int("replica", replica).Str("gpu", d.Label()).Msg("placed")
	}
	return placed, nil
}
