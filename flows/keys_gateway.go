package flows

import (
	"math"
	"net"
	"regexp"
	"time"
)

// DefaultPort is the port of a flow that names none; the Python server picks a random one.
const DefaultPort = 51000

// defaultPortMonitoring is the port that jina's examples give to metrics.
const defaultPortMonitoring = 9090

const (
	whyOneProcess  = "has no meaning here, because gateway and executors are one process."
	whyDefaults    = "has a meaning under with: only, as a default of every executor."
	whyTelemetry   = "has no meaning here, because this server sends no OpenTelemetry data; monitoring: true serves Prometheus metrics."
	whyLogs        = "has no meaning here; the environment variable CLIPD_LOG_LEVEL or JINA_LOG_LEVEL sets how much is logged."
	whyCosmetic    = "has no effect on what is served."
	whyPython      = "has no meaning here, because nothing in this server is Python."
	whyDeployment  = "has no meaning here; whatever runs the server (systemd, a container, Kubernetes) decides it."
	whyNoContainer = "has no meaning here, because executors are not started in containers."
	whyNoCluster   = "has no meaning here, because executors form no cluster."
)

var gatewaySection = section[Gateway]{name: "with", fields: append([]field[Gateway]{
	{name: "port", synonyms: []string{"ports", "port_expose", "port_in"}, typ: "0 to 65535, or a list", def: "51000",
		doc:    "port to listen on: one for all protocols, or a list with one for each, in their order; 0 asks the system for a free one",
		setDef: func(g *Gateway) { g.Ports = []int{DefaultPort} }, read: readPorts},
	{name: "protocol", synonyms: []string{"protocols"}, typ: "`grpc`, `http`, `websocket`, or a list", def: "[grpc, http, websocket]",
		doc:    "how callers may talk to the server; without the key in all three ways, all three on one port; `protocol: grpc` closes the other doors",
		setDef: func(g *Gateway) { g.Protocols = []Protocol{GRPC, HTTP, WebSocket} }, read: readProtocols},
	{name: "host", synonyms: []string{"host_in"}, typ: "text", def: "0.0.0.0", doc: "address or name to listen on, without a port",
		setDef: func(g *Gateway) { g.Host = "0.0.0.0" }, read: readHost},
	intField("prefetch", 1000, 0, 1<<20, "requests of one stream that are worked on at a time; 0 = no limit",
		func(g *Gateway) *int { return &g.Prefetch }),
	boolField("cors", "let pages of other origins call the server over HTTP", func(g *Gateway) *bool { return &g.CORS }),
	textField("title", "", "title of the OpenAPI document", func(g *Gateway) *string { return &g.Title }),
	textField("description", "", "description in the OpenAPI document", func(g *Gateway) *string { return &g.Description }),
	boolField("no_debug_endpoints", "no `/post`, `/status` and `/dry_run` over HTTP; without `/post` the Python client cannot get in",
		func(g *Gateway) *bool { return &g.NoDebugEndpoints }),
	boolField("no_crud_endpoints", "no `/index`, `/search`, `/update` and `/delete` over HTTP",
		func(g *Gateway) *bool { return &g.NoCRUDEndpoints }),
	{name: "expose_endpoints", typ: "object, or the same as JSON text",
		doc:  "further HTTP paths: endpoint -> `{http_path: /path, methods: [POST], summary: text, tags: [text]}`",
		read: readExposedEndpoints},
	textField("ssl_certfile", "", "PEM file with the certificate chain; turns TLS on together with `ssl_keyfile`",
		func(g *Gateway) *string { return &g.SSLCertFile }),
	textField("ssl_keyfile", "", "PEM file with the private key", func(g *Gateway) *string { return &g.SSLKeyFile }),
	textField("ssl_keyfile_password", "", "password of the private key, when it is encrypted", func(g *Gateway) *string { return &g.SSLKeyPassword }),
	textField("ssl_ca_certs", "", "PEM file with the authorities whose client certificates are good; a key of this server only",
		func(g *Gateway) *string { return &g.SSLCACerts }),
	wordField("ssl_client_auth", clientAuths, otherClientAuths, "required with `ssl_ca_certs`, else none",
		"whether callers show a certificate: `none` is asked for, one that is shown must be good (`optional`), no connection without one (`required`); "+
			"a key of this server only", func(g *Gateway) *string { return (*string)(&g.SSLClientAuth) }),
	boolField("http_compression", "compress answers over HTTP for callers that accept it (zstd, br, gzip, deflate); a key of this server only",
		atHTTPCompression).on(atHTTPCompression),
	boolField("http_plain_returns", "answer HTTP requests in a form that clip_client's `encode()` reads with jina 3.27.1 or newer even without "+
		"`on_done=`; other callers cannot read it; a key of this server only", func(g *Gateway) *bool { return &g.HTTPPlainReturns }),
	{name: "auth", typ: "object", def: "everyone may call", doc: "keys that callers must show (below); a key of this server only", read: readAuth},
	{name: "allow_uris", typ: "true, false, or object", def: "false",
		doc: "what the `uri` of a document may name: `false` `data:` URIs only; `true` also http and https at public addresses; " +
			"an object says it in detail (below); a key of this server only",
		read: readAllowURIs},
	settingsField("grpc_server_options", "options of the gRPC core library; some have a meaning here (below)",
		func(g *Gateway) *map[string]any { return &g.GRPCServerOptions }),
	settingsField("uvicorn_kwargs", "settings of the HTTP and WebSocket server in uvicorn's words; some have a meaning here (below)",
		func(g *Gateway) *map[string]any { return &g.UvicornKwargs }),
	boolField("monitoring", "serve Prometheus metrics at `/metrics` of `port_monitoring` ([metrics.md](metrics.md))", func(g *Gateway) *bool { return &g.Monitoring }),
	{name: "port_monitoring", typ: "0 to 65535", def: "9090", doc: "port of the metrics; 0 asks the system for a free one, and the log says which",
		setDef: func(g *Gateway) { g.PortMonitoring = defaultPortMonitoring }, read: readPortMonitoring},
	timeField("timeout_send", 0, 0, "no limit", "longest time of one request in an executor",
		func(g *Gateway) *time.Duration { return &g.TimeoutSend }),
	envField("environment variables of the server and, as defaults, of every executor", func(g *Gateway) *map[string]string { return &g.Env }),
	{name: "limits", typ: "object", doc: "bounds on what callers can ask (below); a key of this server only",
		setDef: func(g *Gateway) { limitsSection.setDefaults(&g.Limits) },
		read:   func(r *reader, g *Gateway, v *value) { readSection(r, &limitsSection, v, &g.Limits, nil) }},
}, ignoredGatewayFields()...)}

