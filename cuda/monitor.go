package cuda

import (
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/NVIDIA/go-nvml/pkg/nvml"
)

// MonitorOptions say how GPUs are watched. Zero fields mean the default. The callbacks are called one at a time, in the order of what
// happened; a slow one delays the next call but not the watching.
type MonitorOptions struct {
	Interval    time.Duration                   // between the polls of a GPU; 5 s
	Limit       time.Duration                   // after which a poll that has not come back makes its GPU stuck; 10 s
	OnLost      func(d Device, reason string)   // the GPU can be given no work; a sentence says why and what would help
	OnRecovered func(d Device)                  // it can again; what was on it is gone
	OnXID       func(d Device, x XID)           // the driver reported an error, of whatever severity
	OnNote      func(d Device, sentence string) // worth a line in the log, such as a GPU that reports no errors
}

const (
	defaultInterval = 5 * time.Second
	defaultLimit    = 10 * time.Second
	// failsLost is how many polls in a row must fail for a GPU to be lost, where the status does not say that it is.
	failsLost = 2
	// goodRecovered is how many polls in a row must go well for a GPU to be given work again.
	goodRecovered = 2
)

// Monitor watches GPUs: it polls each, waits for the error reports (XID) of the driver, and says when one is lost and when it is
// back. A call that hangs in the driver delays nothing but what is known of its GPU.
type Monitor struct {
	lib      nvml.Interface
	opts     MonitorOptions
	gpus     []*watched
	snapshot atomic.Pointer[Snapshot]

	results chan polled
	events  chan event
	stop    chan struct{}
	once    sync.Once
	done    chan struct{} // the loop and the callbacks have ended
	renew   chan struct{} // asks for a new set of events
	calls   sync.WaitGroup
}

// polled is the outcome of one poll.
type polled struct {
	gpu     *watched
	handle  nvml.Device
	reading Reading
	ret     nvml.Return
}

// Watch starts watching the given devices of the machine. Stop ends it.
func (l *Library) Watch(devices []Device, o MonitorOptions) *Monitor {
	if o.Interval <= 0 {
		o.Interval = defaultInterval
	}
	if o.Limit <= 0 {
		o.Limit = defaultLimit
	}
	m := &Monitor{lib: l.nvml, opts: o, results: make(chan polled), events: make(chan event), stop: make(chan struct{}),
		done: make(chan struct{}), renew: make(chan struct{}, 1)}
	now := time.Now()
	for _, d := range devices {
		if slices.ContainsFunc(m.gpus, func(g *watched) bool { return g.UUID == d.UUID }) {
			continue
		}
		status := GPUStatus{Device: d, Since: now, Reading: unread(), XIDs: map[uint64]uint64{}}
		m.gpus = append(m.gpus, &watched{Device: d, status: status, due: now})
	}
	m.publish(now)
	m.calls.Go(m.listen)
	go m.run()
	return m
}

// Snapshot returns what is known, without waiting.
func (m *Monitor) Snapshot() *Snapshot { return m.snapshot.Load() }

// Worked notes that a batch on the GPU was answered. A poll that hangs does not make the GPU stuck while batches go through: NVML
// holds locks over all GPUs, so that one stuck GPU can hold up the polls of others. It may be called from any goroutine.
func (m *Monitor) Worked(uuid string) {
	for _, g := range m.gpus {
		if g.UUID == uuid {
			g.worked.Store(time.Now().UnixNano())
		}
	}
}

// Stop ends the watching; no callback is under way when it returns, and none follows, so none may call it. It reports whether every
// call into the driver has come back: where one hangs, NVML must not be closed.
func (m *Monitor) Stop() bool {
	m.once.Do(func() { close(m.stop) })
	<-m.done
	idle := make(chan struct{})
	go func() {
		m.calls.Wait()
		close(idle)
	}()
	select {
	case <-idle:
		return true
	case <-time.After(m.opts.Limit):
		return false
	}
}

// run is the one goroutine that knows the state of the GPUs.
func (m *Monitor) run() {
	queue := make(chan func())
	called := make(chan struct{})
	go func() {
		defer close(called)
		for call := range queue {
			call()
		}
	}()
	defer close(m.done)
	defer func() { <-called }()
	defer close(queue)

	var waiting []func() // callbacks to make
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		var next chan func()
		var call func()
		if len(waiting) > 0 {
			next, call = queue, waiting[0]
		}
		select {
		case <-m.stop:
			return
		case next <- call:
			waiting = waiting[1:]
			continue
		case r := <-m.results:
			waiting = append(waiting, m.take(r)...)
		case e := <-m.events:
			waiting = append(waiting, m.report(e)...)
		case <-timer.C:
		}
		now := time.Now()
		waiting = append(waiting, m.checkStuck(now)...)
		m.startPolls(now)
		m.publish(now)
		timer.Reset(time.Until(m.nextDue(now)))
	}
}

// startPolls begins the polls that are due, each in a goroutine of its own, since it may hang.
func (m *Monitor) startPolls(now time.Time) {
	for _, g := range m.gpus {
		if !g.began.IsZero() || now.Before(g.due) {
			continue
		}
		g.began, g.due = now, now.Add(m.opts.Interval)
		handle := g.handle
		m.calls.Go(func() {
			r := polled{gpu: g, handle: handle, reading: unread(), ret: nvml.SUCCESS}
			if r.handle == nil { // also after it was away: a GPU that was reset has another handle
				r.handle, r.ret = m.lib.DeviceGetHandleByUUID(g.UUID)
			}
			if r.ret == nvml.SUCCESS {
				r.reading, r.ret = readGPU(r.handle)
			}
			r.reading.At = time.Now()
			select {
			case m.results <- r:
			case <-m.stop:
			}
		})
	}
}

// nextDue returns when there is something to do: a poll to begin or one that takes too long.
func (m *Monitor) nextDue(now time.Time) time.Time {
	next := now.Add(m.opts.Interval)
	for _, g := range m.gpus {
		at := g.due
		if !g.began.IsZero() {
			if g.status.State != Well { // its result will wake the loop
				continue
			}
			at = g.lastSign().Add(m.opts.Limit)
		}
		if at.Before(next) {
			next = at
		}
	}
	return next
}

// publish makes a snapshot that shares nothing with what the loop changes.
func (m *Monitor) publish(now time.Time) {
	s := &Snapshot{At: now, GPUs: make([]GPUStatus, len(m.gpus))}
	for i, g := range m.gpus {
		s.GPUs[i] = g.status
		s.GPUs[i].XIDs = maps.Clone(g.status.XIDs)
	}
	m.snapshot.Store(s)
}
