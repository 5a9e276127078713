package cuda

import (
	"encoding/binary"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/NVIDIA/go-nvml/pkg/nvml"
	"github.com/NVIDIA/go-nvml/pkg/nvml/mock"
	"github.com/NVIDIA/go-nvml/pkg/nvml/mock/dgxa100"
	"github.com/NVIDIA/go-nvml/pkg/nvml/mock/gpus"
	"github.com/NVIDIA/go-nvml/pkg/nvml/mock/server"
)

const gib = 1 << 30

// script is NVML with GPUs that do what a test says.
type script struct {
	*server.Server
	gpus   []*gpu
	events chan nvml.EventData // what EventSet.Wait gives

	mu        sync.Mutex
	waitFails nvml.Return // what Wait answers instead of waiting; SUCCESS: it waits
	sets      int         // event sets that were made and not freed
	made      int         // event sets that were ever made
}

// gpu is one of them.
type gpu struct {
	*server.Device
	mu         sync.Mutex
	answer     nvml.Return   // to a question for its memory
	hang       chan struct{} // a question for its memory waits for it to be closed; nil: it does not
	recovery   nvml.DeviceGpuRecoveryAction
	tells      bool // which recovery it wants
	instances  []*mock.Device
	registered uint64 // event types
}

func (g *gpu) set(change func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	change()
}

func (s *script) set(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
}

// newScript makes n A100s of 40 GiB, half of it free, with UUIDs GPU-00000000-… , GPU-00000001-….
func newScript(t *testing.T, n int) *script {
	t.Helper()
	s := &script{Server: dgxa100.NewWithGPUs(gpus.Multiple(n, gpus.A100_SXM4_40GB)...), events: make(chan nvml.EventData)}
	for i, d := range s.Devices {
		g := &gpu{Device: d.(*server.Device)}
		g.UUID = fmt.Sprintf("GPU-%08x-74d2-7297-d557-12771b6a79d5", i)
		g.script(i)
		s.gpus = append(s.gpus, g)
	}
	s.DeviceGetHandleByUUIDFunc = func(uuid string) (nvml.Device, nvml.Return) {
		for _, g := range s.gpus {
			if g.UUID == uuid {
				return g.Device, nvml.SUCCESS
			}
			for _, part := range g.instances {
				if id, _ := part.GetUUID(); id == uuid {
					return part, nvml.SUCCESS
				}
			}
		}
		return nil, nvml.ERROR_NOT_FOUND
	}
	s.EventSetCreateFunc = func() (nvml.EventSet, nvml.Return) {
		s.set(func() { s.sets++; s.made++ })
		return &mock.EventSet{
			FreeFunc: func() nvml.Return { s.set(func() { s.sets-- }); return nvml.SUCCESS },
			WaitFunc: s.wait,
		}, nvml.SUCCESS
	}
	return s
}

func (s *script) wait(milliseconds uint32) (nvml.EventData, nvml.Return) {
	var fails nvml.Return
	s.set(func() { fails = s.waitFails })
	if fails != nvml.SUCCESS {
		return nvml.EventData{}, fails
	}
	select {
	case e := <-s.events:
		return e, nvml.SUCCESS
	case <-time.After(time.Duration(milliseconds) * time.Millisecond):
		return nvml.EventData{}, nvml.ERROR_TIMEOUT
	}
}

// xid lets the driver report an error of a GPU.
func (s *script) xid(g *gpu, code uint64) {
	s.events <- nvml.EventData{Device: g.Device, EventType: nvml.EventTypeXidCriticalError, EventData: code,
		GpuInstanceId: anyInstance, ComputeInstanceId: anyInstance}
}

