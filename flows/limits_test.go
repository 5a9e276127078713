package flows

import (
	"fmt"
	"testing"
	"time"
)

func TestLimitsMistakes(t *testing.T) {
	limits := func(settings string, want ...string) {
		t.Helper()
		refused(t, with("limits: {"+settings+"}"), want...)
	}
	milliseconds := " is a time in milliseconds, a whole number above 0 or -1 for no limit, not "
	limits("max_message_bytes: 0", "f.yml:1:36: max_message_bytes is a number of bytes from 1 to 1024GiB such as 67108864 or 64MiB, not 0")
	limits("max_message_bytes: 1.5GiB", `f.yml:1:36: max_message_bytes is a number of bytes from 1 to 1024GiB such as 67108864 or 64MiB, not "1.5GiB"`)
	limits("max_message_bytes: $SIZE",
		`f.yml:1:36: max_message_bytes is a number of bytes from 1 to 1024GiB such as 67108864 or 64MiB, not "$SIZE"; the environment variable SIZE is not set`)
	limits("max_documents: 0", "f.yml:1:32: max_documents is a whole number from 1 to 16777216, not 0")
	limits("max_documents: many", `f.yml:1:32: max_documents is a whole number from 1 to 16777216, not "many"`)
	limits("max_inflight_bytes: -1", "f.yml:1:37: max_inflight_bytes is a number of bytes from 0 to 1024GiB such as 67108864 or 64MiB, not -1")
	limits("max_inflight_bytes: 255MiB",
		"f.yml:1:37: max_inflight_bytes of 255MiB is less than max_message_bytes of 256MiB, so the largest request could never be taken in")
	limits("max_inflight_bytes: 3, max_message_bytes: 5",
		"f.yml:1:37: max_inflight_bytes of 3 is less than max_message_bytes of 5, so the largest request could never be taken in")
	limits("max_connections: 0", "f.yml:1:34: max_connections is a whole number from 1 to 16777216, not 0")
	limits("max_connections_per_address: -1", "f.yml:1:46: max_connections_per_address is a whole number from 0 to 16777216, not -1")
	limits("max_connections_per_address: 11, max_connections: 10",
		"f.yml:1:46: max_connections_per_address of 11 is more than max_connections of 10; write 0 for no limit of its own")
	limits("max_streams: 0", "f.yml:1:30: max_streams is a whole number from 1 to 2147483647, not 0")
	limits("max_header_bytes: 100", "f.yml:1:35: max_header_bytes is a number of bytes from 1KiB to 16MiB such as 67108864 or 64MiB, not 100")
	limits("max_header_bytes: 17MiB", `f.yml:1:35: max_header_bytes is a number of bytes from 1KiB to 16MiB such as 67108864 or 64MiB, not "17MiB"`)
	for _, key := range []string{"header_timeout", "read_timeout", "write_timeout", "idle_timeout", "grpc_idle_timeout", "max_connection_age"} {
		column := 19 + len(key)
		limits(key+": 0", fmt.Sprintf("f.yml:1:%d: %s%s0", column, key, milliseconds))
		limits(key+": 10s", fmt.Sprintf(`f.yml:1:%d: %s%s"10s"`, column, key, milliseconds))
		limits(key+": -2", fmt.Sprintf(`f.yml:1:%d: %s%s-2`, column, key, milliseconds))
		limits(key+": 1.5", fmt.Sprintf(`f.yml:1:%d: %s%s1.5`, column, key, milliseconds))
		limits(key+": 3153600000001", fmt.Sprintf("f.yml:1:%d: %s of 3153600000001 milliseconds is more than a hundred years; write -1 for no limit", column, key))
	}
	limits("max_conections: 5", `f.yml:1:17: unknown key "max_conections" in limits; did you mean "max_connections"?`)
	limits("prefetch: 5", `f.yml:1:17: the key "prefetch" does not belong to limits; it goes under with`)
	limits("[a]: 5", "f.yml:1:17: a key is a word, not a list or an object")
	refused(t, with("limits: [max_streams]"), "f.yml:1:16: limits is an object of keys and values, not a list")
	refused(t, with("max_streams: 5"), `f.yml:1:8: the key "max_streams" does not belong to with; it goes under limits`)
	// The place is that of the value in force, wherever the other one stands.
	refused(t, "with:\n  limits: {max_inflight_bytes: 5MiB}\ngateway:\n  limits: {max_message_bytes: 6MiB}\n"+minimal,
		"f.yml:2:32: max_inflight_bytes of 5MiB is less than max_message_bytes of 6MiB, so the largest request could never be taken in")
}

func TestLimits(t *testing.T) {
	l := accepted(t, "gateway: {limits: {max_streams: 9, read_timeout: -1}}\n"+with("limits: {max_message_bytes: 1KB, max_documents: 2, max_image_bytes: 3, "+
		"max_pixels: 4, max_queued: 5, max_wait: 10, max_inflight_bytes: 6 KiB, max_connections: 8, max_connections_per_address: 7, max_streams: 10, max_header_bytes: 1024, "+
		"header_timeout: 11, read_timeout: 12, write_timeout: 13, idle_timeout: 14, grpc_idle_timeout: 15, max_connection_age: 3153600000000}")).Gateway.Limits
	equal(t, "limits", l, Limits{MaxMessageBytes: 1000, MaxDocuments: 2, MaxImageBytes: 3, MaxPixels: 4, MaxQueued: 5, MaxWait: 10 * time.Millisecond, MaxInflightBytes: 6 << 10,
		MaxConnections: 8, MaxConnectionsPerAddress: 7, MaxStreams: 9, MaxHeaderBytes: 1024, HeaderTimeout: 11 * time.Millisecond, ReadTimeout: 0,
		WriteTimeout: 13 * time.Millisecond, IdleTimeout: 14 * time.Millisecond, GRPCIdleTimeout: 15 * time.Millisecond,
		MaxConnectionAge: 100 * 365 * 24 * time.Hour})
	equal(t, "no limit", accepted(t, with("limits: {header_timeout: -1, max_wait: -1, write_timeout: -1, idle_timeout: -1, grpc_idle_timeout: -1, max_connection_age: -1, "+
		"max_inflight_bytes: 0, max_connections_per_address: 0}")).Gateway.Limits, Limits{MaxMessageBytes: 256 << 20, MaxDocuments: 16384,
		MaxImageBytes: 64 << 20, MaxPixels: 100_000_000, MaxQueued: 16384, MaxConnections: 8192, MaxStreams: 256, MaxHeaderBytes: 32 << 10, ReadTimeout: time.Minute})
	equal(t, "largest sum", l.MaxConnectionAge+l.MaxConnectionAge/10 > 0, true)
}

func TestSizeText(t *testing.T) {
	check := func(n int64, want string) {
		t.Helper()
		equal(t, "size", sizeText(n), want)
	}
	check(0, "0")
	check(1023, "1023")
	check(1024, "1KiB")
	check(1025, "1025")
	check(3<<20, "3MiB")
	check(maxByteSize, "1024GiB")
}
