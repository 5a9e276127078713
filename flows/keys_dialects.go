package flows

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// Settings in the words of the two servers behind the original's doors. They fill in the same fields as the keys of the flow,
// which are read after them and so are stronger.

// uvicornSection are the settings of uvicorn, the original's HTTP and WebSocket server.
var uvicornSection = section[Gateway]{name: "uvicorn_kwargs", other: otherUvicornKey, fields: append([]field[Gateway]{
	textField("ssl_certfile", "", "the same as `ssl_certfile` of the flow, for all protocols", func(g *Gateway) *string { return &g.SSLCertFile }),
	textField("ssl_keyfile", "", "the same as `ssl_keyfile` of the flow, for all protocols", func(g *Gateway) *string { return &g.SSLKeyFile }),
	textField("ssl_keyfile_password", "", "the same as `ssl_keyfile_password` of the flow", func(g *Gateway) *string { return &g.SSLKeyPassword }),
	textField("ssl_ca_certs", "", "the same as `ssl_ca_certs` of the flow", func(g *Gateway) *string { return &g.SSLCACerts }),
	{name: "ssl_cert_reqs", typ: "0, 1 or 2", doc: "the same as `ssl_client_auth`: `none`, `optional`, `required`",
		read: func(r *reader, g *Gateway, v *value) {
			if i, ok := r.integer("ssl_cert_reqs", "none, optional, required", v, 0, int64(len(clientAuths)-1)); ok {
				g.SSLClientAuth = ClientAuth(clientAuths[i])
			}
		}},
	{name: "timeout_keep_alive", typ: "0 to 2147483647 seconds", doc: "the same as `limits: idle_timeout`",
		read: func(r *reader, g *Gateway, v *value) {
			if s, ok := r.integer("timeout_keep_alive", "seconds", v, 0, math.MaxInt32); ok {
				// 0 closes after each answer; in the limits it would be no limit.
				g.Limits.IdleTimeout = max(time.Duration(s)*time.Second, time.Millisecond)
			}
		}},
	{name: "limit_concurrency", typ: "1 to 16777216", doc: "the same as `limits: max_connections`",
		read: func(r *reader, g *Gateway, v *value) {
			if n, ok := r.integer("limit_concurrency", "", v, 1, 1<<24); ok {
				g.Limits.MaxConnections = int(n)
			}
		}},
	{name: "h11_max_incomplete_event_size", typ: "bytes", doc: "the same as `limits: max_header_bytes`",
		read: func(r *reader, g *Gateway, v *value) {
			if n, ok := r.bytes("h11_max_incomplete_event_size", v, 1<<10, 16<<20); ok {
				g.Limits.MaxHeaderBytes = n
			}
		}},
}, ignoredUvicornFields()...)}

func ignoredUvicornFields() []field[Gateway] {
	var all []field[Gateway]
	for _, group := range [][]field[Gateway]{
		ignoredFields[Gateway]("has no effect: the protocols are served over TLS 1.2 and newer with the ciphers of Go's library.", "ssl_version", "ssl_ciphers"),
		ignoredFields[Gateway]("has no effect; limits: max_message_bytes bounds a request of every protocol.", "ws_max_size"),
		ignoredFields[Gateway]("has no effect; prefetch bounds the requests of one connection.", "ws_max_queue"),
		ignoredFields[Gateway]("has no effect; host and port stand beside uvicorn_kwargs.", "host", "port", "uds", "fd"),
		ignoredFields[Gateway]("has no effect: this server looks after its connections itself.", "backlog", "ws_ping_interval", "ws_ping_timeout",
			"ws_per_message_deflate", "timeout_notify", "timeout_graceful_shutdown", "limit_max_requests", "callback_notify"),
		ignoredFields[Gateway]("has no effect: the address of a caller is that of its connection.", "proxy_headers", "forwarded_allow_ips"),
		ignoredFields[Gateway](whyCosmetic, "root_path", "headers", "server_header", "date_header"),
		ignoredFields[Gateway](whyLogs, "log_level", "log_config", "access_log", "use_colors"),
		ignoredFields[Gateway](whyPython, "app", "app_dir", "factory", "loop", "http", "ws", "interface", "lifespan", "env_file", "workers", "reload",
			"reload_dirs", "reload_delay", "reload_includes", "reload_excludes"),
	} {
		all = append(all, group...)
	}
	return all
}

