package door

import (
	"context"
	"crypto/tls"
	"math"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// BenchmarkUploads compares a door that watches gRPC messages as they arrive, "door", with one that does not, "bare":
// calls in parallel over one connection, and tiny messages of a stream.
func BenchmarkUploads(b *testing.B) {
	run := func(config *tls.Config, creds credentials.TransportCredentials, n int, work func(c *grpc.ClientConn, n int)) func(b *testing.B) {
		return func(b *testing.B) {
			over := func(o Options) func(int) {
				o.GRPC, o.TLS = true, config
				s := serve(b, o, grpc.InitialWindowSize(1<<20), grpc.InitialConnWindowSize(4<<20))
				c := s.client(creds)
				b.Cleanup(func() { c.Close() })
				return func(n int) { work(c, n) }
			}
			compare(b, n, over(Options{}), over(Options{Uploads: uploads(math.MaxInt64, time.Hour)}))
		}
	}
	calls := func(size int) func(c *grpc.ClientConn, n int) {
		message := make([]byte, size)
		return func(c *grpc.ClientConn, n int) {
			share(n, 16, func(n int) {
				for range n {
					stream, err := c.NewStream(context.Background(), &echo.Streams[0], "/test.Echo/Count")
					if err == nil {
						stream.SendMsg(wrapperspb.Bytes(message))
						stream.CloseSend()
						err = stream.RecvMsg(&wrapperspb.BytesValue{})
					}
					if err != nil {
						b.Error(err)
					}
				}
			})
		}
	}
	tiny := func(c *grpc.ClientConn, n int) {
		stream, err := c.NewStream(context.Background(), &echo.Streams[0], "/test.Echo/Count")
		if err != nil {
			b.Fatal(err)
		}
		for message := wrapperspb.Bytes(make([]byte, 10)); n > 0; n-- {
			stream.SendMsg(message)
		}
		stream.CloseSend()
		if err := stream.RecvMsg(&wrapperspb.BytesValue{}); err != nil {
			b.Error(err)
		}
	}
	server, client := serverTLS(b)
	b.Run("1MiB", run(nil, insecure.NewCredentials(), 160, calls(1<<20)))
	b.Run("1MiB-tls", run(server, credentials.NewTLS(client), 160, calls(1<<20)))
	b.Run("100B", run(nil, insecure.NewCredentials(), 3200, calls(100)))
	b.Run("tiny", run(nil, insecure.NewCredentials(), 40000, tiny))
}
