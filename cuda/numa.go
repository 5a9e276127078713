package cuda

import (
	"io/fs"
	"math/bits"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/NVIDIA/go-nvml/pkg/nvml"

	"clipd/engine/cpus"
)

// Node is one NUMA node of the host: processors and the memory beside them.
type Node struct {
	ID     int    `json:"id"`
	CPUs   []int  `json:"cpus"`
	Memory uint64 `json:"memory"` // bytes; 0 where the kernel does not tell
}

// Nodes reads the NUMA nodes from a view of /sys, ascending; none where the kernel has no NUMA.
func Nodes(sys fs.FS) []Node {
	names, err := fs.Glob(sys, "devices/system/node/node[0-9]*")
	if err != nil {
		return nil
	}
	var nodes []Node
	for _, name := range names {
		id, err := strconv.Atoi(strings.TrimPrefix(path.Base(name), "node"))
		if err != nil {
			continue
		}
		list, err := cpus.Parse(read(sys, name+"/cpulist"))
		if err != nil {
			continue
		}
		nodes = append(nodes, Node{ID: id, CPUs: list, Memory: totalMemory(read(sys, name+"/meminfo"))})
	}
	slices.SortFunc(nodes, func(a, b Node) int { return a.ID - b.ID })
	return nodes
}

// near returns the NUMA node of a PCI device and the processors beside it, from sysfs, or from NVML where a container does not
// show the device there. -1 and none: the machine does not say, and any processor is as good.
func near(sys fs.FS, pciBusID string, handle nvml.Device) (node int, list []int) {
	node = -1
	folder := "bus/pci/devices/" + pciBusID
	if n, err := strconv.Atoi(read(sys, folder+"/numa_node")); err == nil {
		node = n
	}
	if list, err := cpus.Parse(read(sys, folder+"/local_cpulist")); err == nil && len(list) > 0 {
		return node, list
	}
	if words, ret := handle.GetCpuAffinityWithinScope(mostCPUs, nvml.AFFINITY_SCOPE_NODE); ret == nvml.SUCCESS {
		list = fromMask(words)
	}
	return node, list
}

// mostCPUs is the number of processors that NVML is asked about.
const mostCPUs = 1024

// fromMask turns a bit for each processor, 64 in a word, into a list.
func fromMask(words []uint) []int {
	var list []int
	for i, word := range words {
		for ; word != 0; word &= word - 1 {
			list = append(list, i*bits.UintSize+bits.TrailingZeros(word))
		}
	}
	return list
}

// totalMemory finds "Node 0 MemTotal:  131754016 kB" and returns the bytes.
func totalMemory(meminfo string) uint64 {
	_, rest, found := strings.Cut(meminfo, "MemTotal:")
	if !found {
		return 0
	}
	fields := strings.Fields(rest)
	if len(fields) == 0 {
		return 0
	}
	kilobytes, err := strconv.ParseUint(fields[0], 10, 64)
	if err != nil {
		return 0
	}
	return kilobytes << 10
}

// read returns the text of a small file without the white space around it; "" where it cannot be read.
func read(sys fs.FS, name string) string {
	data, err := fs.ReadFile(sys, name)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(data))
}