// otherUvicornKey takes keys of later versions of uvicorn. A misspelt key is a mistake, as it is to uvicorn: a server that asks
// for no client certificates because of a letter would be worse than none.
func otherUvicornKey(r *reader, v *value, e entry, known []string) {
	if near := misspelt(e.key, known); near != "" {
		r.failAt(v, e.line, e.column, "unknown key %s in uvicorn_kwargs%s", quote(e.key), didYouMean(near))
		return
	}
	e.key = shorten(e.key)
	r.notice(v, e, "has no effect: it is no setting of uvicorn that this server knows.")
}

// grpcSection are options of the gRPC core library, the original's gRPC server.
var grpcSection = section[Gateway]{name: "grpc_server_options", other: otherGRPCKey, fields: append([]field[Gateway]{
	{name: "grpc.max_receive_message_length", typ: "1 to 2147483647, or -1", doc: "the same as `limits: max_message_bytes`; -1 keeps this server's limit",
		read: func(r *reader, g *Gateway, v *value) {
			if v.kind == integer && v.integer == -1 {
				return
			}
			if n, ok := r.integer("grpc.max_receive_message_length", "bytes, or -1", v, 1, math.MaxInt32); ok {
				g.Limits.MaxMessageBytes = n
			}
		}},
	{name: "grpc.max_concurrent_streams", typ: "1 to 2147483647", doc: "the same as `limits: max_streams`",
		read: func(r *reader, g *Gateway, v *value) {
			if n, ok := r.integer("grpc.max_concurrent_streams", "", v, 1, math.MaxInt32); ok {
				g.Limits.MaxStreams = int(n)
			}
		}},
	grpcTimeField("grpc.max_connection_age_ms", "max_connection_age", func(l *Limits) *time.Duration { return &l.MaxConnectionAge }),
	grpcTimeField("grpc.max_connection_idle_ms", "grpc_idle_timeout", func(l *Limits) *time.Duration { return &l.GRPCIdleTimeout }),
}, ignoredGRPCFields()...)}

// grpcTimeField takes milliseconds, the largest number of which the gRPC core library takes for no limit.
func grpcTimeField(name, same string, at func(*Limits) *time.Duration) field[Gateway] {
	return field[Gateway]{name: name, typ: "1 to 2147483647 milliseconds", doc: fmt.Sprintf("the same as `limits: %s`; 2147483647 = no limit", same),
		read: func(r *reader, g *Gateway, v *value) {
			ms, ok := r.integer(name, "milliseconds", v, 1, math.MaxInt32)
			if !ok {
				return
			}
			if ms == math.MaxInt32 {
				ms = 0
			}
			*at(&g.Limits) = time.Duration(ms) * time.Millisecond
		}}
}

func ignoredGRPCFields() []field[Gateway] {
	var all []field[Gateway]
	for _, group := range [][]field[Gateway]{
		ignoredFields[Gateway]("has no effect: answers are as long as they are.", "grpc.max_send_message_length"),
		ignoredFields[Gateway]("has no effect; limits: max_header_bytes bounds the headers of every protocol.", "grpc.max_metadata_size",
			"grpc.absolute_max_metadata_size"),
		ignoredFields[Gateway]("has no effect: open calls end by themselves before their connection does.", "grpc.max_connection_age_grace_ms"),
		ignoredFields[Gateway]("has no effect: this server chooses how it pings, and takes the pings of clip_client.", "grpc.keepalive_time_ms",
			"grpc.keepalive_timeout_ms", "grpc.keepalive_permit_without_calls", "grpc.http2.max_pings_without_data", "grpc.http2.max_ping_strikes",
			"grpc.http2.min_ping_interval_without_data_ms", "grpc.http2.min_recv_ping_interval_without_data_ms"),
	} {
		all = append(all, group...)
	}
	return all
}

// otherGRPCKey takes the other options, of which there are many; the gRPC core library passes over unknown ones, too.
func otherGRPCKey(r *reader, v *value, e entry, known []string) {
	why := "has no effect: it is an option of the gRPC core library, which this server does without."
	if near := misspelt(e.key, known); near != "" {
		why = fmt.Sprintf("has no effect: there is no such option; did you mean %s?", quote(near))
	}
	e.key = shorten(e.key)
	r.notice(v, e, why)
}

// misspelt returns the key that is at most two letters away, or "". The keys of the dialects are long and alike.
func misspelt(key string, known []string) string {
	if near := nearest(key, known); near != "" && editDistance(strings.ToLower(key), near) <= 2 {
		return near
	}
	return ""
}
