package cuda

import (
	"fmt"
	"io/fs"
	"math/bits"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/NVIDIA/go-nvml/pkg/nvml"
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
		cpus, err := parseCPUs(read(sys, name+"/cpulist"))
		if err != nil {
			continue
		}
		nodes = append(nodes, Node{ID: id, CPUs: cpus, Memory: totalMemory(read(sys, name+"/meminfo"))})
	}
	slices.SortFunc(nodes, func(a, b Node) int { return a.ID - b.ID })
	return nodes
}

// near returns the NUMA node of a PCI device and the processors beside it, from sysfs, or from NVML where a container does not
// show the device there. -1 and none: the machine does not say, and any processor is as good.
func near(sys fs.FS, pciBusID string, handle nvml.Device) (node int, cpus []int) {
	node = -1
	folder := "bus/pci/devices/" + pciBusID
	if n, err := strconv.Atoi(read(sys, folder+"/numa_node")); err == nil {
		node = n
	}
	if cpus, err := parseCPUs(read(sys, folder+"/local_cpulist")); err == nil && len(cpus) > 0 {
		return node, cpus
	}
	if words, ret := handle.GetCpuAffinityWithinScope(mostCPUs, nvml.AFFINITY_SCOPE_NODE); ret == nvml.SUCCESS {
		cpus = fromMask(words)
	}
	return node, cpus
}

// mostCPUs is the number of processors that NVML is asked about.
const mostCPUs = 1024

// fromMask turns a bit for each processor, 64 in a word, into a list.
func fromMask(words []uint) []int {
	var cpus []int
	for i, word := range words {
		for ; word != 0; word &= word - 1 {
			cpus = append(cpus, i*bits.UintSize+bits.TrailingZeros(word))
		}
	}
	return cpus
}

// parseCPUs reads a list as the kernel writes it, such as "0-3,8,10-11"; "" is an empty one.
func parseCPUs(text string) ([]int, error) {
	if text == "" {
		return nil, nil
	}
	var cpus []int
	for part := range strings.SplitSeq(text, ",") {
		first, last, isRange := strings.Cut(part, "-")
		from, err := strconv.Atoi(first)
		if err != nil {
			return nil, err
		}
		to := from
		if isRange {
			if to, err = strconv.Atoi(last); err != nil {
				return nil, err
			}
		}
		if from < 0 || to < from || to >= 1<<16 {
			return nil, fmt.Errorf("%q is no range of processors", part)
		}
		for cpu := from; cpu <= to; cpu++ {
			cpus = append(cpus, cpu)
		}
	}
	return cpus, nil
}

// FormatCPUs writes a list of processors as the kernel does, such as "0-3,8".
func FormatCPUs(cpus []int) string {
	var b strings.Builder
	for i := 0; i < len(cpus); {
		last := i
		for last+1 < len(cpus) && cpus[last+1] == cpus[last]+1 {
			last++
		}
		if b.Len() > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.Itoa(cpus[i]))
		if last > i {
			b.WriteString("-" + strconv.Itoa(cpus[last]))
		}
		i = last + 1
	}
	return b.String()
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
