package cuda

import (
	"fmt"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/NVIDIA/go-nvml/pkg/nvml"
	"github.com/NVIDIA/go-nvml/pkg/nvml/mock"
)

// diary notes what a monitor calls back, such as "lost 1: …".
type diary struct {
	mu    sync.Mutex
	lines []string
}

func (d *diary) note(line string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lines = append(d.lines, line)
}

// take returns what was noted since the last call, after everything has settled.
func (d *diary) take() string {
	synctest.Wait()
	d.mu.Lock()
	defer d.mu.Unlock()
	text := strings.Join(d.lines, "\n")
	d.lines = nil
	return text
}

func (d *diary) options() MonitorOptions {
	return MonitorOptions{
		OnLost:      func(g Device, reason string) { d.note(fmt.Sprintf("lost %s: %s", short([]Device{g}), reason)) },
		OnRecovered: func(g Device) { d.note("recovered " + short([]Device{g})) },
		OnXID:       func(g Device, x XID) { d.note(fmt.Sprintf("xid %s: %d %s", short([]Device{g}), x.Code, x.Severity)) },
		OnNote:      func(g Device, sentence string) { d.note(fmt.Sprintf("note %s: %s", short([]Device{g}), sentence)) },
	}
}

// watch runs a test with a monitor of n scripted GPUs in a bubble of fake time; prepare may change the script before it starts.
func watch(t *testing.T, n int, prepare func(*script), test func(s *script, m *Monitor, d *diary)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := newScript(t, n)
		if prepare != nil {
			prepare(s)
		}
		l, devices := s.open(t)
		d := &diary{}
		m := l.Watch(devices, d.options())
		synctest.Wait()
		test(s, m, d)
		if !m.Stop() {
			t.Error("a call into the driver has not come back")
		}
		if s.sets != 0 {
			t.Errorf("%d event sets were not freed", s.sets)
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
}

func expect(t *testing.T, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// state writes the states of all GPUs.
func state(m *Monitor) string {
	var words []string
	for _, g := range m.Snapshot().GPUs {
		words = append(words, g.State.String())
	}
	return strings.Join(words, " ")
}

// pass lets time go by, and all that is due happen.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func TestMonitorReads(t *testing.T) {
	watch(t, 2, nil, func(s *script, m *Monitor, d *diary) {
		began := time.Now()
		got := m.Snapshot().GPUs[1]
		want := Reading{At: began, Utilization: 87, MemoryUtilization: 41, MemoryTotal: 40 * gib, MemoryFree: 20 * gib, Power: 312_500, PowerLimit: 400_000,
			Temperature: 61, ClockSM: 1410, ClockMemory: 1215, Slowed: []string{"power limit"}, ECCCorrected: 3, ECCUncorrected: -1}
		if !reflect.DeepEqual(got.Reading, want) {
			t.Errorf("read %+v\nwant %+v", got.Reading, want)
		}
		if got.Polls != 1 || got.Failed != 0 || got.State != Well || !got.Events || got.Device.Index != 1 {
			t.Errorf("status %+v", got)
		}
		if types := s.gpus[0].registered; types != nvml.EventTypeXidCriticalError|nvml.EventTypeDoubleBitEccError {
			t.Errorf("registered for %#x", types)
		}
		before := m.Snapshot()
		pass(10 * defaultInterval)
		synctest.Wait()
		if got := m.Snapshot().GPUs[1].Polls; got != 11 {
			t.Errorf("%d polls in ten intervals", got)
		}
		if before.GPUs[1].Polls != 1 {
			t.Error("a published snapshot was changed")
		}
		expect(t, d.take(), "")
	})
}

func TestMonitorLost(t *testing.T) {
	watch(t, 3, nil, func(s *script, m *Monitor, d *diary) {
		s.gpus[1].set(func() { s.gpus[1].answer = nvml.ERROR_GPU_IS_LOST })
		pass(defaultInterval)
		expect(t, d.take(), "lost 1: the GPU has fallen off the bus or cannot be reached (GPU_IS_LOST); "+resetHelp)
		expect(t, state(m), "well lost well")
		pass(10 * defaultInterval)
		expect(t, d.take(), "") // it is told once
		if g := m.Snapshot().GPUs; g[0].Polls != 12 || g[1].Failed != 11 || g[1].TimesLost != 1 || g[1].Reading.MemoryFree != -1 {
			t.Errorf("GPU 0 was polled %d times, GPU 1 %+v", g[0].Polls, g[1])
		}

		s.gpus[1].set(func() { s.gpus[1].answer = nvml.SUCCESS })
		pass(defaultInterval)
		expect(t, d.take(), "") // one good answer may be a fluke
		pass(defaultInterval)
		expect(t, d.take(), "recovered 1")
		expect(t, state(m), "well well well")
		pass(2 * eventWait)
		synctest.Wait()
		if s.made != 2 {
			t.Errorf("%d event sets; after a recovery the events are registered anew", s.made)
		}
		s.xid(s.gpus[1], 31)
		expect(t, d.take(), "xid 1: 31 application")
	})
}

func TestMonitorOneFailureIsNone(t *testing.T) {
	watch(t, 1, nil, func(s *script, m *Monitor, d *diary) {
		g := s.gpus[0]
		g.set(func() { g.answer = nvml.ERROR_UNKNOWN })
		pass(defaultInterval)
		g.set(func() { g.answer = nvml.SUCCESS })
		pass(defaultInterval)
		expect(t, d.take(), "")
		g.set(func() { g.answer = nvml.ERROR_UNKNOWN })
		pass(2 * defaultInterval)
		expect(t, d.take(), "lost 0: the driver failed inside (UNKNOWN); "+resetHelp)
	})
}

func TestMonitorStuck(t *testing.T) {
	watch(t, 3, nil, func(s *script, m *Monitor, d *diary) {
		hang := make(chan struct{})
		g := s.gpus[2]
		g.set(func() { g.hang = hang })
		pass(defaultInterval + defaultLimit - 1)
		expect(t, d.take(), "")
		pass(1)
		expect(t, d.take(), "lost 2: the driver has not answered for 10s; "+resetHelp)
		expect(t, state(m), "well well stuck")
		pass(time.Hour)
		expect(t, d.take(), "")
		if got := m.Snapshot().GPUs; got[2].Polls != 1 || got[0].Polls < 700 { // one hangs, and no other was begun
			t.Errorf("polls %d of the stuck GPU, %d of another", got[2].Polls, got[0].Polls)
		}
		g.set(func() { g.hang = nil })
		close(hang)
		pass(defaultInterval)
		expect(t, d.take(), "recovered 2")
	})
}

// NVML may hold up all polls while one GPU is stuck; those that answer batches are no less well.
func TestMonitorWorkedIsASign(t *testing.T) {
	watch(t, 2, nil, func(s *script, m *Monitor, d *diary) {
		hang := make(chan struct{})
		for _, g := range s.gpus {
			g.set(func() { g.hang = hang })
		}
		for range 60 {
			pass(time.Second)
			m.Worked(s.gpus[0].UUID)
		}
		expect(t, d.take(), "lost 1: the driver has not answered for 10s; "+resetHelp)
		pass(defaultLimit)
		expect(t, d.take(), "lost 0: the driver has not answered for 10s; "+resetHelp) // nor any batch
		for _, g := range s.gpus {
			g.set(func() { g.hang = nil })
		}
		close(hang)
		synctest.Wait()
	})
}

func TestMonitorStopsWhileACallHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript(t, 1)
		l, devices := s.open(t)
		hang := make(chan struct{})
		s.gpus[0].hang = hang
		d := &diary{}
		m := l.Watch(devices, d.options())
		pass(time.Second)
		if began := time.Now(); m.Stop() || time.Since(began) != defaultLimit {
			t.Errorf("stopped after %v", time.Since(began))
		}
		close(hang)
		if !m.Stop() {
			t.Error("the call has come back")
		}
		expect(t, d.take(), "")
	})
}

