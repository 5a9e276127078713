package main

import (
	"fmt"
	"strings"
	"sync"

	"github.com/rs/zerolog"

	"clipd/engine"
	"clipd/flows"
	"clipd/frontend/metrics"
)

// health gathers what the models say of themselves and passes it on when the whole changes.
type health struct {
	log     zerolog.Logger
	names   []string         // of the executors, in the order of the flow
	metrics *metrics.Metrics // which the models tell what they do; nil: nobody asks

	mu   sync.Mutex
	why  []string            // why each of them does not answer; "" when it does
	tell func(reason string) // set once the server is ready; "" for a server whose models all answer
}

func newHealth(f *flows.Flow, m *metrics.Metrics, log zerolog.Logger) *health {
	h := &health{log: log, metrics: m, why: make([]string, len(f.Executors))}
	for _, x := range f.Executors {
		h.names = append(h.names, x.Name)
	}
	return h
}

// observer returns what counts the work of executor i; nil: nobody does.
func (h *health) observer(i int) engine.Observer { return h.metrics.Executor(h.names[i]).Observer() }

// report returns the callback of executor i.
func (h *health) report(i int) func(ok bool, reason string) {
	return func(ok bool, reason string) {
		h.mu.Lock()
		defer h.mu.Unlock()
		if ok {
			h.why[i] = ""
			h.log.Info().Str("executor", h.names[i]).Msg("the model answers again")
		} else {
			h.why[i] = fmt.Sprintf("executor %s: %s", h.names[i], reason)
			h.log.Error().Str("executor", h.names[i]).Str("reason", reason).Msg("the model does not answer")
		}
		if h.tell != nil {
			h.tell(h.reason())
		}
	}
}

// follow makes tell hear the state now and each change of it.
func (h *health) follow(tell func(reason string)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.tell = tell
	tell(h.reason())
}

func (h *health) reason() string {
	var all []string
	for _, why := range h.why {
		if why != "" {
			all = append(all, why)
		}
	}
	return strings.Join(all, "; ")
}