func (g *gpu) script(i int) {
	g.GetPciInfoFunc = func() (nvml.PciInfo, nvml.Return) {
		var p nvml.PciInfo
		for j, c := range fmt.Sprintf("00000000:%02X:00.0", 0x3a+i) {
			p.BusId[j] = int8(c)
		}
		return p, nvml.SUCCESS
	}
	g.GetMemoryInfoFunc = func() (nvml.Memory, nvml.Return) {
		g.mu.Lock()
		answer, hang := g.answer, g.hang
		g.mu.Unlock()
		if hang != nil {
			<-hang
		}
		if answer != nvml.SUCCESS {
			return nvml.Memory{}, answer
		}
		return nvml.Memory{Total: 40 * gib, Free: 20 * gib, Used: 20 * gib}, nvml.SUCCESS
	}
	g.GetNameFunc = func() (string, nvml.Return) { return "NVIDIA A100-SXM4-40GB", nvml.SUCCESS }
	g.GetCpuAffinityWithinScopeFunc = func(int, nvml.AffinityScope) ([]uint, nvml.Return) { return []uint{0xf0, 1}, nvml.SUCCESS }
	g.IsMigDeviceHandleFunc = func() (bool, nvml.Return) { return false, nvml.SUCCESS }
	g.GetUtilizationRatesFunc = func() (nvml.Utilization, nvml.Return) {
		return nvml.Utilization{Gpu: 87, Memory: 41}, nvml.SUCCESS
	}
	g.GetPowerUsageFunc = func() (uint32, nvml.Return) { return 312_500, nvml.SUCCESS }
	g.GetEnforcedPowerLimitFunc = func() (uint32, nvml.Return) { return 400_000, nvml.SUCCESS }
	g.GetTemperatureFunc = func(nvml.TemperatureSensors) (uint32, nvml.Return) { return 61, nvml.SUCCESS }
	g.GetClockInfoFunc = func(c nvml.ClockType) (uint32, nvml.Return) {
		if c == nvml.CLOCK_SM {
			return 1410, nvml.SUCCESS
		}
		return 1215, nvml.SUCCESS
	}
	g.GetTotalEccErrorsFunc = func(kind nvml.MemoryErrorType, _ nvml.EccCounterType) (uint64, nvml.Return) {
		if kind == nvml.MEMORY_ERROR_TYPE_CORRECTED {
			return 3, nvml.SUCCESS
		}
		return 0, nvml.ERROR_NOT_SUPPORTED
	}
	g.GetCurrentClocksEventReasonsFunc = func() (uint64, nvml.Return) { return 0, nvml.ERROR_FUNCTION_NOT_FOUND }
	g.GetCurrentClocksThrottleReasonsFunc = func() (uint64, nvml.Return) {
		return nvml.ClocksEventReasonSwPowerCap | nvml.ClocksEventReasonGpuIdle, nvml.SUCCESS
	}
	g.GetFieldValuesFunc = func(values []nvml.FieldValue) nvml.Return {
		g.mu.Lock()
		defer g.mu.Unlock()
		if !g.tells {
			values[0].NvmlReturn = uint32(nvml.ERROR_NOT_SUPPORTED)
			return nvml.SUCCESS
		}
		binary.NativeEndian.PutUint32(values[0].Value[:], uint32(g.recovery))
		return nvml.SUCCESS
	}
	g.GetSupportedEventTypesFunc = func() (uint64, nvml.Return) {
		return nvml.EventTypeXidCriticalError | nvml.EventTypeDoubleBitEccError | nvml.EventTypePState, nvml.SUCCESS
	}
	g.RegisterEventsFunc = func(types uint64, _ nvml.EventSet) nvml.Return {
		g.set(func() { g.registered = types })
		return nvml.SUCCESS
	}
}

// split puts a GPU in MIG mode with instances of 20 GiB and 10 GiB.
func (g *gpu) split(uuids ...string) {
	g.MigMode = nvml.DEVICE_MIG_ENABLE
	g.GetMaxMigDeviceCountFunc = func() (int, nvml.Return) { return 7, nvml.SUCCESS }
	for i, uuid := range uuids {
		g.instances = append(g.instances, &mock.Device{
			GetUUIDFunc:              func() (string, nvml.Return) { return uuid, nvml.SUCCESS },
			GetNameFunc:              func() (string, nvml.Return) { return "NVIDIA A100-SXM4-40GB MIG 3g.20gb", nvml.SUCCESS },
			GetGpuInstanceIdFunc:     func() (int, nvml.Return) { return i + 1, nvml.SUCCESS },
			GetComputeInstanceIdFunc: func() (int, nvml.Return) { return 0, nvml.SUCCESS },
			GetMemoryInfoFunc: func() (nvml.Memory, nvml.Return) {
				return nvml.Memory{Total: 20 * gib, Free: 19 * gib}, nvml.SUCCESS
			},
			IsMigDeviceHandleFunc:                  func() (bool, nvml.Return) { return true, nvml.SUCCESS },
			GetDeviceHandleFromMigDeviceHandleFunc: func() (nvml.Device, nvml.Return) { return g.Device, nvml.SUCCESS },
		})
	}
	// Instances have numbers with gaps.
	g.GetMigDeviceHandleByIndexFunc = func(i int) (nvml.Device, nvml.Return) {
		if i%2 == 1 && i/2 < len(g.instances) {
			return g.instances[i/2], nvml.SUCCESS
		}
		return nil, nvml.ERROR_NOT_FOUND
	}
}

// open returns the library of a script and what it discovers.
func (s *script) open(t *testing.T) (*Library, []Device) {
	t.Helper()
	l, err := Use(s)
	if err != nil {
		t.Fatal(err)
	}
	devices, err := l.discover(emptyFS)
	if err != nil {
		t.Fatal(err)
	}
	return l, devices
}