func atHTTPCompression(g *Gateway) *bool { return &g.HTTPCompression }

func ignoredGatewayFields() []field[Gateway] {
	var all []field[Gateway]
	for _, group := range [][]field[Gateway]{
		ignoredFields[Gateway](whyOneProcess, "retries", "compression", "grpc_channel_options", "timeout_ctrl", "proxy", "floating",
			"graph_description", "graph_conditions", "deployments_addresses", "deployments_metadata", "deployments_no_reduce",
			"deployments_disable_reduce", "disable_reduce", "runtime_cls", "pod_role", "shard_id", "replica_id", "noblock_on_start", "grpc_metadata"),
		ignoredFields[Gateway](whyTelemetry, "tracing", "traces_exporter_host", "traces_exporter_port", "metrics", "metrics_exporter_host",
			"metrics_exporter_port"),
		ignoredFields[Gateway](whyLogs, "log_config", "quiet", "quiet_error", "suppress_root_logging"),
		ignoredFields[Gateway](whyCosmetic, "name", "workspace", "workspace_id", "inspect", "args", "kwargs"),
		ignoredFields[Gateway](whyPython, "uses", "extra_search_paths", "reload"),
		ignoredFields[Gateway](whyDefaults, "replicas", "timeout_ready", "uses_with", "uses_metas", "py_modules"),
		ignoredFields[Gateway](whyDeployment, "k8s_namespace", "env_from_secret", "image_pull_secrets", "provider", "provider_endpoint"),
		ignoredFields[Gateway](whyNoContainer, "entrypoint", "docker_kwargs"),
		ignoredFields[Gateway](whyNoCluster, "stateful", "peer_ports"),
		ignoredFields[Gateway]("has no meaning here, because this server has no GraphQL endpoint.", "expose_graphql_endpoint"),
	} {
		all = append(all, group...)
	}
	return all
}

func readPorts(r *reader, g *Gateway, v *value) {
	var ports []int
	seen := map[int64]bool{}
	for _, item := range v.oneOrMore() {
		p, ok := r.integer("port", "", item, 0, math.MaxUint16)
		if !ok {
			return
		}
		if seen[p] && p != 0 {
			r.fail(item, "port %d stands in the list twice", p)
			return
		}
		seen[p] = true
		ports = append(ports, int(p))
	}
	if len(ports) == 0 {
		r.fail(v, "the list of ports is empty; leave the key out for port %d", DefaultPort)
		return
	}
	g.Ports = ports
}

// otherProtocols says what to write for words that name a way to talk, but no protocol of a flow.
var otherProtocols = map[string]string{
	"https": "write http with ssl_certfile and ssl_keyfile",
	"grpcs": "write grpc with ssl_certfile and ssl_keyfile",
	"wss":   "write websocket with ssl_certfile and ssl_keyfile",
	"ws":    "did you mean \"websocket\"?",
	"rest":  "did you mean \"http\"?",
}

func readProtocols(r *reader, g *Gateway, v *value) {
	var protocols []Protocol
	seen := map[string]bool{}
	for _, item := range v.oneOrMore() {
		w, ok := r.word("protocol", item, []string{string(GRPC), string(HTTP), string(WebSocket)}, otherProtocols)
		if !ok {
			return
		}
		if seen[w] {
			r.fail(item, "protocol %s stands in the list twice", w)
			return
		}
		seen[w] = true
		protocols = append(protocols, Protocol(w))
	}
	if len(protocols) == 0 {
		r.fail(v, "the list of protocols is empty; leave the key out for grpc, http and websocket")
		return
	}
	g.Protocols = protocols
}

var hostName = regexp.MustCompile(`^[A-Za-z0-9_]([A-Za-z0-9_.-]{0,252})$`)

func readHost(r *reader, g *Gateway, v *value) {
	host, ok := r.text("host", v)
	if !ok {
		return
	}
	if net.ParseIP(host) == nil && !hostName.MatchString(host) {
		r.fail(v, "host is an address or a name without a port, such as 0.0.0.0, ::1 or localhost, not %s%s", v.describe(), undefinedVariable(v))
		return
	}
	g.Host = host
}

func readPortMonitoring(r *reader, g *Gateway, v *value) {
	if v.kind == list && len(v.items) == 1 {
		v = v.items[0]
	}
	if p, ok := r.integer("port_monitoring", "", v, 0, math.MaxUint16); ok {
		g.PortMonitoring = int(p)
	}
}
