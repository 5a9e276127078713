package cuda

import (
	"encoding/binary"
	"time"

	"github.com/NVIDIA/go-nvml/pkg/nvml"
)

// Reading is what a GPU tells of itself. A figure that it does not tell is -1; an instance of a split GPU (MIG) has its own memory,
// and power, clocks, temperature and errors of the whole GPU.
type Reading struct {
	At                time.Time `json:"at"`
	Utilization       int64     `json:"utilization"`       // percent of the time in which a kernel ran
	MemoryUtilization int64     `json:"memoryUtilization"` // percent of the time in which memory was read or written
	MemoryTotal       int64     `json:"memoryTotal"`       // bytes
	MemoryFree        int64     `json:"memoryFree"`        // bytes
	Power             int64     `json:"power"`             // milliwatts
	PowerLimit        int64     `json:"powerLimit"`        // milliwatts
	Temperature       int64     `json:"temperature"`       // degrees Celsius
	ClockSM           int64     `json:"clockSM"`           // MHz
	ClockMemory       int64     `json:"clockMemory"`       // MHz
	Slowed            []string  `json:"slowed"`            // why clocks are lower than they could be; empty: they are not, or idle
	ECCCorrected      int64     `json:"eccCorrected"`      // errors since the driver was loaded
	ECCUncorrected    int64     `json:"eccUncorrected"`    // errors since the driver was loaded
	Recovery          string    `json:"recovery"`          // what the driver asks for: "none", "reset", "reboot"; "": it does not tell
}

// unread is a reading of which nothing is known.
func unread() Reading {
	return Reading{Utilization: -1, MemoryUtilization: -1, MemoryTotal: -1, MemoryFree: -1, Power: -1, PowerLimit: -1, Temperature: -1,
		ClockSM: -1, ClockMemory: -1, ECCCorrected: -1, ECCUncorrected: -1}
}

// slowdowns are the reasons that say something is wrong with the GPU's surroundings, by bit.
var slowdowns = []struct {
	bit  uint64
	name string
}{
	{nvml.ClocksEventReasonSwPowerCap, "power limit"},
	{nvml.ClocksThrottleReasonHwSlowdown, "hardware slowdown"},
	{nvml.ClocksEventReasonSwThermalSlowdown, "temperature (driver)"},
	{nvml.ClocksThrottleReasonHwThermalSlowdown, "temperature (hardware)"},
	{nvml.ClocksThrottleReasonHwPowerBrakeSlowdown, "power brake"},
	{nvml.ClocksEventReasonSyncBoost, "sync boost with other GPUs"},
}

// readGPU asks a device for everything. The status is that of the GPU rather than of single figures: SUCCESS when it answers,
// whatever it does not support. Any call may hang in the driver.
func readGPU(handle nvml.Device) (Reading, nvml.Return) {
	r := unread()
	// Every whole GPU knows its memory, save those that share the host's, so this is what tells whether it answers.
	switch memory, ret := handle.GetMemoryInfo(); ret {
	case nvml.SUCCESS:
		r.MemoryTotal, r.MemoryFree = int64(memory.Total), int64(memory.Free)
	case nvml.ERROR_NOT_SUPPORTED:
	default:
		return r, ret
	}
	board := handle
	if instance, ret := handle.IsMigDeviceHandle(); ret == nvml.SUCCESS && instance {
		if board, ret = handle.GetDeviceHandleFromMigDeviceHandle(); ret != nvml.SUCCESS {
			return r, ret
		}
	} else if u, ret := handle.GetUtilizationRates(); ret == nvml.SUCCESS {
		r.Utilization, r.MemoryUtilization = int64(u.Gpu), int64(u.Memory)
	} else if gone(ret) {
		return r, ret
	}
	take(&r.Power, board.GetPowerUsage)
	take(&r.PowerLimit, board.GetEnforcedPowerLimit)
	take(&r.Temperature, func() (uint32, nvml.Return) { return board.GetTemperature(nvml.TEMPERATURE_GPU) })
	take(&r.ClockSM, func() (uint32, nvml.Return) { return board.GetClockInfo(nvml.CLOCK_SM) })
	take(&r.ClockMemory, func() (uint32, nvml.Return) { return board.GetClockInfo(nvml.CLOCK_MEM) })
	take(&r.ECCCorrected, func() (uint64, nvml.Return) {
		return board.GetTotalEccErrors(nvml.MEMORY_ERROR_TYPE_CORRECTED, nvml.VOLATILE_ECC)
	})
	take(&r.ECCUncorrected, func() (uint64, nvml.Return) {
		return board.GetTotalEccErrors(nvml.MEMORY_ERROR_TYPE_UNCORRECTED, nvml.VOLATILE_ECC)
	})
	reasons, ret := board.GetCurrentClocksEventReasons()
	if ret == nvml.ERROR_FUNCTION_NOT_FOUND { // drivers before R535 have the same under its former name
		reasons, ret = board.GetCurrentClocksThrottleReasons()
	}
	if ret == nvml.SUCCESS {
		for _, s := range slowdowns {
			if reasons&s.bit != 0 {
				r.Slowed = append(r.Slowed, s.name)
			}
		}
	}
	r.Recovery = recovery(board)
	return r, nvml.SUCCESS
}

// take sets a figure that the GPU tells.
func take[T uint32 | uint64](figure *int64, ask func() (T, nvml.Return)) {
	if v, ret := ask(); ret == nvml.SUCCESS {
		*figure = int64(v)
	}
}

// recovery asks what the driver wants to be done to the GPU; drivers before R565 do not tell.
func recovery(handle nvml.Device) string {
	values := []nvml.FieldValue{{FieldId: nvml.FI_DEV_GET_GPU_RECOVERY_ACTION}}
	if ret := handle.GetFieldValues(values); ret != nvml.SUCCESS || nvml.Return(values[0].NvmlReturn) != nvml.SUCCESS {
		return ""
	}
	switch nvml.DeviceGpuRecoveryAction(binary.NativeEndian.Uint32(values[0].Value[:4])) {
	case nvml.GPU_RECOVERY_ACTION_GPU_RESET, nvml.GPU_RECOVERY_ACTION_DRAIN_AND_RESET, nvml.GPU_RECOVERY_ACTION_BUS_RESET:
		return "reset"
	case nvml.GPU_RECOVERY_ACTION_NODE_REBOOT, nvml.GPU_RECOVERY_ACTION_SYSTEM_REBOOT:
		return "reboot"
	}
	return "none" // or something about the links to other GPUs, over which clipd sends nothing
}
