package flows

import (
	"strings"
)

// gateway reads the settings of the server from with: and gateway:, the second of which is stronger.
func (r *reader) gateway(o *outline) Gateway {
	var g Gateway
	gatewaySection.setDefaults(&g)
	at := map[string]*value{}
	r.dialects(&g, o, at)
	if o.with != nil {
		// What only executors take is read with each of them.
		r.found(at, readSection(r, &gatewaySection, o.with, &g, func(key string) bool {
			e, own := executorSection.find(key), gatewaySection.find(key)
			return e != nil && e.inherited && (own == nil || own.ignored != "")
		}))
	}
	if o.gateway != nil {
		again := gatewaySection
		again.name = "gateway"
		r.found(at, readSection(r, &again, o.gateway, &g, nil))
	}
	r.checkGateway(&g, at)
	if g.AllowURIs.Any() && g.AllowURIs.MaxBytes == 0 {
		g.AllowURIs.MaxBytes = g.Limits.MaxImageBytes
	}
	return g
}

// found notes in at where keys have their values; those of limits as limits.max_pixels.
func (r *reader) found(at, values map[string]*value) {
	for key, v := range values {
		if v.kind == null {
			if key == "auth" {
				r.fail(v, "auth stands without a value, so it is not clear who may call; write {keys_file: keys.txt}, or remove it and everyone may call")
			}
			continue
		}
		at[key] = v
		if key == "limits" {
			for _, e := range v.entries {
				if e.value.kind != null {
					at["limits."+e.key] = e.value
				}
			}
		}
	}
}

// dialects reads uvicorn_kwargs and grpc_server_options, of gateway: where both places have them. It comes before the keys
// of the flow, so that those win.
func (r *reader) dialects(g *Gateway, o *outline, at map[string]*value) {
	settings := func(key string) *value {
		for _, place := range []*value{o.gateway, o.with} {
			if place == nil || place.kind != object {
				continue
			}
			if v := place.at(key); v != nil && v.kind == object {
				return v
			}
		}
		return nil
	}
	if v := settings("grpc_server_options"); v != nil {
		readSection(r, &grpcSection, v, g, nil)
	}
	v := settings("uvicorn_kwargs")
	if v == nil {
		return
	}
	found := readSection(r, &uvicornSection, v, g, nil)
	for key, v := range found {
		if v.kind == null {
			continue
		}
		switch {
		case key == "ssl_cert_reqs":
			at["ssl_client_auth"] = v
		case strings.HasPrefix(key, "ssl_"):
			at[key] = v
		}
	}
}

// checkGateway refuses settings that contradict each other.
func (r *reader) checkGateway(g *Gateway, at map[string]*value) {
	if len(g.Ports) > 1 && len(g.Ports) != len(g.Protocols) {
		names := make([]string, len(g.Protocols))
		for i, p := range g.Protocols {
			names[i] = string(p)
		}
		r.fail(at["port"], "port lists %d ports, but the protocols are %d (%s); give one port for all of them or one for each",
			len(g.Ports), len(names), strings.Join(names, ", "))
	}
	if g.Monitoring && g.PortMonitoring != 0 {
		for _, p := range g.Ports {
			if p == g.PortMonitoring {
				place := at["port_monitoring"]
				if place == nil {
					place = at["port"]
				}
				r.fail(place, "port %d is both port and port_monitoring", p)
			}
		}
	}
	r.checkTLS(g, at)
	r.checkLimits(&g.Limits, at)
}