func TestMonitorXIDs(t *testing.T) {
	watch(t, 2, nil, func(s *script, m *Monitor, d *diary) {
		for _, code := range []uint64{31, 43, 94, 63, 31, 9999} {
			s.xid(s.gpus[0], code)
		}
		expect(t, d.take(), "xid 0: 31 application\nxid 0: 43 application\nxid 0: 94 application\nxid 0: 63 warning\n"+
			"xid 0: 31 application\nxid 0: 9999 warning")
		got := m.Snapshot().GPUs[0]
		if want := map[uint64]uint64{31: 2, 43: 1, 94: 1, 63: 1, 9999: 1}; !reflect.DeepEqual(got.XIDs, want) || got.State != Well ||
			got.LastXID != LookUpXID(9999).String() {
			t.Errorf("XIDs %v, last %q, %s", got.XIDs, got.LastXID, got.State)
		}
		s.xid(s.gpus[1], 79)
		expect(t, d.take(), "xid 1: 79 fatal\nlost 1: XID 79: the GPU has fallen off the bus; "+rebootHelp)
		expect(t, state(m), "well lost")
		s.xid(s.gpus[1], 79)
		expect(t, d.take(), "xid 1: 79 fatal")
		if got := m.Snapshot().GPUs[1]; got.TimesLost != 1 || got.XIDs[79] != 2 {
			t.Errorf("status %+v", got)
		}
	})
}

