package engine

import (
	"os"

	"clipd/engine/cpus"
	"clipd/engine/runtime"
)

// maxLanes bounds the lanes that a replica gets by itself. Two narrow lanes carry more than one wide one, but a lonely
// request is as slow as its lane, so many cores make the lanes wider rather than more.
const maxLanes = 8

// gpuLanes is how many lanes a replica on a GPU has: while one computes, the other one copies.
const gpuLanes = 2

// layOut divides the cores: replicas share them, each keeping to its own, and so do the lanes of a replica.
func (l *Opened) layOut(o LoadOptions) {
	l.cpus = make([]string, l.Replicas)
	l.LaneCount = o.LaneCount
	if l.onGPU() {
		l.Threads = 1
		if l.LaneCount <= 0 {
			l.LaneCount = gpuLanes
		}
		return
	}
	shares := cpus.Local().Layout(l.Replicas, o.Threads)
	threads := shares[0].Threads
	for i, s := range shares {
		threads = min(threads, s.Threads) // where they do not divide evenly
		l.cpus[i] = s.CPUs.String()
	}
	if l.LaneCount <= 0 {
		l.LaneCount = min(threads, maxLanes)
	}
	l.Threads = max(threads/l.LaneCount, 1)
}

// onGPU reports whether the model is to run on another device than the processor. Its lanes then need a thread of their own; on a
// processor the runtimes compute in threads of theirs and keep nothing for the one that calls.
func (l *Opened) onGPU() bool { return l.device(0) != "" && l.device(0) != "cpu" }

// device is where a replica runs.
func (l *Opened) device(replica int) string {
	if replica < len(l.options.Devices) {
		return l.options.Devices[replica]
	}
	return l.options.Device
}

// wideMost is the part of a model's weights that its text tower may be for a wide lane, which compiles it a second time, in
// fp32. With it the peak of a start would exceed 1.6 times the checkpoint otherwise: ViT-B/32, whose text tower is 0.42 of it,
// has 1.85 with a wide lane. That of ViT-L/14 is 0.29. In bf16, 0.97 and 0.85 times the checkpoint are enough for either.
const wideMost = 1.0 / 3

// wantsWide reports whether replicas get a wide lane: where several narrow ones share the cores and the memory allows it. The
// threads of ONNX Runtime wait for work by turning on the spot, which takes the cores from the narrow lanes.
func (l *Opened) wantsWide() bool {
	return l.mayWiden() && (l.Session[TextTower].Precision != runtime.FP32 || l.textPart() <= wideMost)
}

// mayWiden is what wantsWide needs that is known before anything is compiled.
func (l *Opened) mayWiden() bool {
	return !l.options.NoWide && l.LaneCount > 1 && l.Runtime.Name == "openvino"
}

// narrowNice is how much narrow lanes yield to the wide one, as Unix's nice: with both busy the wide one has three quarters of the
// cores. A lonely text beside batches of 256 then takes p99 24 ms where it took 35.
const narrowNice = 5

// nice is that of the threads of narrow lanes.
func (l *Opened) nice() int {
	if l.mayWiden() {
		return narrowNice
	}
	return 0
}

// smallWeights is what a model may have for its memory not to matter.
const smallWeights = 64 << 20

// textPart returns which part of the weights are those of the text tower; 0 for a small model.
func (l *Opened) textPart() float64 {
	var bytes [2]int64
	for tower, graph := range l.Checkpoint.Graphs {
		for _, path := range []string{graph, graph + ".data"} { // weights lie beside a large graph
			if file, err := os.Stat(path); err == nil {
				bytes[tower] += file.Size()
			}
		}
	}
	if sum := bytes[ImageTower] + bytes[TextTower]; sum > smallWeights {
		return float64(bytes[TextTower]) / float64(sum)
	}
	return 0
}
