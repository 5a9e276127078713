package door

import (
	"context"
	"fmt"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// BenchmarkWindows measures what the HTTP/2 window of a stream is worth: 8 clients send 32 pictures of 80 kB each, 8 of
// them in a message, over loopback and over connections whose round trip takes 20 ms. The sizes take turns.
func BenchmarkWindows(b *testing.B) {
	const clients, messages, size = 8, 4, 8 * 80_000
	sizes := []int32{256 << 10, 512 << 10, 1 << 20, 4 << 20}
	for _, delay := range []time.Duration{0, 10 * time.Millisecond} {
		b.Run(fmt.Sprintf("rtt=%v", 2*delay), func(b *testing.B) {
			message := wrapperspb.Bytes(make([]byte, size))
			var work []func()
			for _, window := range sizes {
				s := serve(b, Options{GRPC: true}, grpc.InitialWindowSize(window), grpc.InitialConnWindowSize(4<<20))
				address := s.port()
				if delay > 0 {
					address = delayed(b, address, delay)
				}
				var all []*grpc.ClientConn
				for range clients {
					c, err := grpc.NewClient("passthrough:"+address, grpc.WithTransportCredentials(insecure.NewCredentials()))
					if err != nil {
						b.Fatal(err)
					}
					b.Cleanup(func() { c.Close() })
					all = append(all, c)
				}
				work = append(work, func() {
					var group sync.WaitGroup
					for _, c := range all {
						group.Go(func() {
							stream, err := c.NewStream(context.Background(), &echo.Streams[0], "/test.Echo/Count")
							for range messages {
								if err == nil {
									err = stream.SendMsg(message)
								}
							}
							if err == nil {
								stream.CloseSend()
								err = stream.RecvMsg(&wrapperspb.BytesValue{})
							}
							if err != nil {
								b.Error(err)
							}
						})
					}
					group.Wait()
				})
			}
			for b.Loop() {
				times := make([][]float64, len(sizes))
				ratios := make([][]float64, len(sizes))
				for round := range rounds + 1 {
					took := make([]float64, len(sizes))
					for turn := range sizes {
						i := (turn + round) % len(sizes)
						began := time.Now()
						work[i]()
						took[i] = time.Since(began).Seconds()
					}
					for i := range sizes {
						if round > 0 { // the first connects
							times[i] = append(times[i], clients*messages*size/took[i]/1e6)
							ratios[i] = append(ratios[i], took[len(sizes)-1]/took[i])
						}
					}
				}
				for i, window := range sizes {
					b.ReportMetric(quartile(times[i], 2), fmt.Sprintf("MB/s-%dKiB", window>>10))
					b.ReportMetric(quartile(ratios[i], 2), fmt.Sprintf("of-4MiB-%dKiB", window>>10))
				}
				b.ReportMetric(0, "ns/op")
			}
		})
	}
}

// delayed is the address of a proxy that holds all bytes back for that long, each way.
func delayed(b *testing.B, to string, delay time.Duration) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { l.Close() })
	type part struct {
		bytes []byte
		due   time.Time
	}
	pipe := func(from, to net.Conn) {
		parts := make(chan part, 4096)
		go func() {
			defer to.Close()
			for p := range parts {
				time.Sleep(time.Until(p.due))
				if _, err := to.Write(p.bytes); err != nil {
					io.Copy(io.Discard, from)
				}
			}
		}()
		defer close(parts)
		for {
			buf := make([]byte, 64<<10)
			n, err := from.Read(buf)
			if n > 0 {
				parts <- part{buf[:n], time.Now().Add(delay)}
			}
			if err != nil {
				return
			}
		}
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", to)
			if err != nil {
				c.Close()
				continue
			}
			go pipe(c, server)
			go pipe(server, c)
		}
	}()
	return l.Addr().String()
}
