package fetch

import (
	"crypto/x509"
	"fmt"
	"net"
	"net/netip"
	"time"
)

// Defaults and bounds of a load.
const (
	DefaultTimeout      = 20 * time.Second
	DefaultMaxBytes     = 32 << 20
	DefaultMaxRedirects = 5 // what a flow gives when it says nothing; the zero value of Options follows none

	loadsAtATime  = 64 // http(s) loads, and as many of files
	loadsPerHost  = 8
	connectTime   = 5 * time.Second // for one host name, all its addresses
	handshakeTime = 5 * time.Second
	headerTime    = 10 * time.Second // from the request sent to the header of the answer
	idleTime      = 15 * time.Second
	idleAll       = 32
	idlePerHost   = 2
	headerBytes   = 64 << 10
)

// Options say what may be loaded. The zero value: data: URIs only.
type Options struct {
	HTTP         bool           // http: URIs
	HTTPS        bool           // https: URIs
	Hosts        []string       // names and addresses that may be asked, "*.example.com" for those below; empty = all
	Networks     []netip.Prefix // private networks that may be reached all the same, on any port
	Folder       string         // files below it may be named; "" = none
	Timeout      time.Duration  // of one load, redirects and waiting for its turn included; 0 = DefaultTimeout
	MaxBytes     int64          // of one load, data: URIs and files too; 0 = DefaultMaxBytes
	MaxRedirects int            // that one load follows; 0 = none
}

// hooks replace what a test cannot have: a name server, a certificate authority, addresses of the machine.
type hooks struct {
	resolver *net.Resolver
	roots    *x509.CertPool
	own      func() ([]net.Addr, error)
}

// checked returns the options with defaults put in and networks in their shortest form.
func (o Options) checked() (Options, error) {
	if o.Timeout < 0 || o.MaxBytes < 0 || o.MaxRedirects < 0 {
		return o, fmt.Errorf("cannot load uris with a timeout of %v, %d bytes at most and %d redirects: none may be negative",
			o.Timeout, o.MaxBytes, o.MaxRedirects)
	}
	if o.Timeout == 0 {
		o.Timeout = DefaultTimeout
	}
	if o.MaxBytes == 0 {
		o.MaxBytes = DefaultMaxBytes
	}
	networks := make([]netip.Prefix, 0, len(o.Networks))
	for _, p := range o.Networks {
		if !p.IsValid() {
			return o, fmt.Errorf("a network that uris may reach is not valid; write it like 10.1.0.0/16 or fd00:1::/32")
		}
		if p.Addr().Is4In6() && p.Bits() >= 96 { // addresses are compared in their IPv4 form
			p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
		}
		networks = append(networks, p.Masked())
	}
	o.Networks = networks
	return o, nil
}
