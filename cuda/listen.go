package cuda

import (
	"time"

	"github.com/NVIDIA/go-nvml/pkg/nvml"
)

// eventWait is how long one wait for events takes, and so about how long the monitor takes to stop.
const eventWait = time.Second

// event is something that the driver reported of a GPU, or that it will report.
type event struct {
	uuid       string    // of the whole GPU; "": all
	instance   [2]uint32 // of a split GPU: the GPU instance and the compute instance; anyInstance: all
	xid        *XID      // nil: anything else that makes a poll worth while
	registered bool      // it was asked to report; note says why it will not
	note       string
}

// anyInstance is NVML's number for an event that is not about an instance.
const anyInstance = ^uint32(0)

// concerns reports whether the event is about a device.
func (e event) concerns(d Device) bool {
	if e.uuid == "" {
		return true
	}
	if d.MIG == nil {
		return d.UUID == e.uuid
	}
	matches := func(number uint32, id int) bool { return number == anyInstance || int(number) == id }
	return d.MIG.ParentUUID == e.uuid && matches(e.instance[0], d.MIG.GPUInstance) && matches(e.instance[1], d.MIG.ComputeInstance)
}

// tell hands an event to the loop; false: the monitor stops.
func (m *Monitor) tell(e event) bool {
	select {
	case m.events <- e:
		return true
	case <-m.stop:
		return false
	}
}

// listen waits for what the driver reports until the monitor stops. After a GPU was away it registers all anew.
func (m *Monitor) listen() {
	for {
		set, ret := m.lib.EventSetCreate()
		if ret != nvml.SUCCESS {
			m.tell(event{registered: true, note: "the driver reports no errors (XID): " + describe(ret)})
			return
		}
		handles := m.register(set)
		for again := len(handles) > 0; again; {
			again = m.wait(set, handles)
		}
		set.Free()
		select {
		case <-m.stop:
			return
		case <-m.renew:
		}
	}
}

// register asks the driver to report the errors of each GPU and returns the UUIDs of those that will, by handle; none when the
// monitor stops.
func (m *Monitor) register(set nvml.EventSet) map[nvml.Device]string {
	known, handles := map[string]bool{}, map[nvml.Device]string{}
	for _, g := range m.gpus {
		uuid := g.UUID
		if g.MIG != nil {
			uuid = g.MIG.ParentUUID
		}
		if known[uuid] {
			continue
		}
		known[uuid] = true
		e := event{uuid: uuid, instance: [2]uint32{anyInstance, anyInstance}, registered: true}
		if handle, ret := registerGPU(m.lib, uuid, set); ret != nvml.SUCCESS {
			e.note = "the GPU reports no errors (XID); only its answers tell whether it works: " + describe(ret)
		} else {
			handles[handle] = uuid
		}
		if !m.tell(e) {
			return nil
		}
	}
	return handles
}

// wanted are the events that say something about whether a GPU works.
const wanted = nvml.EventTypeXidCriticalError | nvml.EventTypeDoubleBitEccError | nvml.EventTypeGpuUnavailableError |
	nvml.EventTypeGpuRecoveryAction

func registerGPU(lib nvml.Interface, uuid string, set nvml.EventSet) (nvml.Device, nvml.Return) {
	handle, ret := lib.DeviceGetHandleByUUID(uuid)
	if ret != nvml.SUCCESS {
		return nil, ret
	}
	supported, ret := handle.GetSupportedEventTypes()
	if ret != nvml.SUCCESS {
		return nil, ret
	}
	if supported&nvml.EventTypeXidCriticalError == 0 {
		return nil, nvml.ERROR_NOT_SUPPORTED
	}
	return handle, handle.RegisterEvents(wanted&supported, set)
}

// wait waits once, up to eventWait. The result is false when the monitor stops or the set must be made anew.
func (m *Monitor) wait(set nvml.EventSet, handles map[nvml.Device]string) bool {
	select {
	case <-m.stop:
		return false
	default:
	}
	if len(m.renew) > 0 { // listen takes it
		return false
	}
	data, ret := set.Wait(uint32(eventWait.Milliseconds()))
	switch ret {
	case nvml.ERROR_TIMEOUT:
		return true
	case nvml.SUCCESS:
		e := event{uuid: handles[data.Device], instance: [2]uint32{data.GpuInstanceId, data.ComputeInstanceId}}
		if e.uuid == "" && data.Device != nil {
			e.uuid, _ = data.Device.GetUUID() // "" where it fails: then all are polled, which says which one it is
		}
		if data.EventType == nvml.EventTypeXidCriticalError && e.uuid != "" {
			x := LookUpXID(data.EventData)
			e.xid = &x
		}
		return m.tell(e)
	}
	// GPU_IS_LOST: one of them, NVML does not say which. Other failures go on as long as their cause does.
	if !m.tell(event{}) {
		return false
	}
	select {
	case <-time.After(m.opts.Interval):
		return true
	case <-m.stop:
		return false
	}
}
