package door

import (
	"context"
	"errors"
	"net"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
)

// Credentials are those of a grpc.Server that serves a door: the handshake is over when a connection comes from the
// door, and peers get its outcome as credentials.TLSInfo. Connections in plain text have no security, as with package
// insecure.
func Credentials() credentials.TransportCredentials { return finished{} }

type finished struct{}

func (finished) ServerHandshake(c net.Conn) (net.Conn, credentials.AuthInfo, error) {
	encrypted, ok := c.(*tlsConn)
	if !ok {
		return insecure.NewCredentials().ServerHandshake(c)
	}
	return c, credentials.TLSInfo{
		State:          encrypted.ConnectionState(),
		CommonAuthInfo: credentials.CommonAuthInfo{SecurityLevel: credentials.PrivacyAndIntegrity},
	}, nil
}

func (finished) ClientHandshake(context.Context, string, net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return nil, nil, errors.New("the credentials of a door are for servers only")
}

func (finished) Info() credentials.ProtocolInfo {
	return credentials.ProtocolInfo{SecurityProtocol: "tls"}
}

func (f finished) Clone() credentials.TransportCredentials { return f }

func (finished) OverrideServerName(string) error { return nil }
