package cuda

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"clipd/engine/cpus"
)

// Table writes a line for each device: what it is, where it sits, and which device of clipd it is, given those that
// CUDA_VISIBLE_DEVICES leaves.
func Table(w io.Writer, devices, visible []Device) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "GPU\tNAME\tCUDA\tFREE\tMEMORY\tPCI\tNUMA\tCPUS\tCLIPD\tUUID")
	for _, d := range devices {
		number := fmt.Sprint(d.Index)
		if d.MIG != nil {
			number += fmt.Sprintf(".%d", d.MIG.Index)
		}
		numa := "-"
		if d.NUMANode >= 0 {
			numa = fmt.Sprint(d.NUMANode)
		}
		free, total := "-", "shared"
		if d.MemoryTotal > 0 {
			free, total = GiB(d.MemoryFree), GiB(d.MemoryTotal)
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", number, d.Name, d.Capability, free, total, cmp.Or(d.PCIBusID, "-"), numa,
			cmp.Or(cpus.Set(d.CPUs).String(), "-"), seenAs(d, visible), d.UUID)
	}
	return t.Flush()
}

// seenAs is what a flow calls the device.
func seenAs(d Device, visible []Device) string {
	if d.Split {
		return "split"
	}
	var names []string
	for i, v := range visible {
		if v.UUID == d.UUID {
			names = append(names, fmt.Sprintf("cuda:%d", i))
		}
	}
	return cmp.Or(strings.Join(names, " "), "hidden")
}
