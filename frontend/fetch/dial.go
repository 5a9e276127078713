package fetch

import (
	"context"
	"crypto/tls"
	"net"
	"net/netip"
	"syscall"
)

// loadKey is the key of a load's own context in the context that its connection is dialed with. The transport takes
// the cancellation out of the latter, in the hope that someone else may want the connection.
type loadKey struct{}

// dialer connects to addresses that may be reached, and to no others.
type dialer struct {
	reach reach
	tcp   net.Dialer
	tls   *tls.Config
}

func newDialer(o Options, h hooks) *dialer {
	if h.own == nil {
		h.own = net.InterfaceAddrs
	}
	if h.resolver == nil {
		// The C library's resolver cannot be interrupted: slow name servers would hold threads.
		h.resolver = &net.Resolver{PreferGo: true}
	}
	d := &dialer{
		reach: reach{networks: o.Networks, own: h.own},
		tls:   &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}, RootCAs: h.roots},
	}
	d.tcp = net.Dialer{Timeout: min(connectTime, o.Timeout), Resolver: h.resolver, Control: d.control}
	return d
}

// control is called with the address that a socket is about to connect to.
func (d *dialer) control(_, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return errRefused
	}
	return d.reach.check(to)
}

func (d *dialer) dial(ctx context.Context, network, address string) (net.Conn, error) {
	if load, ok := ctx.Value(loadKey{}).(context.Context); ok {
		ctx = load
	}
	return d.tcp.DialContext(ctx, network, address)
}

func (d *dialer) dialTLS(ctx context.Context, network, address string) (net.Conn, error) {
	if load, ok := ctx.Value(loadKey{}).(context.Context); ok {
		ctx = load
	}
	conn, err := d.tcp.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	config := d.tls.Clone()
	if config.ServerName, _, err = net.SplitHostPort(address); err != nil {
		conn.Close()
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, handshakeTime)
	defer cancel()
	secure := tls.Client(conn, config)
	if err := secure.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, err
	}
	return secure, nil
}
