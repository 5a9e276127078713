// Package upload bounds the memory of gRPC messages that have not arrived whole. A gRPC server keeps the parts of a
// message until its last byte is there, and only then does a handler see it and can weigh it: whoever opens many streams
// and sends all but the last byte on each fills the memory before any limit on requests is asked.
//
// A Watch follows the frames of one connection as they are read and written, without copying them, and knows how much
// memory the messages that have begun and not ended take. A Budget is what all connections may take together. When it is
// used up, connections that need more of it are not read from, so that TCP holds their senders back; when that does not
// help in time, the connection that costs the most is ended.
package upload
