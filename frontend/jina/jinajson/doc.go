// Package jinajson reads requests in Jina's JSON form into protobuf messages and writes their answers: bytes in, bytes
// out, without any HTTP.
//
// A body is walked twice. The first walk checks the syntax of the whole body and counts what would take memory, so that a
// broken or an oversized body is refused before anything of it is decoded. The second one makes the messages: base64 is
// decoded in place, long strings stay where they are, and all documents are one allocation.
package jinajson
