package cuda

import (
	"fmt"
	"strings"
)

// Device is one GPU that can be given work: a whole one, or an instance of a split one (MIG).
type Device struct {
	Index       int        `json:"index"` // of the GPU, as nvidia-smi counts; that of the split GPU for an instance
	UUID        string     `json:"uuid"`  // "GPU-…" or "MIG-…", exactly as CUDA_VISIBLE_DEVICES takes it
	Name        string     `json:"name"`  // "NVIDIA H200", "NVIDIA A100-SXM4-40GB MIG 3g.20gb"
	Capability  Capability `json:"computeCapability"`
	MemoryTotal uint64     `json:"memoryTotal"` // bytes; 0 where NVML does not tell, as on GPUs that share the host's memory
	MemoryFree  uint64     `json:"memoryFree"`  // bytes, when the device was looked at
	PCIBusID    string     `json:"pciBusID"`    // "0000:3b:00.0", as cudaDeviceGetByPCIBusId and sysfs write it
	NUMANode    int        `json:"numaNode"`    // -1 where the machine has one node or does not tell
	CPUs        []int      `json:"cpus"`        // of the host near the GPU, ascending; empty where that is not known
	Split       bool       `json:"split"`       // a whole GPU in MIG mode, which takes no work itself
	MIG         *MIG       `json:"mig,omitempty"`
}

// Capability is the CUDA compute capability, such as 9.0.
type Capability struct {
	Major int `json:"major"`
	Minor int `json:"minor"`
}

func (c Capability) String() string { return fmt.Sprintf("%d.%d", c.Major, c.Minor) }

// MIG says which part of a split GPU a device is.
type MIG struct {
	ParentUUID      string `json:"parentUUID"`
	Index           int    `json:"index"`           // among the instances of its GPU, as nvidia-smi -L counts
	GPUInstance     int    `json:"gpuInstance"`     // the first of the two numbers in MIG-<GPU-UUID>/1/0
	ComputeInstance int    `json:"computeInstance"` // the second
}

// Label names the device in a sentence: `GPU 1 (NVIDIA H200, GPU-8932f937-…)`.
func (d Device) Label() string {
	if d.MIG != nil {
		return fmt.Sprintf("MIG instance %d of GPU %d (%s, %s)", d.MIG.Index, d.Index, d.Name, d.UUID)
	}
	return fmt.Sprintf("GPU %d (%s, %s)", d.Index, d.Name, d.UUID)
}

// Runtime is the name of the device for clip_session_options.device, as the package comment says.
func (d Device) Runtime() string {
	if d.MIG != nil || d.PCIBusID == "" {
		return "cuda:0"
	}
	return "cuda:" + d.PCIBusID
}

// Environment returns the CUDA_VISIBLE_DEVICES that lets CUDA see the given devices and no other, each once: what the process
// must set before it opens a runtime. Of instances of split GPUs CUDA shows a process one, and no whole GPU beside it.
func Environment(devices []Device) (string, error) {
	var uuids []string
	seen, instances := map[string]bool{}, 0
	for _, d := range devices {
		if seen[d.UUID] {
			continue
		}
		seen[d.UUID] = true
		uuids = append(uuids, d.UUID)
		if d.MIG != nil {
			instances++
		}
	}
	if instances > 0 && len(uuids) > 1 {
		return "", fmt.Errorf("%s cannot serve together: CUDA gives a process one MIG instance and no other GPU beside it; "+
			"run a clipd for each", strings.Join(uuids, " and "))
	}
	return strings.Join(uuids, ","), nil
}
