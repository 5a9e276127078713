package door

import (
	"crypto/tls"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"clipd/frontend/certs/certstest"
)

func TestPlain(t *testing.T) {
	s := serve(t, Options{GRPC: true, HTTP: true})
	if got, err := s.callPlain("hello"); err != nil || got != "hello" {
		t.Errorf("gRPC: %q, %v", got, err)
	}
	if got, err := s.callPlain("who"); err != nil || got != "insecure" {
		t.Errorf("the security that gRPC sees: %q, %v", got, err)
	}
	r, got, err := s.post(nil, "hello")
	if err != nil || got != "you said hello" || r.Header.Get("X-TLS") != "false" {
		t.Errorf("HTTP: %q, %v, %v", got, r, err)
	}
	// More than fits into the first read.
	long := strings.Repeat("x", 3*headSize)
	if _, got, err := s.post(nil, long); err != nil || got != "you said "+long {
		t.Errorf("HTTP with a long body: %d bytes, %v", len(got), err)
	}
	if got, err := s.callPlain(long); err != nil || got != long {
		t.Errorf("gRPC with a long message: %d bytes, %v", len(got), err)
	}
	eventually(t, "connections are still counted", func() bool { return s.o.Connections.Open() == 0 })
}

// TestByteByByte sends requests whose first bytes are those of the HTTP/2 preface, or not, one at a time.
func TestByteByByte(t *testing.T) {
	s := serve(t, Options{GRPC: true, HTTP: true})
	drip := func(c net.Conn, text string) {
		t.Helper()
		for i := range len(text) {
			if _, err := c.Write([]byte(text[i : i+1])); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Millisecond)
		}
	}
	for _, method := range []string{"POST", "PUT", "PROPFIND", "PRI", "GET"} {
		c := s.dial()
		drip(c, method+" /x HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
		if r, got := readAnswer(t, c); r.StatusCode != 200 || got != "you said " {
			t.Errorf("%s: %d %q", method, r.StatusCode, got)
		}
	}
	c := s.dial()
	drip(c, string(preface)+"\x00\x00\x00\x04\x00\x00\x00\x00\x00") // and empty SETTINGS
	settings := make([]byte, 9)
	if _, err := io.ReadFull(c, settings); err != nil || settings[3] != 4 {
		t.Errorf("the answer to the HTTP/2 preface: % x, %v; want SETTINGS", settings, err)
	}
}

func TestTLS(t *testing.T) {
	server, client := serverTLS(t)
	s := serve(t, Options{GRPC: true, HTTP: true, TLS: server})
	if got, err := s.call("who", credentials.NewTLS(client)); err != nil || got != "tls h2 PrivacyAndIntegrity " {
		t.Errorf("gRPC: %q, %v", got, err)
	}
	long := strings.Repeat("x", 5*headSize)
	if got, err := s.call(long, credentials.NewTLS(client)); err != nil || got != long {
		t.Errorf("gRPC with a long message: %d bytes, %v", len(got), err)
	}
	raw := func(protocols ...string) *tls.Conn {
		t.Helper()
		config := client.Clone()
		config.NextProtos = protocols
		conn := tls.Client(s.dial(), config)
		if err := conn.Handshake(); err != nil {
			t.Fatal(err)
		}
		return conn
	}
	const request = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello"
	for _, protocols := range [][]string{nil, {"http/1.1"}} {
		conn := raw(protocols...)
		io.WriteString(conn, request)
		r, got := readAnswer(t, conn)
		if got != "you said hello" || r.Header.Get("X-TLS") != "true" {
			t.Errorf("HTTP with ALPN %q: %q, %v", protocols, got, r.Header)
		}
	}
	for _, protocols := range [][]string{nil, {"http/1.1"}} {
		conn := raw(protocols...)
		conn.Write(preface)
		if r, got := readAnswer(t, conn); r.StatusCode != 505 || !strings.Contains(got, "ALPN") {
			t.Errorf("HTTP/2 with ALPN %q: %d %q", protocols, r.StatusCode, got)
		}
	}
	if _, got, err := s.post(client, long); err != nil || got != "you said "+long {
		t.Errorf("https: %d bytes, %v", len(got), err)
	}
	conn := raw("h2", "http/1.1")
	if p := conn.ConnectionState().NegotiatedProtocol; p != "http/1.1" {
		t.Errorf("a client of both protocols gets %q", p)
	}
}

