package cuda

import (
	"fmt"
	"strings"
)

// Need is what one replica of a model takes of a GPU's memory.
type Need struct {
	Model string // "ViT-L-14::openai"
	Batch int    // rows of the largest batch
	Bytes uint64 // weights, activations of the largest batch in every lane, and the CUDA context
}

// Check reports whether the replicas that placed gives each device fit into its free memory, before anything is loaded; each device
// was looked at just now (Refresh). The error names the first that is too small, what is missing and what would help; machine is
// what else there is to suggest. A GPU that does not tell its memory passes.
func Check(need Need, placed, machine []Device) error {
	replicas := map[string]int{}
	for _, d := range placed {
		replicas[d.UUID]++
	}
	for _, d := range placed {
		n := replicas[d.UUID]
		if d.MemoryTotal == 0 || uint64(n)*need.Bytes <= d.MemoryFree {
			continue
		}
		what := fmt.Sprintf("model %s at batch %d needs about %s", need.Model, need.Batch, GiB(need.Bytes))
		if n > 1 {
			what = fmt.Sprintf("%d replicas of model %s at batch %d need about %s", n, need.Model, need.Batch, GiB(uint64(n)*need.Bytes))
		}
		return fmt.Errorf("%s, but %s has %s free of %s; %s", what, d.Label(), GiB(d.MemoryFree), GiB(d.MemoryTotal),
			helps(need, d, n, machine))
	}
	return nil
}

// helps says what to do about a GPU that is too small: never what would not be enough.
func helps(need Need, d Device, replicas int, machine []Device) string {
	var ways []string
	if used := d.MemoryTotal - min(d.MemoryFree, d.MemoryTotal); need.Bytes <= d.MemoryTotal && used > d.MemoryTotal/10 {
		ways = append(ways, fmt.Sprintf("end what else uses %s of it (nvidia-smi lists it)", GiB(used)))
	}
	if fit := d.MemoryFree / max(need.Bytes, 1); replicas > 1 && fit > 0 {
		ways = append(ways, "place only "+plural(int(fit), "replica")+" there")
	}
	var best Device
	for _, other := range machine {
		if other.UUID != d.UUID && !other.Split && other.MemoryFree >= need.Bytes && other.MemoryFree > best.MemoryFree {
			best = other
		}
	}
	if best.UUID != "" {
		ways = append(ways, fmt.Sprintf("use %s, which has %s free", best.Label(), GiB(best.MemoryFree)))
	}
	if need.Batch > 1 {
		ways = append(ways, "lower minibatch_size")
	}
	ways = append(ways, "take a smaller model or dtype: fp16")
	return "what helps: " + strings.Join(ways, ", or ")
}

// GiB writes bytes for people: "1.4 GiB", and whole MiB below one tenth of that unit.
func GiB(bytes uint64) string {
	if bytes < 1<<30/10 {
		return fmt.Sprintf("%d MiB", bytes>>20)
	}
	return fmt.Sprintf("%.1f GiB", float64(bytes)/(1<<30))
}