// With an older driver a GPU that answers after a fatal XID may be of no use, until it was away: reset.
func TestMonitorFatalStays(t *testing.T) {
	watch(t, 1, nil, func(s *script, m *Monitor, d *diary) {
		g := s.gpus[0]
		s.xid(g, 119)
		pass(time.Hour)
		expect(t, d.take(), "xid 0: 119 fatal\nlost 0: "+LookUpXID(119).String())
		g.set(func() { g.answer = nvml.ERROR_RESET_REQUIRED })
		pass(defaultInterval)
		g.set(func() { g.answer = nvml.SUCCESS })
		pass(2 * defaultInterval)
		expect(t, d.take(), "recovered 0")
	})
}

// A newer driver says what is needed.
func TestMonitorRecoveryAction(t *testing.T) {
	tells := func(s *script) { s.gpus[0].tells = true }
	watch(t, 1, tells, func(s *script, m *Monitor, d *diary) {
		g := s.gpus[0]
		s.xid(g, 109) // fatal by the catalog, but this driver needs nothing
		pass(2 * defaultInterval)
		expect(t, d.take(), "xid 0: 109 fatal\nlost 0: "+LookUpXID(109).String()+"\nrecovered 0")

		g.set(func() { g.recovery = nvml.GPU_RECOVERY_ACTION_GPU_RESET })
		s.xid(g, 154) // the GPU is asked at once
		expect(t, d.take(), "xid 0: 154 warning\nlost 0: the driver asks for a reset of the GPU; "+resetHelp)
		if got := m.Snapshot().GPUs[0].Reading.Recovery; got != "reset" {
			t.Errorf("recovery %q", got)
		}
		pass(time.Minute)
		g.set(func() { g.recovery = nvml.GPU_RECOVERY_ACTION_NODE_REBOOT })
		pass(time.Minute)
		expect(t, d.take(), "")
		expect(t, m.Snapshot().GPUs[0].Reason, "the driver asks for a restart of the machine") // the newest reason is kept
		g.set(func() { g.recovery = nvml.GPU_RECOVERY_ACTION_NONE })
		pass(2 * defaultInterval)
		expect(t, d.take(), "recovered 0")
		g.set(func() { g.recovery = nvml.GPU_RECOVERY_ACTION_DRAIN_P2P }) // links to other GPUs do not matter
		pass(2 * defaultInterval)
		expect(t, d.take(), "")
	})
}

