package cuda

import (
	"fmt"
	"slices"
	"strings"
)

// Setting is a CUDA_VISIBLE_DEVICES and where it comes from.
type Setting struct {
	Value string // as it was written
	Set   bool   // false: there is none, which leaves every GPU; an empty one leaves none
	From  string // "the flow" or "the environment", for messages
	Order string // CUDA_DEVICE_ORDER; "": not set
}

// FromEnvironment takes the setting of an executor: its env in the flow comes before the environment of the process, as in
// Jina. lookup is os.LookupEnv.
func FromEnvironment(flow map[string]string, lookup func(string) (string, bool)) Setting {
	var s Setting
	if value, ok := flow["CUDA_VISIBLE_DEVICES"]; ok {
		s = Setting{Value: value, Set: true, From: "the flow"}
	} else if value, ok := lookup("CUDA_VISIBLE_DEVICES"); ok {
		s = Setting{Value: value, Set: true, From: "the environment"}
	}
	if order, ok := flow["CUDA_DEVICE_ORDER"]; ok {
		s.Order = order
	} else if order, ok := lookup("CUDA_DEVICE_ORDER"); ok {
		s.Order = order
	}
	return s
}

func (s Setting) String() string {
	if !s.Set {
		return "CUDA_VISIBLE_DEVICES is not set"
	}
	return fmt.Sprintf("CUDA_VISIBLE_DEVICES is %q (%s)", s.Value, s.From)
}

// Selection is what a setting leaves of the GPUs of a machine.
type Selection struct {
	Setting Setting
	Devices []Device // in the order in which replicas get them; RR0,0,1 names one twice
	Notes   []string // sentences on what CUDA ignores of the setting, for the log
}

// Visible says which of the machine's devices (Discover) the setting leaves, and in which order. Without an RR it follows CUDA:
//
//	unset           all
//	""              none
//	2,0             by the index of nvidia-smi
//	GPU-8932f937    by UUID, of which a beginning that only one GPU has is enough
//	MIG-…           an instance of a split GPU, by UUID or in the older form MIG-GPU-…/1/0
//	0,-1,1          an entry that names nothing ends the list
//	1,1             a GPU named twice: none at all
//
// The RR forms are Jina's: RR all GPUs, RR0:2 a slice as in Python, RR0,2 a list of indices, RRGPU-…,GPU-… of UUIDs; here
// what names nothing is an error.
//
// An error means that no GPU is left, and says what would be right. It matters only where a GPU is asked for.
func Visible(devices []Device, setting Setting) (Selection, error) {
	whole := slices.DeleteFunc(slices.Clone(devices), func(d Device) bool { return d.MIG != nil })
	if len(whole) == 0 {
		return Selection{Setting: setting}, fmt.Errorf("%w to choose from", ErrNoGPU)
	}
	s := Selection{Setting: setting}
	var err error
	switch value := strings.TrimSpace(setting.Value); {
	case !setting.Set:
		s.Devices = whole
	case value == "":
		err = fmt.Errorf("%s, which hides all %s; remove it, or name some of %s", setting, countGPUs(len(whole)), choices(devices))
	case strings.HasPrefix(value, "RR"):
		s.Devices, err = roundRobin(devices, whole, setting, value[len("RR"):])
	default:
		err = s.list(devices, whole, value)
	}
	if err == nil {
		err = s.settleMIG(devices)
	}
	if err != nil {
		return Selection{Setting: setting}, err
	}
	s.noteOrder(whole)
	return s, nil
}

// list follows CUDA's reading of a list, with a note on whatever it ignores.
func (s *Selection) list(devices, whole []Device, value string) error {
	entries := strings.Split(value, ",")
	byUUID := strings.HasPrefix(value, "GPU-") || strings.HasPrefix(value, "MIG-")
	kind := value[:min(len(value), len("GPU-"))]
	var ended string // why the list ends early
	for i, entry := range entries {
		entry = strings.TrimSpace(entry)
		var d Device
		var why string
		if byUUID {
			d, why = find(devices, entry, kind)
		} else {
			d, why = number(whole, entry)
		}
		if why != "" {
			ended = fmt.Sprintf("%q %s", entry, why)
			if rest := len(entries) - i - 1; rest > 0 {
				ended += fmt.Sprintf(", and CUDA ignores it and the %d after it", rest)
			}
			break
		}
		s.Devices = append(s.Devices, d)
	}
	if twice := s.repeated(entries, byUUID); twice != "" {
		return fmt.Errorf("%s, which names %s twice: CUDA takes that for no GPU at all; name each once (RR0,0,1 gives a GPU two replicas)",
			s.Setting, twice)
	}
	if len(s.Devices) == 0 {
		return fmt.Errorf("%s, which leaves no GPU: %s; name some of %s", s.Setting, ended, choices(devices))
	}
	if ended != "" {
		s.Notes = append(s.Notes, fmt.Sprintf("%s: %s", s.Setting, ended))
	}
	return nil
}

