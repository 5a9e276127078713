package door

import "bytes"

// preface is what each HTTP/2 connection of a client begins with (RFC 9113, section 3.4).
var preface = []byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")

// recordHandshake is the first byte of a TLS ClientHello (RFC 8446, section 5.1).
const recordHandshake = 0x16

type protocol int

const (
	undecided protocol = iota // more bytes are needed
	http1                     // also all that is no protocol: the HTTP server says so
	http2
	tlsHello
)

// recognise tells the protocol by as few bytes as it takes.
func recognise(first []byte) protocol {
	switch {
	case len(first) == 0:
		return undecided
	case first[0] == recordHandshake:
		return tlsHello
	case len(first) < len(preface) && bytes.HasPrefix(preface, first):
		return undecided
	case bytes.HasPrefix(first, preface):
		return http2
	}
	return http1
}

// looksLikeHTTP tells a request line, or the beginning of one, from garbage: methods are capital letters.
func looksLikeHTTP(first []byte) bool {
	if len(first) == 0 {
		return false
	}
	for i, b := range first {
		if b == ' ' {
			return i > 0
		}
		if b < 'A' || b > 'Z' {
			return false
		}
	}
	return true
}