func TestClientCertificateReachesHandlers(t *testing.T) {
	server, client := serverTLS(t)
	staff := certstest.NewAuthority(t, "staff")
	server.ClientAuth, server.ClientCAs = tls.VerifyClientCertIfGiven, staff.Pool()
	client.Certificates = []tls.Certificate{staff.Pair("ada")}
	s := serve(t, Options{GRPC: true, HTTP: true, TLS: server})
	if got, err := s.call("who", credentials.NewTLS(client)); err != nil || got != "tls h2 PrivacyAndIntegrity ada" {
		t.Errorf("gRPC: %q, %v", got, err)
	}
	if r, _, err := s.post(client, ""); err != nil || r.Header.Get("X-Name") != "ada" {
		t.Errorf("HTTP: %v, %v", r, err)
	}
}

func TestClosedDoors(t *testing.T) {
	server, client := serverTLS(t)
	unavailable := func(s *served, creds credentials.TransportCredentials, want string) {
		t.Helper()
		var err error
		if creds == nil {
			_, err = s.callPlain("hello")
		} else {
			_, err = s.call("hello", creds)
		}
		if status.Code(err) != codes.Unavailable || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want Unavailable with %q", err, want)
		}
	}
	misdirected := func(s *served, config *tls.Config) {
		t.Helper()
		r, got, err := s.post(config, "hello")
		if err != nil || r.StatusCode != 421 || !strings.Contains(got, "gRPC only") || !r.Close {
			t.Errorf("%v %q, %v", r, got, err)
		}
	}
	s := serve(t, Options{HTTP: true})
	unavailable(s, nil, "HTTP/1.1 header")
	s = serve(t, Options{HTTP: true, TLS: server})
	unavailable(s, credentials.NewTLS(client), "no application protocol")
	s = serve(t, Options{GRPC: true})
	misdirected(s, nil)
	if got, err := s.callPlain("hello"); err != nil || got != "hello" {
		t.Errorf("the door that is open: %q, %v", got, err)
	}
	c := s.dial()
	c.Write([]byte{1, 2, 3, 4})
	expectClosed(t, c)
	c = s.dial()
	io.WriteString(c, "HEAD / HTTP/1.1\r\nHost: x\r\n\r\n")
	if b, err := io.ReadAll(c); err != nil || !strings.HasSuffix(string(b), "\r\n\r\n") || !strings.HasPrefix(string(b), "HTTP/1.1 421 ") {
		t.Errorf("HEAD: %q, %v", b, err)
	}
	s = serve(t, Options{GRPC: true, TLS: server})
	misdirected(s, client)
}

func TestWrongSecurity(t *testing.T) {
	server, client := serverTLS(t)
	s := serve(t, Options{GRPC: true, HTTP: true, TLS: server})
	r, got, err := s.post(nil, strings.Repeat("a body that is in the way of the answer", 1000))
	if err != nil || r.StatusCode != 400 || !strings.Contains(got, "https://") {
		t.Errorf("http to a port of TLS: %v %q, %v", r, got, err)
	}
	if _, err := s.callPlain("hello"); status.Code(err) != codes.Unavailable {
		t.Errorf("plain gRPC to a port of TLS: %v", err)
	}
	c := s.dial()
	c.Write([]byte("garbage and more"))
	expectClosed(t, c)

	s = serve(t, Options{GRPC: true, HTTP: true})
	if _, err := s.call("hello", credentials.NewTLS(client)); status.Code(err) != codes.Unavailable || !strings.Contains(err.Error(), "unexpected message") {
		t.Errorf("gRPC over TLS to a port of plain text: %v", err)
	}
	if _, _, err := s.post(client, ""); err == nil || !strings.Contains(err.Error(), "unexpected message") {
		t.Errorf("https to a port of plain text: %v", err)
	}
}

