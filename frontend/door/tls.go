package door

import (
	"crypto/tls"
	"slices"
	"sync/atomic"
)

// protocols are those of the door, by their names in ALPN, the preferred one first. HTTP/2 is for gRPC alone here, and
// gRPC's clients offer nothing else; browsers, curl and others that offer both want HTTP, which is spoken as 1.1.
func (o Options) protocols() []string {
	var names []string
	if o.HTTP {
		names = append(names, "http/1.1")
	}
	if o.GRPC {
		names = append(names, "h2")
	}
	return names
}

// offer returns a configuration that offers just these protocols, also where it is chosen anew for each handshake.
// Session tickets stay those of the returned configuration.
func offer(c *tls.Config, protocols []string) *tls.Config {
	c = c.Clone()
	c.NextProtos = protocols
	choose := c.GetConfigForClient
	if choose == nil {
		return c
	}
	type changed struct{ from, to *tls.Config }
	var last atomic.Pointer[changed] // a configuration is mostly the same one for long
	c.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		chosen, err := choose(hello)
		if err != nil || chosen == nil || slices.Equal(chosen.NextProtos, protocols) {
			return chosen, err
		}
		if l := last.Load(); l != nil && l.from == chosen {
			return l.to, nil
		}
		to := chosen.Clone()
		to.NextProtos = protocols
		last.Store(&changed{chosen, to})
		return to, nil
	}
	return c
}