// Another event than an XID, and a broken wait, have the GPUs asked before their time.
func TestMonitorPollsOnEvents(t *testing.T) {
	watch(t, 2, nil, func(s *script, m *Monitor, d *diary) {
		polls := func() []uint64 {
			synctest.Wait()
			g := m.Snapshot().GPUs
			return []uint64{g[0].Polls, g[1].Polls}
		}
		s.events <- nvml.EventData{Device: s.gpus[1].Device, EventType: nvml.EventTypeDoubleBitEccError, GpuInstanceId: anyInstance,
			ComputeInstanceId: anyInstance}
		if got := polls(); !slices.Equal(got, []uint64{1, 2}) {
			t.Errorf("polls %v after an event of GPU 1", got)
		}
		s.gpus[0].set(func() { s.gpus[0].answer = nvml.ERROR_GPU_IS_LOST })
		s.set(func() { s.waitFails = nvml.ERROR_GPU_IS_LOST })
		pass(eventWait)
		expect(t, d.take(), "lost 0: the GPU has fallen off the bus or cannot be reached (GPU_IS_LOST); "+resetHelp)
		pass(time.Minute)
		if got := polls(); got[1] > 30 { // a wait that fails at once is no busy loop
			t.Errorf("polls %v in a minute", got)
		}
	})
}

// An event whose GPU cannot be told apart is nobody's, and everybody is asked.
func TestMonitorEventOfUnknownGPU(t *testing.T) {
	watch(t, 1, nil, func(s *script, m *Monitor, d *diary) {
		stranger := &mock.Device{GetUUIDFunc: func() (string, nvml.Return) { return "", nvml.ERROR_GPU_IS_LOST }}
		s.events <- nvml.EventData{Device: stranger, EventType: nvml.EventTypeXidCriticalError, EventData: 79}
		expect(t, d.take(), "")
		if got := m.Snapshot().GPUs[0]; got.Polls != 2 || got.State != Well {
			t.Errorf("status %+v", got)
		}
	})
}

func TestMonitorWithoutEvents(t *testing.T) {
	none := func(s *script) {
		s.EventSetCreateFunc = func() (nvml.EventSet, nvml.Return) { return nil, nvml.ERROR_NOT_SUPPORTED }
	}
	watch(t, 1, none, func(s *script, m *Monitor, d *diary) {
		expect(t, d.take(), "note 0: the driver reports no errors (XID): the GPU does not support this call (NOT_SUPPORTED)")
		if m.Snapshot().GPUs[0].Events {
			t.Error("it reports events")
		}
	})
	one := func(s *script) {
		s.gpus[1].GetSupportedEventTypesFunc = func() (uint64, nvml.Return) { return nvml.EventTypePState, nvml.SUCCESS }
	}
	watch(t, 2, one, func(s *script, m *Monitor, d *diary) {
		expect(t, d.take(), "note 1: the GPU reports no errors (XID); only its answers tell whether it works: "+
			"the GPU does not support this call (NOT_SUPPORTED)")
		s.xid(s.gpus[0], 13)
		expect(t, d.take(), "xid 0: 13 application")
		s.gpus[1].set(func() { s.gpus[1].answer = nvml.ERROR_GPU_IS_LOST })
		pass(defaultInterval)
		s.gpus[1].set(func() { s.gpus[1].answer = nvml.SUCCESS })
		pass(3 * defaultInterval)
		expect(t, d.take(), "lost 1: the GPU has fallen off the bus or cannot be reached (GPU_IS_LOST); "+resetHelp+"\nrecovered 1") // noted once
	})
}

