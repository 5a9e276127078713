package cuda

import (
	"fmt"
	"strings"
)

// number finds a GPU by an entry of a list of indices, or says why there is none.
func number(whole []Device, entry string) (Device, string) {
	n, ok := leadingNumber(entry)
	if !ok {
		return Device{}, "is no index of a GPU"
	}
	for _, d := range whole {
		if d.Index == n {
			return d, ""
		}
	}
	return Device{}, "is no GPU of this machine"
}

// leadingNumber reads the digits that an entry begins with: CUDA reads with strtoul, to which "1st" is 1.
func leadingNumber(entry string) (n int, ok bool) {
	entry = strings.TrimPrefix(entry, "+")
	for i := 0; i < len(entry) && '0' <= entry[i] && entry[i] <= '9' && n < 1<<20; i++ {
		n, ok = 10*n+int(entry[i]-'0'), true
	}
	return n, ok
}

// find finds the one device whose UUID begins with an entry, or says why there is none. kind is the prefix that all entries of
// the list must share, "GPU-" or "MIG-".
func find(devices []Device, entry, kind string) (Device, string) {
	if !strings.HasPrefix(entry, kind) {
		return Device{}, "does not begin with " + kind + " as the first entry does"
	}
	var found []Device
	for _, d := range devices {
		if (kind == "MIG-") != (d.MIG != nil) {
			continue
		}
		if strings.HasPrefix(d.UUID, entry) || d.MIG != nil && d.MIG.matches(entry) {
			found = append(found, d)
		}
	}
	switch len(found) {
	case 1:
		return found[0], ""
	case 0:
		return Device{}, "is the beginning of no UUID of this machine"
	}
	return Device{}, fmt.Sprintf("is the beginning of the UUIDs of %s and %s", found[0].Label(), found[1].Label())
}

// matches reports whether an entry names the instance in the form of drivers before R470: MIG-<GPU-UUID>/<GPU instance>/<compute
// instance>.
func (m *MIG) matches(entry string) bool {
	return entry == fmt.Sprintf("MIG-%s/%d/%d", m.ParentUUID, m.GPUInstance, m.ComputeInstance)
}

// choices lists what a setting could name, in a few words.
func choices(devices []Device) string {
	var words []string
	for _, d := range devices {
		if d.MIG != nil {
			words = append(words, d.UUID)
		} else {
			words = append(words, fmt.Sprintf("%d (%s)", d.Index, d.UUID))
		}
	}
	return strings.Join(words, ", ")
}

func countGPUs(n int) string {
	if n == 1 {
		return "1 GPU"
	}
	return fmt.Sprintf("%d GPUs", n)
}
