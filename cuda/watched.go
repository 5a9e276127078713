package cuda

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/NVIDIA/go-nvml/pkg/nvml"
)

// watched is a GPU under watch. Only the monitor's loop touches it, save worked.
type watched struct {
	Device
	status GPUStatus
	handle nvml.Device  // nil where it must be looked up
	began  time.Time    // of the poll under way; zero: none is
	due    time.Time    // of the next poll
	fails  int          // polls in a row
	good   int          // polls in a row
	fatal  *XID         // that ended its use; nil again once the GPU was away, or the driver says that nothing is needed
	noted  string       // the last note on it
	worked atomic.Int64 // when a batch was last answered, Unix nanoseconds
}

// lastSign returns when a GPU with a poll under way last showed that it works.
func (g *watched) lastSign() time.Time {
	if worked := time.Unix(0, g.worked.Load()); worked.After(g.began) {
		return worked
	}
	return g.began
}

// take draws the conclusions from a poll and returns the callbacks that follow.
func (m *Monitor) take(r polled) []func() {
	g := r.gpu
	g.began = time.Time{}
	g.status.Polls++
	g.status.Reading = r.reading
	if r.ret != nvml.SUCCESS {
		g.status.Failed++
		g.handle, g.good = nil, 0
		if g.fails++; gone(r.ret) || g.fails >= failsLost {
			g.fatal = nil // when it answers again, it was reset
			return m.lose(g, Lost, describe(r.ret)+"; "+resetHelp)
		}
		return nil
	}
	g.handle, g.fails = r.handle, 0
	if asked := r.reading.Recovery; asked == "reset" || asked == "reboot" {
		g.good = 0
		if asked == "reboot" {
			return m.lose(g, Lost, "the driver asks for a restart of the machine")
		}
		return m.lose(g, Lost, "the driver asks for a reset of the GPU; "+resetHelp)
	}
	if g.good++; g.good < goodRecovered || g.status.State == Well {
		return nil
	}
	if g.fatal != nil && r.reading.Recovery != "none" {
		return nil // a GPU may answer after an error that leaves it no use; an older driver does not tell
	}
	return m.recover(g)
}

// checkStuck finds the polls that take too long.
func (m *Monitor) checkStuck(now time.Time) []func() {
	var calls []func()
	for _, g := range m.gpus {
		if g.began.IsZero() || g.status.State != Well || now.Before(g.lastSign().Add(m.opts.Limit)) {
			continue
		}
		g.good = 0
		calls = append(calls, m.lose(g, Stuck, fmt.Sprintf("the driver has not answered for %v; %s", m.opts.Limit, resetHelp))...)
	}
	return calls
}

// report draws the conclusions from an event and returns the callbacks that follow.
func (m *Monitor) report(e event) []func() {
	now := time.Now()
	var calls []func()
	for _, g := range m.gpus {
		if !e.concerns(g.Device) {
			continue
		}
		if e.registered {
			g.status.Events = e.note == ""
			if d := g.Device; e.note != g.noted && e.note != "" && m.opts.OnNote != nil {
				g.noted = e.note
				calls = append(calls, func() { m.opts.OnNote(d, e.note) })
			}
			continue
		}
		g.due = now // what it means for the GPU is asked at once
		if e.xid == nil {
			continue
		}
		x := *e.xid
		g.status.XIDs[x.Code]++
		g.status.LastXID = x.String()
		if d := g.Device; m.opts.OnXID != nil {
			calls = append(calls, func() { m.opts.OnXID(d, x) })
		}
		if x.Severity == Fatal {
			g.fatal, g.good = &x, 0
			calls = append(calls, m.lose(g, Lost, x.String())...)
		}
	}
	return calls
}

// lose notes that a GPU can be given no work. Only the first reason is told; the newest is kept.
func (m *Monitor) lose(g *watched, state State, reason string) []func() {
	was := g.status.State
	g.status.State, g.status.Reason = state, reason
	if was != Well {
		return nil
	}
	g.status.Since = time.Now()
	g.status.TimesLost++
	if m.opts.OnLost == nil {
		return nil
	}
	d := g.Device
	return []func(){func() { m.opts.OnLost(d, reason) }}
}

// recover notes that a GPU can be given work again.
func (m *Monitor) recover(g *watched) []func() {
	g.status.State, g.status.Reason, g.status.Since, g.fatal = Well, "", time.Now(), nil
	select {
	case m.renew <- struct{}{}: // after a reset its events come no more
	default:
	}
	if m.opts.OnRecovered == nil {
		return nil
	}
	d := g.Device
	return []func(){func() { m.opts.OnRecovered(d) }}
}