func TestMonitorMIG(t *testing.T) {
	split := func(s *script) { s.gpus[0].split("MIG-a", "MIG-b") }
	watch(t, 2, split, func(s *script, m *Monitor, d *diary) { // 0, 0.1, 0.3, 1
		got := m.Snapshot().GPUs[1]
		if r := got.Reading; r.MemoryFree != 19*gib || r.Power != 312_500 || r.Utilization != -1 {
			t.Errorf("reading of an instance %+v", r)
		}
		s.events <- nvml.EventData{Device: s.gpus[0].Device, EventType: nvml.EventTypeXidCriticalError, EventData: 13, GpuInstanceId: 2, ComputeInstanceId: 0}
		expect(t, d.take(), "xid 0: 13 application\nxid 0.3: 13 application")
		s.xid(s.gpus[0], 79)
		lost := "79: the GPU has fallen off the bus; " + rebootHelp
		expect(t, d.take(), "xid 0: 79 fatal\nlost 0: XID "+lost+"\nxid 0.1: 79 fatal\nlost 0.1: XID "+lost+"\nxid 0.3: 79 fatal\nlost 0.3: XID "+lost)
		expect(t, state(m), "lost lost lost well")
	})
}

// A slow callback holds up nothing but the callbacks after it.
func TestMonitorSlowCallback(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript(t, 1)
		l, devices := s.open(t)
		d := &diary{}
		o := d.options()
		o.Interval = time.Second
		o.OnLost = func(Device, string) { time.Sleep(time.Minute); d.note("lost") }
		m := l.Watch(append(devices, devices...), o) // a device that is given twice is watched once
		pass(time.Second / 2)
		s.gpus[0].set(func() { s.gpus[0].answer = nvml.ERROR_GPU_IS_LOST })
		pass(time.Second)
		s.gpus[0].set(func() { s.gpus[0].answer = nvml.SUCCESS })
		pass(10 * time.Second)
		synctest.Wait()
		if got := m.Snapshot().GPUs; len(got) != 1 || got[0].State != Well || got[0].Polls != 12 {
			t.Errorf("status %+v", got)
		}
		expect(t, d.take(), "")
		pass(time.Minute)
		expect(t, d.take(), "lost\nrecovered 0")
		if !m.Stop() {
			t.Error("a call hangs")
		}
	})
}

func TestXIDTable(t *testing.T) {
	for code := range xids {
		x := LookUpXID(code)
		if x.Code != code || x.Meaning == "" || strings.HasSuffix(x.Meaning, ".") || (x.Severity == Fatal) != (x.Help == resetHelp || x.Help == rebootHelp) {
			t.Errorf("%+v", x)
		}
	}
	documented(t)
	expect(t, LookUpXID(31).String(), "XID 31: a kernel touched memory that is not mapped (page fault)")
	expect(t, LookUpXID(48).String(), "XID 48: the memory has an error of two bits, which ECC cannot correct; "+resetHelp)
	expect(t, LookUpXID(7).String(), "XID 7: an error that clipd does not know; look it up at docs.nvidia.com/deploy/xid-errors")
}

// documented holds the table of docs/gpu.md against xids.
func documented(t *testing.T) {
	t.Helper()
	page, err := os.ReadFile("../docs/gpu.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, found := strings.Cut(string(page), "| XID | means |")
	if !found {
		t.Fatal("docs/gpu.md has no table of XIDs")
	}
	codes := map[uint64]Severity{}
	for line := range strings.Lines(table) {
		columns := strings.Split(line, "|")
		if len(columns) < 4 {
			continue
		}
		severity := Warning
		switch what := columns[3]; {
		case strings.Contains(what, "the GPU is lost"):
			severity = Fatal
		case strings.Contains(what, "the GPU is well"):
			severity = Application
		}
		for word := range strings.SplitSeq(columns[1], ",") {
			first, last, isRange := strings.Cut(strings.TrimSpace(word), "–")
			from, err := strconv.ParseUint(first, 10, 64)
			if err != nil { // a word
				continue
			}
			to := from
			if isRange {
				to, _ = strconv.ParseUint(last, 10, 64)
			}
			for code := from; code <= to; code++ {
				codes[code] = severity
			}
		}
	}
	for code, x := range xids {
		if severity, ok := codes[code]; !ok || severity != x.Severity {
			t.Errorf("XID %d is %s; docs/gpu.md has it: %v, as %s", code, x.Severity, ok, severity)
		}
		delete(codes, code)
	}
	if len(codes) > 0 {
		t.Errorf("docs/gpu.md lists XIDs that the table lacks: %v", codes)
	}
}
