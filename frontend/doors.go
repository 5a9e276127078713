package frontend

import (
	"net"
	"slices"

	"clipd/flows"
	"clipd/frontend/rest"
	"clipd/frontend/ws"
)

// port is one port and the protocols that are open on it.
type port struct {
	number                int // 0: the system chooses
	grpc, http, websocket bool
}

// portsOf gives each port its protocols: a single one has all of them, several have one each.
func portsOf(g flows.Gateway) []port {
	if len(g.Ports) == 1 {
		p := port{number: g.Ports[0]}
		for _, protocol := range g.Protocols {
			p.add(protocol)
		}
		return []port{p}
	}
	ports := make([]port, len(g.Ports))
	for i := range ports {
		ports[i].number = g.Ports[i]
		ports[i].add(g.Protocols[i])
	}
	return ports
}

func (p *port) add(protocol flows.Protocol) {
	switch protocol {
	case flows.GRPC:
		p.grpc = true
	case flows.HTTP:
		p.http = true
	case flows.WebSocket:
		p.websocket = true
	}
}

// URL is where callers find a server by one protocol.
type URL struct {
	Name string // grpc, http, websocket, docs or metrics
	URL  string
}

// shownHost is the host of the settings as it can be called: an address that stands for all of the machine's is shown as the
// loopback one.
func (s *Server) shownHost() string {
	if host := s.options.Settings.Host; host != "" && host != "0.0.0.0" && host != "::" {
		return host
	}
	return "127.0.0.1"
}

// URLs lists the open doors.
func (s *Server) URLs() []URL {
	host := s.shownHost()
	secure := ""
	if s.tls != nil {
		secure = "s"
	}
	var all, docs []URL
	for i, p := range s.ports {
		_, number, _ := net.SplitHostPort(s.doors[i].Addr().String())
		at := "://" + net.JoinHostPort(host, number)
		if p.grpc {
			all = append(all, URL{"grpc", "grpc" + secure + at})
		}
		if p.http {
			all = append(all, URL{"http", "http" + secure + at})
			docs = append(docs, URL{"docs", "http" + secure + at + "/docs"})
		}
		if p.websocket {
			all = append(all, URL{"websocket", "ws" + secure + at})
		}
	}
	all = append(all, docs...)
	if s.metrics != nil {
		all = append(all, URL{"metrics", s.metrics.URL(s.shownHost())})
	}
	return all
}

func (s *Server) newREST(p port) *rest.Server {
	settings := s.options.Settings
	limits := settings.Limits
	o := rest.Options{
		Gateway: s.gateway, Keys: s.keys, Bytes: s.options.Bytes,
		CORS: settings.CORS, NoDebugEndpoints: settings.NoDebugEndpoints, NoCRUDEndpoints: settings.NoCRUDEndpoints,
		Expose: exposed(settings), Title: settings.Title, Description: settings.Description, Version: s.options.Version,
		Compression: settings.HTTPCompression, PlainReturns: settings.HTTPPlainReturns, Post: p.http,
		MaxBody: limits.MaxMessageBytes, MaxDocuments: limits.MaxDocuments, MaxHeader: int(limits.MaxHeaderBytes),
		HeaderTimeout: limits.HeaderTimeout, ReadTimeout: limits.ReadTimeout, WriteTimeout: limits.WriteTimeout,
		IdleTimeout: limits.IdleTimeout, MaxAge: limits.MaxConnectionAge, Log: s.options.Log,
	}
	if p.websocket {
		o.WebSocket = s.ws.Handle
	}
	return rest.New(o)
}

// exposed lists the further paths of a flow, in the order of their names.
func exposed(g flows.Gateway) []rest.Exposed {
	var all []rest.Exposed
	for endpoint, e := range g.ExposeEndpoints {
		all = append(all, rest.Exposed{Endpoint: endpoint, Path: e.HTTPPath, Methods: e.Methods, Summary: e.Summary, Tags: e.Tags})
	}
	slices.SortFunc(all, func(a, b rest.Exposed) int {
		return slices.Compare([]string{a.Path, a.Endpoint}, []string{b.Path, b.Endpoint})
	})
	return all
}

func (s *Server) newWebSocket() *ws.Door {
	settings := s.options.Settings
	limits := settings.Limits
	return ws.New(ws.Options{
		Gateway: s.gateway, Keys: s.keys, Bytes: s.options.Bytes,
		Prefetch: settings.Prefetch, StreamInputs: s.streamInputs(), MaxMessage: limits.MaxMessageBytes, MaxDocuments: limits.MaxDocuments,
		WriteTimeout: limits.WriteTimeout, IdleTimeout: limits.IdleTimeout, CORS: settings.CORS, Log: s.options.Log,
	})
}