// repeated returns what a list names twice. CUDA looks for that up to the first entry that is no number, further than the
// first number that no GPU has.
func (s *Selection) repeated(entries []string, byUUID bool) string {
	seen := map[string]bool{}
	for _, d := range s.Devices {
		if seen[d.UUID] {
			return d.Label()
		}
		seen[d.UUID] = true
	}
	if byUUID {
		return ""
	}
	numbers := map[int]bool{}
	for _, entry := range entries {
		n, ok := leadingNumber(strings.TrimSpace(entry))
		if !ok {
			return ""
		}
		if numbers[n] {
			return fmt.Sprintf("number %d", n)
		}
		numbers[n] = true
	}
	return ""
}

// settleMIG puts an instance in the place of each split GPU, which takes no work itself, and keeps what CUDA shows a process:
// the first instance and nothing else, as soon as there is one.
func (s *Selection) settleMIG(devices []Device) error {
	var usable []Device
	var empty string
	for _, d := range s.Devices {
		if !d.Split {
			usable = append(usable, d)
			continue
		}
		i := slices.IndexFunc(devices, func(part Device) bool { return part.MIG != nil && part.MIG.ParentUUID == d.UUID })
		if i < 0 {
			empty = d.Label() + " is in MIG mode without an instance; make one (nvidia-smi mig -cgi 0 -C) or turn MIG off (nvidia-smi -mig 0)"
			continue
		}
		usable = append(usable, devices[i])
	}
	if len(usable) == 0 {
		return fmt.Errorf("%s, and no GPU that it leaves takes work: %s", s.Setting, empty)
	}
	if empty != "" {
		s.Notes = append(s.Notes, empty)
	}
	if i := slices.IndexFunc(usable, func(d Device) bool { return d.MIG != nil }); i >= 0 && len(usable) > 1 {
		only := usable[i]
		if slices.ContainsFunc(usable, func(d Device) bool { return d.UUID != only.UUID }) {
			s.Notes = append(s.Notes, fmt.Sprintf("%s: only %s is used, since CUDA gives a process one MIG instance and no other GPU "+
				"beside it; run a clipd for each instance, or name whole GPUs only", s.Setting, only.Label()))
			usable = slices.DeleteFunc(usable, func(d Device) bool { return d.UUID != only.UUID })
		}
	}
	s.Devices = usable
	return nil
}

// noteOrder says so where the numbers of the setting could mean other GPUs to another program.
func (s *Selection) noteOrder(whole []Device) {
	switch s.Setting.Order {
	case "PCI_BUS_ID":
		return
	case "", "FASTEST_FIRST":
	default:
		s.Notes = append(s.Notes, fmt.Sprintf("CUDA_DEVICE_ORDER is %q; CUDA knows FASTEST_FIRST and PCI_BUS_ID, and clipd counts by PCI_BUS_ID",
			s.Setting.Order))
		return
	}
	value := strings.TrimPrefix(s.Setting.Value, "RR")
	counts := s.Setting.Set && value != "" && !strings.HasPrefix(value, "GPU-") && !strings.HasPrefix(value, "MIG-")
	if counts && slices.ContainsFunc(whole, func(d Device) bool { return d.Name != whole[0].Name }) {
		s.Notes = append(s.Notes, fmt.Sprintf("%s: the GPUs of this machine differ, and clipd counts as nvidia-smi does, other programs the "+
			"fastest first; CUDA_DEVICE_ORDER=PCI_BUS_ID makes all count alike", s.Setting))
	}
}
