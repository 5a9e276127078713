package door

import (
	"context"
	"crypto/tls"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/valyala/fasthttp"
	"golang.org/x/sys/unix"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// The benchmarks compare servers behind a door with the same servers on a bare listener: rounds of both take turns, and
// what is reported are the medians of their times, and of the ratios door/bare of wall time and of processor time of
// each round, with the quartiles of the latter. The client runs in the same process. Run them with
//
//	go test -run '^$' -bench . -benchtime 1x ./frontend/door
const rounds = 31

// compare runs n operations on a bare server and behind a door in alternating rounds.
func compare(b *testing.B, n int, bare, door func(n int)) {
	b.Helper()
	for b.Loop() {
		var times [2][]float64 // µs an operation
		var wall, cpu []float64
		bare(n / 10)
		door(n / 10)
		for round := range rounds {
			var took, used [2]float64
			for turn := range 2 {
				which := (round + turn) % 2 // neither always goes first
				began, before := time.Now(), processorTime(b)
				[]func(int){bare, door}[which](n)
				took[which], used[which] = time.Since(began).Seconds(), (processorTime(b) - before).Seconds()
				times[which] = append(times[which], took[which]/float64(n)*1e6)
			}
			wall, cpu = append(wall, took[1]/took[0]), append(cpu, used[1]/used[0])
		}
		b.ReportMetric(quartile(times[0], 2), "bare-µs")
		b.ReportMetric(quartile(times[1], 2), "door-µs")
		b.ReportMetric(quartile(wall, 2), "wall-ratio")
		b.ReportMetric(quartile(cpu, 1), "cpu-ratio-q1")
		b.ReportMetric(quartile(cpu, 2), "cpu-ratio")
		b.ReportMetric(quartile(cpu, 3), "cpu-ratio-q3")
		b.ReportMetric(0, "ns/op")
	}
}

func quartile(v []float64, q int) float64 {
	slices.Sort(v)
	return v[(len(v)-1)*q/4]
}

// processorTime is what this process has used of all cores.
func processorTime(b *testing.B) time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// pair is a gRPC and an HTTP server on bare listeners, and the same behind a door.
func pair(b *testing.B, config *tls.Config) (grpcBare, httpBare, door string) {
	b.Helper()
	listen := func() net.Listener {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			b.Fatal(err)
		}
		return l
	}
	creds := insecure.NewCredentials()
	lg, lh := listen(), listen()
	if config != nil {
		creds = credentials.NewTLS(config)
		lh = tls.NewListener(lh, config)
	}
	g := grpc.NewServer(grpc.Creds(creds))
	g.RegisterService(&echo, nil)
	h := &fasthttp.Server{Handler: respond}
	go g.Serve(lg)
	go h.Serve(lh)
	b.Cleanup(func() { g.Stop(); lh.Close() })
	s := serve(b, Options{GRPC: true, HTTP: true, TLS: config})
	return lg.Addr().String(), lh.Addr().String(), s.port()
}

// payload is about as long as a text to be embedded, bytes.
var payload = make([]byte, 100)

func dialGRPC(b *testing.B, address string, creds credentials.TransportCredentials) *grpc.ClientConn {
	b.Helper()
	c, err := grpc.NewClient("passthrough:"+address, grpc.WithTransportCredentials(creds))
	if err != nil {
		b.Fatal(err)
	}
	return c
}

func echoOnce(b *testing.B, c *grpc.ClientConn) {
	if err := c.Invoke(context.Background(), "/test.Echo/Echo", wrapperspb.Bytes(payload), &wrapperspb.BytesValue{}); err != nil {
		b.Error(err)
	}
}

// share divides n operations among workers.
func share(n, workers int, work func(n int)) {
	var group sync.WaitGroup
	for range workers {
		group.Go(func() { work(n / workers) })
	}
	group.Wait()
}

// BenchmarkGRPC makes calls in parallel over one connection.
func BenchmarkGRPC(b *testing.B) {
	run := func(server *tls.Config, creds credentials.TransportCredentials) func(b *testing.B) {
		return func(b *testing.B) {
			bare, _, door := pair(b, server)
			over := func(address string) func(int) {
				c := dialGRPC(b, address, creds)
				b.Cleanup(func() { c.Close() })
				return func(n int) {
					share(n, 32, func(n int) {
						for range n {
							echoOnce(b, c)
						}
					})
				}
			}
			compare(b, 4000, over(bare), over(door))
		}
	}
	server, client := serverTLS(b)
	b.Run("plain", run(nil, insecure.NewCredentials()))
	b.Run("tls", run(server, credentials.NewTLS(client)))
}

// BenchmarkGRPCConnections makes a connection for each call.
func BenchmarkGRPCConnections(b *testing.B) {
	run := func(server *tls.Config, creds credentials.TransportCredentials) func(b *testing.B) {
		return func(b *testing.B) {
			bare, _, door := pair(b, server)
			over := func(address string) func(int) {
				return func(n int) {
					share(n, 4, func(n int) {
						for range n {
							c := dialGRPC(b, address, creds)
							echoOnce(b, c)
							c.Close()
						}
					})
				}
			}
			compare(b, 200, over(bare), over(door))
		}
	}
	server, client := serverTLS(b)
	b.Run("plain", run(nil, insecure.NewCredentials()))
	b.Run("tls", run(server, credentials.NewTLS(client)))
}

// postTo sends n requests with a body of size bytes over kept or new connections.
func postTo(b *testing.B, address string, client *tls.Config, keep bool, size, workers int) func(int) {
	h := &fasthttp.HostClient{Addr: address, IsTLS: client != nil, TLSConfig: client, MaxConns: workers}
	scheme := "http://"
	if client != nil {
		scheme = "https://"
	}
	b.Cleanup(h.CloseIdleConnections)
	body := make([]byte, size)
	return func(n int) {
		share(n, workers, func(n int) {
			var q fasthttp.Request
			var r fasthttp.Response
			for range n {
				q.Reset()
				q.Header.SetMethod("POST")
				q.SetRequestURI(scheme + "localhost/")
				q.SetBodyRaw(body)
				if !keep {
					q.SetConnectionClose()
				}
				if err := h.Do(&q, &r); err != nil || r.StatusCode() != 200 {
					b.Error(r.StatusCode(), err)
				}
			}
		})
	}
}

// BenchmarkHTTP makes requests over kept connections: short ones, and ones whose answer is longer than fasthttp's buffer,
// which it sends with one system call only where it sees a *net.TCPConn.
func BenchmarkHTTP(b *testing.B) {
	server, client := serverTLS(b)
	run := func(server, client *tls.Config, size, n int) func(b *testing.B) {
		return func(b *testing.B) {
			_, bare, door := pair(b, server)
			compare(b, n, postTo(b, bare, client, true, size, 8), postTo(b, door, client, true, size, 8))
		}
	}
	b.Run("plain", run(nil, nil, 100, 5000))
	b.Run("plain-64KiB", run(nil, nil, 64<<10, 1000))
	b.Run("tls", run(server, client, 100, 5000))
}

// BenchmarkHTTPConnections makes a connection for each request.
func BenchmarkHTTPConnections(b *testing.B) {
	server, client := serverTLS(b)
	run := func(server, client *tls.Config, n int) func(b *testing.B) {
		return func(b *testing.B) {
			_, bare, door := pair(b, server)
			compare(b, n, postTo(b, bare, client, false, 100, 4), postTo(b, door, client, false, 100, 4))
		}
	}
	b.Run("plain", run(nil, nil, 600))
	b.Run("tls", run(server, client, 200))
}
