package cuda

import (
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/NVIDIA/go-nvml/pkg/nvml"
)

// Discover returns the GPUs of the machine in the order of nvidia-smi, each split one followed by its instances. It makes no
// CUDA context. A GPU that does not answer is left out and named in the error, which comes beside those that do; without any
// the error wraps ErrNoGPU.
func (l *Library) Discover() ([]Device, error) { return l.discover(os.DirFS("/sys")) }

func (l *Library) discover(sys fs.FS) ([]Device, error) {
	count, ret := l.nvml.DeviceGetCount()
	if ret != nvml.SUCCESS {
		return nil, fmt.Errorf("%w: NVML cannot count them: %s", ErrNoGPU, describe(ret))
	}
	var devices []Device
	var failed []string
	for i := range count {
		handle, ret := l.nvml.DeviceGetHandleByIndex(i)
		if ret != nvml.SUCCESS {
			failed = append(failed, fmt.Sprintf("GPU %d cannot be used: %s", i, describe(ret)))
			continue
		}
		d, ret := identify(handle, i)
		if ret != nvml.SUCCESS {
			failed = append(failed, fmt.Sprintf("GPU %d cannot be used: %s", i, describe(ret)))
			continue
		}
		d.NUMANode, d.CPUs = near(sys, d.PCIBusID, handle)
		devices = append(devices, d)
		if d.Split {
			devices = append(devices, instances(handle, d)...)
		}
	}
	switch {
	case len(devices) == 0 && len(failed) > 0:
		return nil, fmt.Errorf("%w that works: %s", ErrNoGPU, strings.Join(failed, "; "))
	case len(devices) == 0:
		return nil, fmt.Errorf("%w: the driver runs, but has none; in a container it has those of --gpus", ErrNoGPU)
	case len(failed) > 0:
		return devices, fmt.Errorf("%s", strings.Join(failed, "; "))
	}
	return devices, nil
}

// identify reads what does not change of a whole GPU, and its memory. Only what clipd cannot do without is an error.
func identify(handle nvml.Device, index int) (Device, nvml.Return) {
	d := Device{Index: index, NUMANode: -1}
	var ret nvml.Return
	if d.UUID, ret = handle.GetUUID(); ret != nvml.SUCCESS {
		return d, ret
	}
	pci, ret := handle.GetPciInfo()
	if ret != nvml.SUCCESS {
		return d, ret
	}
	d.PCIBusID = busID(pci)
	if d.Name, ret = handle.GetName(); ret != nvml.SUCCESS {
		d.Name = "NVIDIA GPU"
	}
	if major, minor, ret := handle.GetCudaComputeCapability(); ret == nvml.SUCCESS {
		d.Capability = Capability{major, minor}
	}
	switch memory, ret := handle.GetMemoryInfo(); {
	case ret == nvml.SUCCESS:
		d.MemoryTotal, d.MemoryFree = memory.Total, memory.Free
	case gone(ret):
		return d, ret
	}
	if mode, _, ret := handle.GetMigMode(); ret == nvml.SUCCESS {
		d.Split = mode == nvml.DEVICE_MIG_ENABLE
	}
	return d, nvml.SUCCESS
}

// instances returns the MIG instances of a split GPU that can be given work: NVML has a device for each compute instance.
func instances(handle nvml.Device, parent Device) []Device {
	most, ret := handle.GetMaxMigDeviceCount()
	if ret != nvml.SUCCESS {
		return nil
	}
	var list []Device
	for i := range most {
		part, ret := handle.GetMigDeviceHandleByIndex(i)
		if ret != nvml.SUCCESS { // the numbers have gaps
			continue
		}
		d := parent
		d.Split = false
		if d.UUID, ret = part.GetUUID(); ret != nvml.SUCCESS {
			continue
		}
		gpuInstance, ret := part.GetGpuInstanceId()
		if ret != nvml.SUCCESS {
			continue
		}
		computeInstance, ret := part.GetComputeInstanceId()
		if ret != nvml.SUCCESS {
			continue
		}
		d.MIG = &MIG{ParentUUID: parent.UUID, Index: i, GPUInstance: gpuInstance, ComputeInstance: computeInstance}
		if name, ret := part.GetName(); ret == nvml.SUCCESS {
			d.Name = name
		}
		d.MemoryTotal, d.MemoryFree = 0, 0
		if memory, ret := part.GetMemoryInfo(); ret == nvml.SUCCESS {
			d.MemoryTotal, d.MemoryFree = memory.Total, memory.Free
		}
		list = append(list, d)
	}
	return list
}

// Refresh reads the free memory of a device anew.
func (l *Library) Refresh(d Device) (Device, error) {
	handle, ret := l.nvml.DeviceGetHandleByUUID(d.UUID)
	if ret != nvml.SUCCESS {
		return d, fmt.Errorf("%s cannot be reached: %s", d.Label(), describe(ret))
	}
	switch memory, ret := handle.GetMemoryInfo(); ret {
	case nvml.SUCCESS:
		d.MemoryTotal, d.MemoryFree = memory.Total, memory.Free
	case nvml.ERROR_NOT_SUPPORTED: // it shares the host's memory
	default:
		return d, fmt.Errorf("the memory of %s cannot be read: %s", d.Label(), describe(ret))
	}
	return d, nil
}

// busID writes a PCI address as sysfs and CUDA do: NVML writes "00000000:3B:00.0", they "0000:3b:00.0". A domain of more
// than 16 bits, as virtual machines have them, stays whole.
func busID(pci nvml.PciInfo) string {
	var text []byte
	for _, c := range pci.BusId {
		if c == 0 {
			break
		}
		text = append(text, byte(c))
	}
	id := strings.ToLower(string(text))
	if id == "" {
		return fmt.Sprintf("%04x:%02x:%02x.0", pci.Domain, pci.Bus, pci.Device)
	}
	if domain, rest, ok := strings.Cut(id, ":"); ok && len(domain) == 8 && strings.HasPrefix(domain, "0000") {
		id = domain[4:] + ":" + rest
	}
	return id
}

// gone reports whether a status means that the GPU itself, rather than the call, is of no use.
func gone(ret nvml.Return) bool {
	switch ret {
	case nvml.ERROR_GPU_IS_LOST, nvml.ERROR_RESET_REQUIRED, nvml.ERROR_GPU_NOT_FOUND, nvml.ERROR_NOT_FOUND, nvml.ERROR_UNINITIALIZED:
		return true
	}
	return false
}
