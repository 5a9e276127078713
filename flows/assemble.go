package flows

import "sort"

// flow reads the whole file.
func (r *reader) flow(root *value) *Flow {
	if root.tag != "" && root.tag != "Flow" {
		r.fail(root, "the tag of a flow file is !Flow, not !%s", shorten(root.tag))
	}
	var o outline
	found := readSection(r, &flowSection, root, &o, r.shelf(root))
	f := &Flow{Source: r.source, Gateway: r.gateway(&o)}
	if o.executors == nil {
		place := root
		if v := found["executors"]; v != nil {
			place = v
		}
		r.fail(place, "the flow has no executors, so there is nothing to serve; write executors: with a dash, a name and uses for each model")
	}
	f.Executors = r.executors(&o)
	sort.SliceStable(r.notices, func(i, j int) bool {
		a, b := r.notices[i], r.notices[j]
		return a.Source == b.Source && a.Line < b.Line
	})
	f.Notices = r.notices
	return f
}

// gateway reads the settings of the server from with: and gateway:, the second of which is stronger.
func (r *reader) gateway(o *outline) Gateway {
	var g Gateway
	gatewaySection.setDefaults(&g)
	at := map[string]*value{}
	note := func(found map[string]*value) {
		for key, v := range found {
			if v.kind != null {
				at[key] = v
			}
		}
	}
	if o.with != nil {
		// What only executors take is read with each of them.
		note(readSection(r, &gatewaySection, o.with, &g, func(key string) bool {
			e, own := executorSection.find(key), gatewaySection.find(key)
			return e != nil && e.inherited && (own == nil || own.ignored != "")
		}))
	}
	if o.gateway != nil {
		again := gatewaySection
		again.name = "gateway"
		note(readSection(r, &again, o.gateway, &g, nil))
	}
	r.checkGateway(&g, at)
	return g
}

// checkGateway refuses settings that contradict each other.
func (r *reader) checkGateway(g *Gateway, at map[string]*value) {
	if len(g.Ports) > 1 && len(g.Ports) != len(g.Protocols) {
		r.fail(at["port"], "port lists %d ports and protocol %d of its own; give one port for all protocols or one for each",
			len(g.Ports), len(g.Protocols))
	}
	for _, pair := range [][2]string{{"ssl_certfile", "ssl_keyfile"}, {"ssl_keyfile", "ssl_certfile"}} {
		if at[pair[0]] != nil && at[pair[1]] == nil {
			r.fail(at[pair[0]], "%s stands without %s; TLS needs both", pair[0], pair[1])
		}
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
	if password, set := g.UvicornKwargs["ssl_keyfile_password"]; set && at["ssl_keyfile"] == nil {
		r.fail(at["uvicorn_kwargs"], "uvicorn_kwargs has an ssl_keyfile_password, but there is no ssl_keyfile")
	} else if _, isText := password.(string); set && !isText {
		r.fail(at["uvicorn_kwargs"], "ssl_keyfile_password is a text; put it in two pairs of quotes, \"'…'\", when it looks like a number")
	}
}
