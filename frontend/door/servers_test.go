package door

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/valyala/fasthttp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"clipd/frontend/certs/certstest"
)

// TestMain starts what fasthttp keeps running for ever, before any test counts goroutines.
func TestMain(m *testing.M) {
	var response fasthttp.Response
	if err := response.Write(bufio.NewWriter(io.Discard)); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// echo is a gRPC service with one unary method that answers what it gets.
var echo = grpc.ServiceDesc{ServiceName: "test.Echo", HandlerType: (*any)(nil), Methods: []grpc.MethodDesc{{
	MethodName: "Echo",
	Handler: func(_ any, ctx context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
		in := &wrapperspb.BytesValue{}
		if err := decode(in); err != nil {
			return nil, err
		}
		if string(in.Value) == "who" {
			p, _ := peer.FromContext(ctx)
			in.Value = []byte(describe(p.AuthInfo))
		}
		if string(in.Value) == "cut" {
			p, _ := peer.FromContext(ctx)
			p.AuthInfo.(Peer).Cut()
		}
		return in, nil
	},
}}, Streams: []grpc.StreamDesc{
	{StreamName: "Count", ClientStreams: true, Handler: func(_ any, stream grpc.ServerStream) error {
		total := 0
		for {
			in := &wrapperspb.BytesValue{}
			if err := stream.RecvMsg(in); err == io.EOF {
				return stream.SendMsg(wrapperspb.Bytes([]byte(fmt.Sprint(total))))
			} else if err != nil {
				return err
			}
			total += len(in.Value)
		}
	}},
	{StreamName: "Refuse", ClientStreams: true, Handler: func(_ any, stream grpc.ServerStream) error {
		if err := stream.RecvMsg(&wrapperspb.BytesValue{}); err != nil {
			return err
		}
		return status.Error(codes.ResourceExhausted, "no more than one")
	}},
}}

// describe tells the security of a connection as the handler sees it.
func describe(a credentials.AuthInfo) string {
	p, ok := a.(Peer)
	if !ok {
		return "nobody"
	}
	info, ok := p.AuthInfo.(credentials.TLSInfo)
	if !ok {
		return a.AuthType()
	}
	name := ""
	if len(info.State.VerifiedChains) > 0 {
		name = info.State.VerifiedChains[0][0].Subject.CommonName
	}
	return fmt.Sprintf("%s %s %v %s", a.AuthType(), info.State.NegotiatedProtocol, info.SecurityLevel, name)
}

// respond is the HTTP handler: it tells whether it is asked over TLS, and gives the body back.
func respond(ctx *fasthttp.RequestCtx) {
	ctx.Response.Header.Set("X-TLS", fmt.Sprint(ctx.IsTLS()))
	if state := ctx.TLSConnectionState(); state != nil && len(state.VerifiedChains) > 0 {
		ctx.Response.Header.Set("X-Name", state.VerifiedChains[0][0].Subject.CommonName)
	}
	ctx.Write(append([]byte("you said "), ctx.PostBody()...))
}

type served struct {
	*Door
	t    testing.TB
	grpc *grpc.Server
	http *fasthttp.Server
	done chan error

	once sync.Once
	raw  []net.Conn // of dial
}

// serve opens a door on a free port with a gRPC and an HTTP server behind it, which end with the test.
func serve(t testing.TB, o Options, more ...grpc.ServerOption) *served {
	t.Helper()
	if o.Address == "" {
		o.Address = "127.0.0.1:0"
	}
	d, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	return serveBehind(t, d, more...)
}

func serveBehind(t testing.TB, d *Door, more ...grpc.ServerOption) *served {
	s := &served{Door: d, t: t, done: make(chan error, 2),
		grpc: grpc.NewServer(append(more, grpc.Creds(Credentials()))...), http: &fasthttp.Server{Handler: respond, Logger: quiet{}, MaxIdleWorkerDuration: 50 * time.Millisecond}}
	s.grpc.RegisterService(&echo, nil)
	go func() { s.done <- s.grpc.Serve(d.GRPC()) }()
	go func() { s.done <- s.http.Serve(d.HTTP()) }()
	t.Cleanup(s.stop)
	return s
}

// stop ends everything, the raw connections too, and waits for it.
func (s *served) stop() {
	s.once.Do(func() {
		s.Close()
		for _, c := range s.raw {
			c.Close() // before Stop, which waits for connections that are silent after TLS
		}
		s.grpc.Stop()
		<-s.done
		<-s.done
		eventually(s.t, "connections are still counted", func() bool { return s.o.Connections.Open() == 0 })
	})
}

type quiet struct{}

func (quiet) Printf(string, ...any) {}

func (s *served) port() string { return s.Addr().String() }

// call makes one call over a connection of its own.
func (s *served) call(text string, creds credentials.TransportCredentials) (string, error) {
	s.t.Helper()
	conn, err := grpc.NewClient("passthrough:"+s.port(), grpc.WithTransportCredentials(creds))
	if err != nil {
		s.t.Fatal(err)
	}
	defer conn.Close()
	// A hanging client fails the test by this deadline, with another code.
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	out := &wrapperspb.BytesValue{}
	err = conn.Invoke(ctx, "/test.Echo/Echo", wrapperspb.Bytes([]byte(text)), out)
	return string(out.Value), err
}

func (s *served) callPlain(text string) (string, error) {
	s.t.Helper()
	return s.call(text, insecure.NewCredentials())
}

// post sends a request over a connection of its own.
func (s *served) post(config *tls.Config, body string) (*http.Response, string, error) {
	s.t.Helper()
	scheme := "http"
	if config != nil {
		scheme = "https"
	}
	transport := &http.Transport{TLSClientConfig: config}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, Timeout: 30 * time.Second}
	r, err := client.Post(scheme+"://"+s.port()+"/", "text/plain", strings.NewReader(body))
	if err != nil {
		return nil, "", err
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	return r, string(b), err
}

// dial opens a raw connection, which is closed by stop and does not wait for ever.
func (s *served) dial() net.Conn {
	s.t.Helper()
	c, err := net.Dial("tcp", s.port())
	if err != nil {
		s.t.Fatal(err)
	}
	c.SetDeadline(time.Now().Add(30 * time.Second))
	s.raw = append(s.raw, c)
	return c
}

// readAnswer reads one HTTP answer off a raw connection.
func readAnswer(t testing.TB, c io.Reader) (*http.Response, string) {
	t.Helper()
	r, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatalf("reading an HTTP answer: %v", err)
	}
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r, string(b)
}

