package flows

import (
	"fmt"
	"testing"
	"time"
)

func TestUvicornWords(t *testing.T) {
	uvicorn := func(settings string, want ...string) {
		t.Helper()
		refused(t, with("uvicorn_kwargs: {"+settings+"}"), want...)
	}
	refused(t, with("uvicorn_kwargs: 5"), "f.yml:1:24: uvicorn_kwargs is an object of settings, not 5")
	uvicorn("timeout_keep_alive: -1", "f.yml:1:45: timeout_keep_alive is a whole number from 0 to 2147483647 (seconds), not -1")
	uvicorn("timeout_keep_alive: 1.5", "f.yml:1:45: timeout_keep_alive is a whole number from 0 to 2147483647 (seconds), not 1.5")
	uvicorn("limit_concurrency: 0", "f.yml:1:44: limit_concurrency is a whole number from 1 to 16777216, not 0")
	uvicorn("h11_max_incomplete_event_size: 5",
		"f.yml:1:56: h11_max_incomplete_event_size is a number of bytes from 1KiB to 16MiB such as 67108864 or 64MiB, not 5")
	uvicorn("ssl_keyfile_pasword: x", `f.yml:1:25: unknown key "ssl_keyfile_pasword" in uvicorn_kwargs; did you mean "ssl_keyfile_password"?`)
	uvicorn("ssl_cert_req: 2", `f.yml:1:25: unknown key "ssl_cert_req" in uvicorn_kwargs; did you mean "ssl_cert_reqs"?`)
	uvicorn("ssl_ca_certs: [a]", "f.yml:1:39: ssl_ca_certs is a text, not a list",
		"f.yml:1:39: ssl_ca_certs stands without ssl_certfile and ssl_keyfile; callers show certificates over TLS only")

	f := accepted(t, with("uvicorn_kwargs: {timeout_keep_alive: 5, limit_concurrency: 100, h11_max_incomplete_event_size: 65536, log_level: error, new_thing: 1}"))
	limits := defaultLimits
	limits.IdleTimeout, limits.MaxConnections, limits.MaxHeaderBytes = 5*time.Second, 100, 65536
	equal(t, "limits", f.Gateway.Limits, limits)
	equal(t, "as given", f.Gateway.UvicornKwargs, map[string]any{"timeout_keep_alive": int64(5), "limit_concurrency": int64(100),
		"h11_max_incomplete_event_size": int64(65536), "log_level": "error", "new_thing": int64(1)})
	equal(t, "notices", fmt.Sprint(f.Notices), "[f.yml:1:110: log_level: "+whyLogs+
		" f.yml:1:128: new_thing: has no effect: it is no setting of uvicorn that this server knows.]")
	equal(t, "closing at once", accepted(t, with("uvicorn_kwargs: {timeout_keep_alive: 0}")).Gateway.Limits.IdleTimeout, time.Millisecond)
	equal(t, "limits first", accepted(t, with("limits: {idle_timeout: 7}, uvicorn_kwargs: {timeout_keep_alive: 5}")).Gateway.Limits.IdleTimeout, 7*time.Millisecond)
	equal(t, "gateway first", accepted(t, "gateway: {uvicorn_kwargs: {limit_concurrency: 3}}\n"+
		with("uvicorn_kwargs: {limit_concurrency: 5, timeout_keep_alive: 9}")).Gateway.Limits.MaxConnections, 3)
}

func TestGRPCWords(t *testing.T) {
	option := func(settings string, want ...string) {
		t.Helper()
		refused(t, with("grpc_server_options: {"+settings+"}"), want...)
	}
	refused(t, with("grpc_server_options: [grpc.a]"), "f.yml:1:29: grpc_server_options is an object of settings, not a list")
	option("grpc.max_receive_message_length: 0",
		"f.yml:1:63: grpc.max_receive_message_length is a whole number from 1 to 2147483647 (bytes, or -1), not 0")
	option("grpc.max_receive_message_length: 64MiB",
		`f.yml:1:63: grpc.max_receive_message_length is a whole number from 1 to 2147483647 (bytes, or -1), not "64MiB"`)
	option("grpc.max_concurrent_streams: 0", "f.yml:1:59: grpc.max_concurrent_streams is a whole number from 1 to 2147483647, not 0")
	option("grpc.max_connection_age_ms: -1", "f.yml:1:58: grpc.max_connection_age_ms is a whole number from 1 to 2147483647 (milliseconds), not -1")
	option("grpc.max_connection_idle_ms: 1s", `f.yml:1:59: grpc.max_connection_idle_ms is a whole number from 1 to 2147483647 (milliseconds), not "1s"`)

	f := accepted(t, with("grpc_server_options: {grpc.max_receive_message_length: 1000, grpc.max_concurrent_streams: 4, grpc.max_connection_age_ms: 5, "+
		"grpc.max_connection_idle_ms: 2147483647, grpc.max_send_message_length: -1, grpc.max_concurent_streams: 4, grpc.so_reuseport: 1}"))
	limits := defaultLimits
	limits.MaxMessageBytes, limits.MaxStreams, limits.MaxConnectionAge, limits.GRPCIdleTimeout = 1000, 4, 5*time.Millisecond, 0
	equal(t, "limits", f.Gateway.Limits, limits)
	equal(t, "notices", fmt.Sprint(f.Notices), "[f.yml:1:173: grpc.max_send_message_length: has no effect: answers are as long as they are. "+
		`f.yml:1:207: grpc.max_concurent_streams: has no effect: there is no such option; did you mean "grpc.max_concurrent_streams"? `+
		"f.yml:1:238: grpc.so_reuseport: has no effect: it is an option of the gRPC core library, which this server does without.]")
	equal(t, "-1 keeps ours", accepted(t, with("grpc_server_options: {grpc.max_receive_message_length: -1}")).Gateway.Limits.MaxMessageBytes, int64(256<<20))
	equal(t, "limits first", accepted(t, with("limits: {max_message_bytes: 5}, grpc_server_options: {grpc.max_receive_message_length: 9}")).Gateway.Limits.MaxMessageBytes, int64(5))
}
