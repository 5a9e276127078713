package door

import (
	"context"
	"crypto/tls"
	"io"
	"math/rand/v2"
	"net"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"clipd/frontend/certs"
	"clipd/frontend/certs/certstest"
)

func TestCloseLeavesHandedOutAlone(t *testing.T) {
	defer noLeak(t)()
	s := serve(t, Options{GRPC: true, HTTP: true})
	conn, err := grpc.NewClient("passthrough:"+s.port(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	call := func() error {
		return conn.Invoke(context.Background(), "/test.Echo/Echo", wrapperspb.Bytes([]byte("x")), &wrapperspb.BytesValue{})
	}
	if err := call(); err != nil {
		t.Fatal(err)
	}
	web := s.dial()
	io.WriteString(web, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nConnection: close\r\n\r\na")
	silent := s.dial()
	eventually(t, "not all connections are there", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.o.Connections.Open() == 3 && len(s.undecided) == 1
	})
	s.Door.Close()
	expectClosed(t, silent)
	if err := call(); err != nil {
		t.Errorf("a call over a connection that was handed out: %v", err)
	}
	io.WriteString(web, "b")
	if _, got := readAnswer(t, web); got != "you said ab" {
		t.Errorf("a request that was being read: %q", got)
	}
	if _, err := net.Dial("tcp", s.port()); err == nil {
		t.Error("the port is still open")
	}
	for _, l := range []net.Listener{s.GRPC(), s.HTTP()} {
		if _, err := l.Accept(); err != net.ErrClosed {
			t.Errorf("Accept after Close: %v, want net.ErrClosed", err)
		}
	}
	if err := s.Door.Close(); err != nil {
		t.Errorf("closing twice: %v", err)
	}
	conn.Close()
	s.stop()
}

// TestDrainHandsOutWhatWasAccepted shows that a caller who connected before the end is served, and nobody after.
func TestDrainHandsOutWhatWasAccepted(t *testing.T) {
	defer noLeak(t)()
	s := serve(t, Options{GRPC: true, HTTP: true})
	web, silent := s.dial(), s.dial()
	eventually(t, "not all connections are there", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return len(s.undecided) == 2
	})
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	drained := make(chan error, 1)
	go func() { drained <- s.Drain(ctx) }()
	eventually(t, "the port is still open", func() bool {
		c, err := net.Dial("tcp", s.port())
		if err == nil {
			c.Close()
		}
		return err != nil
	})
	io.WriteString(web, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nConnection: close\r\n\r\nab")
	if _, got := readAnswer(t, web); got != "you said ab" {
		t.Errorf("a request on a connection that was accepted: %q", got)
	}
	if err := <-drained; err != nil {
		t.Error(err)
	}
	s.Door.Close()
	expectClosed(t, silent)
	web.Close()
	silent.Close()
	s.stop()
}

// TestServersCloseTheDoor stops the servers one after the other, as they do it themselves.
func TestServersCloseTheDoor(t *testing.T) {
	s := serve(t, Options{GRPC: true, HTTP: true})
	s.grpc.GracefulStop()
	if _, got, err := s.post(nil, "hello"); err != nil || got != "you said hello" {
		t.Errorf("HTTP after gRPC has stopped: %q, %v", got, err)
	}
	c := s.dial()
	c.Write(preface)
	if r, _ := readAnswer(t, c); r.StatusCode != 503 || r.Header.Get("Retry-After") == "" {
		t.Errorf("gRPC after it has stopped: %v", r)
	}
	if err := s.http.Shutdown(); err != nil {
		t.Error(err)
	}
	if c, err := net.Dial("tcp", s.port()); err == nil {
		c.Close()
		t.Error("the port is still open after both servers have stopped")
	}
}

// TestNobodyAccepts fills a door that no server takes connections from, and closes it.
func TestNobodyAccepts(t *testing.T) {
	defer noLeak(t)()
	d, err := Open(Options{Address: "127.0.0.1:0", GRPC: true, HTTP: true})
	if err != nil {
		t.Fatal(err)
	}
	var conns []net.Conn
	for i := range 40 {
		c, err := net.Dial("tcp", d.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		c.Write([][]byte{preface, []byte("GET / HTTP/1.1\r\n\r\n"), []byte("P"), nil}[i%4])
		conns = append(conns, c)
	}
	eventually(t, "the connections are not counted", func() bool { return d.o.Connections.Open() == 40 })
	d.Close()
	if n := d.o.Connections.Open(); n != 0 {
		t.Errorf("%d connections are counted after Close", n)
	}
	for _, c := range conns {
		c.SetDeadline(time.Now().Add(30 * time.Second))
		expectClosed(t, c)
		c.Close()
	}
}

// TestCloseUnderLoad closes the door while connections come in from all sides; each is handed out or closed.
func TestCloseUnderLoad(t *testing.T) {
	defer noLeak(t)()
	for range 20 {
		d, err := Open(Options{Address: "127.0.0.1:0", GRPC: true, HTTP: true})
		if err != nil {
			t.Fatal(err)
		}
		var accepted, clients sync.WaitGroup
		for _, l := range []net.Listener{d.GRPC(), d.HTTP(), d.HTTP()} {
			accepted.Go(func() {
				for {
					c, err := l.Accept()
					if err != nil {
						return
					}
					c.Close()
				}
			})
		}
		var made atomic.Int32
		for i := range 4 {
			clients.Go(func() {
				for {
					c, err := net.Dial("tcp", d.Addr().String())
					if err != nil {
						return
					}
					made.Add(1)
					c.Write([][]byte{preface, []byte("GET / HTTP/1.1\r\n\r\n")}[i%2])
					c.Close()
				}
			})
		}
		eventually(t, "no connections come", func() bool { return made.Load() > 8 })
		d.Close()
		accepted.Wait()
		clients.Wait()
		if n := d.o.Connections.Open(); n != 0 {
			t.Fatalf("%d connections are counted after all were closed", n)
		}
	}
}

func TestThousandConnections(t *testing.T) {
	defer noLeak(t)()
	s := serve(t, Options{GRPC: true, HTTP: true})
	var group sync.WaitGroup
	for range 20 {
		group.Go(func() {
			for range 50 {
				c, err := net.Dial("tcp", s.port())
				if err != nil {
					t.Error(err)
					return
				}
				c.SetDeadline(time.Now().Add(60 * time.Second))
				io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
				if b, err := io.ReadAll(c); err != nil || len(b) == 0 {
					t.Errorf("%q, %v", b, err)
				}
				c.Close()
			}
		})
	}
	group.Wait()
	s.stop()
}

// TestOddClients lets many clients of every kind, most of them bad, come at the same time, over limits that they reach.
func TestOddClients(t *testing.T) {
	for name, encrypted := range map[string]bool{"plain": false, "tls": true} {
		t.Run(name, func(t *testing.T) {
			server, client := serverTLS(t)
			defer noLeak(t)()
			o := Options{GRPC: true, HTTP: true, HandshakeTimeout: 300 * time.Millisecond, Connections: &Connections{Max: 60}}
			if encrypted {
				o.TLS = server
			}
			s := serve(t, o)
			texts := []string{"", "P", "PRI * HT", string(preface), string(preface) + "garbage", "GET / HTTP/1.1\r\n\r\n", "POST / HT", "\x16\x03\x01",
				"\x00\xff", "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "\x16\x03\x01\x00\x05hello"}
			var group sync.WaitGroup
			for range 16 {
				group.Go(func() {
					for range 25 {
						c, err := net.Dial("tcp", s.port())
						if err != nil {
							t.Error(err)
							return
						}
						tcp := c.(*net.TCPConn)
						c.SetDeadline(time.Now().Add(time.Second))
						if rand.IntN(2) == 0 && encrypted {
							config := client.Clone()
							config.NextProtos = [][]string{nil, {"h2"}, {"http/1.1"}, {"nonsense"}}[rand.IntN(4)]
							c = tls.Client(c, config)
						}
						io.WriteString(c, texts[rand.IntN(len(texts))])
						switch rand.IntN(5) {
						case 0:
							tcp.SetLinger(0) // a reset
						case 1:
							tcp.CloseWrite()
							c.SetDeadline(time.Now().Add(100 * time.Millisecond))
							io.Copy(io.Discard, c)
						case 2:
							c.SetDeadline(time.Now().Add(50 * time.Millisecond))
							io.Copy(io.Discard, c)
						}
						tcp.Close()
					}
				})
			}
			group.Wait()
			eventually(t, "connections are still counted", func() bool { return s.o.Connections.Open() == 0 })
			creds := insecure.NewCredentials()
			if encrypted {
				creds = credentials.NewTLS(client)
			}
			if got, err := s.call("still here", creds); err != nil || got != "still here" {
				t.Errorf("afterwards: %q, %v", got, err)
			}
			s.stop()
			if len(s.o.Connections.perAddress) != 0 {
				t.Errorf("addresses are still counted: %v", s.o.Connections.perAddress)
			}
		})
	}
}

// TestCertificateChangesWhileShaking renews the certificate under handshakes of both protocols.
func TestCertificateChangesWhileShaking(t *testing.T) {
	authority := certstest.NewAuthority(t, "authority")
	dir := t.TempDir()
	o := certs.Options{CertFile: filepath.Join(dir, "cert.pem"), KeyFile: filepath.Join(dir, "key.pem")}
	renewed := make(chan error, 100)
	o.OnReload = func(err error) { renewed <- err }
	write := func(name string) {
		cert, key := authority.Issue(name)
		certstest.Write(t, o.CertFile, cert)
		certstest.Write(t, o.KeyFile, key)
	}
	write("first")
	config, err := certs.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	s := serve(t, Options{GRPC: true, HTTP: true, TLS: config})
	httpOnly := serve(t, Options{HTTP: true, TLS: config})
	client := &tls.Config{RootCAs: authority.Pool(), ServerName: "localhost"}
	stop := make(chan struct{})
	var group sync.WaitGroup
	for i := range 3 {
		group.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				var err error
				switch i {
				case 0:
					_, err = s.call("x", credentials.NewTLS(client))
				case 1:
					_, _, err = s.post(client, "x")
				case 2:
					_, _, err = httpOnly.post(client, "x")
				}
				if err != nil {
					t.Errorf("client %d: %v", i, err)
				}
			}
		})
	}
	write("second")
	for { // a look between the two files reports a mismatch first
		if err := <-renewed; err == nil {
			break
		}
	}
	close(stop)
	group.Wait()
	for _, s := range []*served{s, httpOnly} {
		conn, err := tls.Dial("tcp", s.port(), client)
		if err != nil {
			t.Fatal(err)
		}
		if name := conn.ConnectionState().PeerCertificates[0].Subject.CommonName; name != "second" {
			t.Errorf("the certificate of %q is in use", name)
		}
		conn.Close()
	}
}

// TestSessionsAreResumed sees that tickets are good for a door that narrows what the configuration offers.
func TestSessionsAreResumed(t *testing.T) {
	authority := certstest.NewAuthority(t, "authority")
	dir := t.TempDir()
	o := certs.Options{CertFile: filepath.Join(dir, "cert.pem"), KeyFile: filepath.Join(dir, "key.pem")}
	cert, key := authority.Issue("first")
	certstest.Write(t, o.CertFile, cert)
	certstest.Write(t, o.KeyFile, key)
	config, err := certs.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	s := serve(t, Options{HTTP: true, TLS: config})
	client := &tls.Config{RootCAs: authority.Pool(), ServerName: "localhost", ClientSessionCache: tls.NewLRUClientSessionCache(4)}
	for _, want := range []bool{false, true, true} {
		r, _, err := s.post(client, "x")
		if err != nil || r.TLS.DidResume != want {
			t.Fatalf("resumed %v, %v; want %v", r.TLS.DidResume, err, want)
		}
	}
}
