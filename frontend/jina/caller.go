package jina

import (
	"strings"
	"time"

	"clipd/frontend/auth"
	"clipd/frontend/fault"
)

// Headers, over gRPC metadata, by which callers say what holds for all of their requests.
const (
	ModelHeader    = "clip-model"
	PriorityHeader = "clip-priority"
	TimeoutHeader  = "x-request-timeout"
	// EnvoyHeader is what Envoy, and Istio with it, tells a server of how long it will wait.
	EnvoyHeader = "x-envoy-expected-rq-timeout-ms"
)

// Caller is what a transport knows of who sent a request. The zero value is a caller who may do everything and wants
// nothing in particular.
type Caller struct {
	// Model is the model that a header of the transport names, or "".
	Model string
	// Priority is what a header asks for: "high", "normal" or "".
	Priority string
	// Timeout is the time that a header allows for each request, from Call.Since on; 0: no limit.
	Timeout time.Duration
	// MayUse returns nil when the caller may use an executor of one of these names; nil: everyone may.
	MayUse func(names ...string) error
	// High says whether a request goes first that asks for "high", "normal" or nothing; nil: as it asks.
	High func(asked string) (bool, error)
}

// NewCaller reads the headers of a call, a request or a handshake: header returns the value of a lower-case name, "" where
// there is none. A value that is wrong is a fault.Malformed, a priority that the key may not have a fault.Forbidden.
func NewCaller(key *auth.Key, header func(name string) string) (Caller, error) {
	c := Caller{Model: strings.TrimSpace(header(ModelHeader)), MayUse: key.MayUseAny, High: key.High}
	if v := header(PriorityHeader); v != "" {
		var ok bool
		if c.Priority, ok = parsePriority(v); !ok {
			return c, fault.New(fault.Malformed, "%s is %q; it must be \"high\" or \"normal\"", PriorityHeader, shorten(v, 80))
		}
		if _, err := c.high(""); err != nil {
			return c, err
		}
	}
	if err := c.allow(TimeoutHeader, header(TimeoutHeader), time.Second); err != nil {
		return c, err
	}
	return c, c.allow(EnvoyHeader, header(EnvoyHeader), time.Millisecond)
}

// allow reads the value of a header with a timeout, "" for none; the shortest of several holds.
func (c *Caller) allow(name, value string, unit time.Duration) error {
	if value == "" {
		return nil
	}
	d, ok := parseTimeout(value, unit)
	if !ok {
		return fault.New(fault.Malformed, "%s is %q; it must be %s", name, shorten(value, 80), timeoutForm(unit))
	}
	if c.Timeout == 0 || d < c.Timeout {
		c.Timeout = d
	}
	return nil
}

// high resolves the priority of a request: its own parameter, else the header, else what its key has.
func (c *Caller) high(parameter string) (bool, error) {
	asked := parameter
	if asked == "" {
		asked = c.Priority
	}
	if c.High == nil {
		return asked == "high", nil
	}
	return c.High(asked)
}

func parsePriority(text string) (priority string, ok bool) {
	priority = strings.ToLower(strings.TrimSpace(text))
	return priority, priority == "high" || priority == "normal"
}