func TestGarbageGoesToHTTP(t *testing.T) {
	s := serve(t, Options{GRPC: true, HTTP: true})
	for _, text := range []string{"\x00\x01\x02\x03\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n", "P\r\n\r\n", "\xff\xff\r\n\r\n"} {
		c := s.dial()
		io.WriteString(c, text)
		if r, _ := readAnswer(t, c); r.StatusCode != 400 {
			t.Errorf("%q: status %d, want 400", text, r.StatusCode)
		}
	}
}

func TestSilentClientsAreClosed(t *testing.T) {
	server, client := serverTLS(t)
	defer noLeak(t)()
	check := func(o Options, text string) {
		t.Helper()
		o.GRPC, o.HTTP, o.HandshakeTimeout = true, true, 100*time.Millisecond
		s := serve(t, o)
		c := s.dial()
		io.WriteString(c, text)
		expectClosed(t, c)
		s.stop()
	}
	check(Options{}, "")
	check(Options{}, "P")
	check(Options{}, string(preface[:len(preface)-1]))
	check(Options{TLS: server}, "")
	check(Options{TLS: server}, "\x16")
	check(Options{TLS: server}, "\x16\x03\x01\x02\x00\x01\x00")

	s := serve(t, Options{GRPC: true, HTTP: true, TLS: server, HandshakeTimeout: 2 * time.Second})
	conn := tls.Client(s.dial(), client)
	if err := conn.Handshake(); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Read(make([]byte, 1)); err == nil || strings.Contains(err.Error(), "timeout") {
		t.Errorf("after a handshake without ALPN and silence: %v, want it closed", err)
	}
	s.stop()
}

// TestDeadlineEndsWithTheLook sees that a connection that was handed out may be silent.
func TestDeadlineEndsWithTheLook(t *testing.T) {
	s := serve(t, Options{GRPC: true, HTTP: true, HandshakeTimeout: time.Second})
	c := s.dial()
	io.WriteString(c, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nConnection: close\r\n\r\na")
	time.Sleep(1200 * time.Millisecond)
	io.WriteString(c, "b")
	if _, got := readAnswer(t, c); got != "you said ab" {
		t.Errorf("%q", got)
	}
}

func TestHalfClosedClientIsAnswered(t *testing.T) {
	s := serve(t, Options{GRPC: true, HTTP: true})
	c := s.dial()
	io.WriteString(c, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nConnection: close\r\n\r\nab")
	c.(*net.TCPConn).CloseWrite()
	if _, got := readAnswer(t, c); got != "you said ab" {
		t.Errorf("%q", got)
	}
}

func TestOpenRefusesNonsense(t *testing.T) {
	if _, err := Open(Options{Address: "127.0.0.1:0"}); err == nil || !strings.Contains(err.Error(), "neither gRPC nor HTTP") {
		t.Errorf("no door at all: %v", err)
	}
	s := serve(t, Options{HTTP: true})
	if _, err := Open(Options{Address: s.port(), HTTP: true}); err == nil || !strings.Contains(err.Error(), s.port()) {
		t.Errorf("a port in use: %v", err)
	}
	if _, err := s.GRPC().Accept(); err != net.ErrClosed {
		t.Errorf("Accept of a closed door: %v", err)
	}
}

// TestCut shows that a handler can end the connection of its caller, and that it is counted once.
func TestCut(t *testing.T) {
	defer noLeak(t)()
	for _, secure := range []bool{false, true} {
		o, credential := Options{GRPC: true}, insecure.NewCredentials()
		if secure {
			var client *tls.Config
			o.TLS, client = serverTLS(t)
			credential = credentials.NewTLS(client)
		}
		s := serve(t, o)
		conn, err := grpc.NewClient("passthrough:"+s.port(), grpc.WithTransportCredentials(credential))
		if err != nil {
			t.Fatal(err)
		}
		err = conn.Invoke(t.Context(), "/test.Echo/Echo", wrapperspb.Bytes([]byte("cut")), &wrapperspb.BytesValue{})
		if status.Code(err) != codes.Unavailable {
			t.Errorf("secure %v: %v", secure, err)
		}
		conn.Close()
		eventually(t, "the connection is counted still", func() bool { return s.o.Connections.Open() == 0 })
		s.stop()
	}
}
