package door

import (
	"context"
	"errors"
	"net"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
)

// Credentials are those of a grpc.Server that serves a door: the handshake is over when a connection comes from the
// door, and peers get its outcome as a Peer, with credentials.TLSInfo. Connections in plain text have no security, as with
// package insecure.
func Credentials() credentials.TransportCredentials { return finished{} }

type finished struct{}

func (finished) ServerHandshake(c net.Conn) (net.Conn, credentials.AuthInfo, error) {
	encrypted, ok := c.(*tlsConn)
	if !ok {
		c, info, err := insecure.NewCredentials().ServerHandshake(c)
		return c, Peer{info, c.Close}, err
	}
	return c, Peer{credentials.TLSInfo{
		State:          encrypted.ConnectionState(),
		CommonAuthInfo: credentials.CommonAuthInfo{SecurityLevel: credentials.PrivacyAndIntegrity},
	}, encrypted.tcp.Close}, nil
}

// Peer is what a handler learns of its caller's connection, as the AuthInfo of peer.Peer.
type Peer struct {
	credentials.AuthInfo // credentials.TLSInfo, or that of package insecure
	cut                  func() error
}

// Cut ends the connection with all its calls, at once.
func (p Peer) Cut() { p.cut() }

// GetCommonAuthInfo tells grpc how secure the connection is.
func (p Peer) GetCommonAuthInfo() credentials.CommonAuthInfo {
	if common, ok := p.AuthInfo.(interface {
		GetCommonAuthInfo() credentials.CommonAuthInfo
	}); ok {
		return common.GetCommonAuthInfo()
	}
	return credentials.CommonAuthInfo{}
}

func (finished) ClientHandshake(context.Context, string, net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return nil, nil, errors.New("the credentials of a door are for servers only")
}

func (finished) Info() credentials.ProtocolInfo {
	return credentials.ProtocolInfo{SecurityProtocol: "tls"}
}

func (f finished) Clone() credentials.TransportCredentials { return f }

func (finished) OverrideServerName(string) error { return nil }
