package main

import (
	"os"
	"strings"
	"testing"

	"github.com/NVIDIA/go-nvml/pkg/nvml/mock/dgxa100"
	"github.com/rs/zerolog"

	"clipd/cuda"
	"clipd/flows"
)

func gpuFlow(t *testing.T, executors string) *flows.Flow {
	t.Helper()
	f, err := flows.Parse(strings.NewReader("jtype: Flow\nexecutors:\n"+executors), "f.yml", flows.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// TestPlaceGPUs shows where the replicas of a flow go on a scripted machine of eight GPUs, and what CUDA is told.
func TestPlaceGPUs(t *testing.T) {
	t.Setenv("CUDA_VISIBLE_DEVICES", "RR2:4")
	library, err := cuda.Use(dgxa100.New())
	if err != nil {
		t.Fatal(err)
	}
	devices, err := library.Discover()
	if err != nil {
		t.Fatal(err)
	}
	open := func() (*cuda.Library, error) { return library, nil }
	f := gpuFlow(t, `  - {name: a, replicas: 3, uses: {jtype: CLIPEncoder, with: {device: cuda}}}
  - {name: b, env: {CUDA_VISIBLE_DEVICES: 7}, uses: {jtype: CLIPEncoder, with: {device: cuda}}}
  - {name: c, uses: {jtype: CLIPEncoder, with: {device: cpu}}}
`)
	placed, err := placeGPUs(f, open, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range [][]int{{2, 3, 2}, {7}, nil} {
		if len(placed[i]) != len(want) {
			t.Errorf("executor %d is on %v, want %v", i, placed[i], want)
			continue
		}
		for r, n := range want {
			if placed[i][r] != devices[n].Runtime() {
				t.Errorf("replica %d of executor %d is on %s, want GPU %d, %s", r, i, placed[i][r], n, devices[n].Runtime())
			}
		}
	}
	visible := os.Getenv("CUDA_VISIBLE_DEVICES")
	for _, n := range []int{2, 3, 7} {
		if !strings.Contains(visible, devices[n].UUID) {
			t.Errorf("CUDA is told %q, without GPU %d", visible, n)
		}
	}
	if strings.Count(visible, ",") != 2 {
		t.Errorf("CUDA is told %q, want three GPUs", visible)
	}
}

// TestNoGPU shows that a flow for the processor asks for no library, and what one for GPUs is told without one.
func TestNoGPU(t *testing.T) {
	none := func() (*cuda.Library, error) { return nil, cuda.ErrNoGPU }
	cpu := gpuFlow(t, "  - {name: a, env: {CUDA_VISIBLE_DEVICES: RR}, uses: {jtype: CLIPEncoder, with: {device: cpu}}}\n")
	placed, err := placeGPUs(cpu, none, zerolog.Nop())
	if err != nil || len(placed) != 1 || placed[0] != nil {
		t.Errorf("a flow for the processor is placed on %v: %v", placed, err)
	}
	_, err = placeGPUs(gpuFlow(t, "  - {name: a, uses: {jtype: CLIPEncoder, with: {device: cuda}}}\n"), none, zerolog.Nop())
	if err == nil || !strings.Contains(err.Error(), "f.yml:3:") || !strings.Contains(err.Error(), cuda.ErrNoGPU.Error()) {
		t.Errorf("a flow for a GPU without one: %v", err)
	}
}