// expectClosed expects the server to close a connection without a byte.
func expectClosed(t testing.TB, c net.Conn) {
	t.Helper()
	b, err := io.ReadAll(c)
	if len(b) > 0 {
		t.Errorf("the connection was answered with %q, want it closed", b)
	}
	if timeout, ok := err.(net.Error); ok && timeout.Timeout() {
		t.Error("the connection was not closed")
	}
}

// eventually waits for a condition that comes true by itself.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			stacks := make([]byte, 1<<20)
			t.Fatalf("%s\n%s", what, stacks[:runtime.Stack(stacks, true)])
		}
	}
}

// descriptors counts the open files of this process.
func descriptors(t testing.TB) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// noLeak notes the goroutines and descriptors there are, and returns a check that they are no more.
func noLeak(t testing.TB) func() {
	t.Helper()
	descriptors(t) // opens what stays open
	goroutines, files := runtime.NumGoroutine(), descriptors(t)
	return func() {
		t.Helper()
		eventually(t, fmt.Sprintf("more than %d goroutines are left", goroutines), func() bool { return runtime.NumGoroutine() <= goroutines })
		eventually(t, fmt.Sprintf("more than %d descriptors are left", files), func() bool { return descriptors(t) <= files })
	}
}

// serverTLS is a configuration of a server, and that of a client which trusts it.
func serverTLS(t testing.TB) (server, client *tls.Config) {
	t.Helper()
	a := certstest.NewAuthority(t, "authority")
	return &tls.Config{Certificates: []tls.Certificate{a.Pair("server")}, MinVersion: tls.VersionTLS12},
		&tls.Config{RootCAs: a.Pool(), ServerName: "localhost"}
}
