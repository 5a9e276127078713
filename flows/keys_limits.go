package flows

import (
	"math"
	"time"
)

// The sizes are far above what the client sends (8 documents a request) and far below what fills a machine's memory. The
// times are those of common proxies: longer than a slow network needs, too short to hold a connection for nothing.
var limitsSection = section[Limits]{name: "limits", fields: []field[Limits]{
	bytesField("max_message_bytes", 256<<20, 1, maxByteSize, "bytes of one request; a compressed one counts as it is when unpacked",
		func(l *Limits) *int64 { return &l.MaxMessageBytes }),
	intField("max_documents", 16384, 1, 1<<24, "documents of one request, chunks and matches included", func(l *Limits) *int { return &l.MaxDocuments }),
	bytesField("max_image_bytes", 64<<20, 1, maxByteSize, "bytes of one encoded picture", func(l *Limits) *int64 { return &l.MaxImageBytes }),
	intField("max_pixels", 100_000_000, 1, int64(1)<<40, "pixels of one picture", func(l *Limits) *int64 { return &l.MaxPixels }),
	intField("max_queued", 16384, 1, 1<<24, "inputs of one model that are accepted and not yet answered",
		func(l *Limits) *int { return &l.MaxQueued }),
	timeField("max_wait", 5*time.Second, 0, "5000", "longest wait of a request for others before it, as estimated, beyond what it takes itself; one that would wait longer is refused at once",
		func(l *Limits) *time.Duration { return &l.MaxWait }),
	bytesField("max_inflight_bytes", 0, 0, maxByteSize, "bytes of all requests in progress together; 0 = a quarter of the memory",
		func(l *Limits) *int64 { return &l.MaxInflightBytes }),
	intField("max_connections", 8192, 1, 1<<24, "connections open at a time", func(l *Limits) *int { return &l.MaxConnections }),
	intField("max_connections_per_address", 0, 0, 1<<24, "connections of one address at a time; 0 = no limit of its own",
		func(l *Limits) *int { return &l.MaxConnectionsPerAddress }),
	intField("max_streams", 256, 1, math.MaxInt32, "gRPC calls of one connection at a time", func(l *Limits) *int { return &l.MaxStreams }),
	bytesField("max_header_bytes", 32<<10, 1<<10, 16<<20, "bytes of the headers of one request", func(l *Limits) *int64 { return &l.MaxHeaderBytes }),
	timeField("header_timeout", 10*time.Second, 0, "10000", "longest time from connecting, or from the first byte of a request, to the end of the TLS "+
		"handshake and the headers", func(l *Limits) *time.Duration { return &l.HeaderTimeout }),
	timeField("read_timeout", time.Minute, 0, "60000", "longest wait for the next part of a body; a slow trickle is ended, too",
		func(l *Limits) *time.Duration { return &l.ReadTimeout }),
	timeField("write_timeout", time.Minute, 0, "60000", "longest wait for a caller to take an answer",
		func(l *Limits) *time.Duration { return &l.WriteTimeout }),
	timeField("idle_timeout", 75*time.Second, 0, "75000", "longest pause between two requests of an HTTP connection (keep-alive)",
		func(l *Limits) *time.Duration { return &l.IdleTimeout }),
	timeField("grpc_idle_timeout", 30*time.Minute, 0, "1800000", "longest time of a gRPC connection without calls",
		func(l *Limits) *time.Duration { return &l.GRPCIdleTimeout }),
	timeField("max_connection_age", 30*time.Minute, 0, "1800000", "age, give or take a tenth, at which a connection is ended so that its caller "+
		"connects anew, perhaps to another server behind the same name; open calls end first",
		func(l *Limits) *time.Duration { return &l.MaxConnectionAge }),
}}

// checkLimits refuses limits that contradict each other.
func (r *reader) checkLimits(l *Limits, at map[string]*value) {
	if v := at["limits.max_inflight_bytes"]; v != nil && l.MaxInflightBytes > 0 && l.MaxInflightBytes < l.MaxMessageBytes {
		r.fail(v, "max_inflight_bytes of %s is less than max_message_bytes of %s, so the largest request could never be taken in",
			sizeText(l.MaxInflightBytes), sizeText(l.MaxMessageBytes))
	}
	if v := at["limits.max_connections_per_address"]; v != nil && l.MaxConnectionsPerAddress > l.MaxConnections {
		r.fail(v, "max_connections_per_address of %d is more than max_connections of %d; write 0 for no limit of its own",
			l.MaxConnectionsPerAddress, l.MaxConnections)
	}
}
