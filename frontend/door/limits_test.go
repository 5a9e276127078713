package door

import (
	"bytes"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func TestMax(t *testing.T) {
	var log safeBuffer
	shared := &Connections{Max: 3}
	o := Options{GRPC: true, HTTP: true, Connections: shared, Log: zerolog.New(&log)}
	one, two := serve(t, o), serve(t, o)
	var held []net.Conn
	for range 2 {
		held = append(held, one.dial())
	}
	held = append(held, two.dial())
	eventually(t, "the connections are not counted", func() bool { return shared.Open() == 3 })

	for _, s := range []*served{one, two} {
		r, got, err := s.post(nil, "hello")
		if err != nil || r.StatusCode != 503 || r.Header.Get("Retry-After") != "1" || !strings.Contains(got, "(3)") {
			t.Errorf("HTTP over the limit: %v %q, %v", r, got, err)
		}
		if _, err := s.callPlain("hello"); status.Code(err) != codes.Unavailable {
			t.Errorf("gRPC over the limit: %v", err)
		}
	}
	if shared.Open() != 3 || shared.Refused() < 4 {
		t.Errorf("%d open, %d refused", shared.Open(), shared.Refused())
	}
	if n := strings.Count(log.String(), `"level":"warn"`); n != 2 { // one of each door
		t.Errorf("the log warns %d times of refused connections, want 2:\n%s", n, log.String())
	}
	held[0].Close()
	eventually(t, "the closed connection is still counted", func() bool { return shared.Open() == 2 })
	if _, got, err := two.post(nil, "hello"); err != nil || got != "you said hello" {
		t.Errorf("below the limit again: %q, %v", got, err)
	}
	for _, c := range held {
		c.Close()
	}
}

func TestMaxPerAddress(t *testing.T) {
	shared := &Connections{MaxPerAddress: 1}
	s := serve(t, Options{Address: "0.0.0.0:0", GRPC: true, HTTP: true, Connections: shared})
	_, port, err := net.SplitHostPort(s.port())
	if err != nil {
		t.Fatal(err)
	}
	from := func(source string) net.Conn {
		t.Helper()
		dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(source)}}
		c, err := dialer.Dial("tcp", "127.0.0.1:"+port)
		if err != nil {
			t.Fatal(err)
		}
		c.SetDeadline(time.Now().Add(30 * time.Second))
		s.raw = append(s.raw, c)
		io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		return c
	}
	if r, _ := readAnswer(t, from("127.0.0.1")); r.StatusCode != 200 {
		t.Errorf("the first connection: %d", r.StatusCode)
	}
	if r, _ := readAnswer(t, from("127.0.0.2")); r.StatusCode != 200 {
		t.Errorf("the first connection of another address: %d", r.StatusCode)
	}
	r, got := readAnswer(t, from("127.0.0.1"))
	if r.StatusCode != 429 || r.Header.Get("Retry-After") != "1" || !strings.Contains(got, "(1)") {
		t.Errorf("the second connection: %d %v %q", r.StatusCode, r.Header, got)
	}
	if shared.Open() != 2 || shared.OpenFrom(netip.MustParseAddr("127.0.0.2")) != 1 {
		t.Errorf("%d open, %d from the second address", shared.Open(), shared.OpenFrom(netip.MustParseAddr("127.0.0.2")))
	}
}

func TestOverLimitWithTLSIsClosed(t *testing.T) {
	server, client := serverTLS(t)
	s := serve(t, Options{HTTP: true, TLS: server, Connections: &Connections{Max: 1}})
	s.dial()
	eventually(t, "the connection is not counted", func() bool { return s.o.Connections.Open() == 1 })
	if _, _, err := s.post(client, ""); err == nil {
		t.Error("a connection over the limit was served")
	}
}

// TestRefusalsAreBounded opens far more connections over the limit than are told so at a time, and leaves them silent.
func TestRefusalsAreBounded(t *testing.T) {
	defer noLeak(t)()
	s := serve(t, Options{HTTP: true, Connections: &Connections{Max: 1}})
	s.dial()
	eventually(t, "the connection is not counted", func() bool { return s.o.Connections.Open() == 1 })
	for range 4 * maxTurnedAway {
		if c, err := net.Dial("tcp", s.port()); err == nil { // else it was reset before Dial looked
			s.raw = append(s.raw, c)
		}
	}
	eventually(t, "not every connection was refused", func() bool { return s.o.Connections.Refused() == 4*maxTurnedAway })
	s.mu.Lock()
	n := len(s.undecided)
	s.mu.Unlock()
	if n > maxTurnedAway+1 {
		t.Errorf("%d connections are being refused at a time, want at most %d", n, maxTurnedAway)
	}
	s.stop()
}

func TestNetworks(t *testing.T) {
	check := func(a, b string, same bool) {
		t.Helper()
		if got := network(netip.MustParseAddr(a)) == network(netip.MustParseAddr(b)); got != same {
			t.Errorf("%s and %s count as the same: %v, want %v", a, b, got, same)
		}
	}
	check("192.0.2.1", "192.0.2.1", true)
	check("192.0.2.1", "192.0.2.2", false)
	check("::ffff:192.0.2.1", "192.0.2.1", true)
	check("2001:db8::1", "2001:db8::ffff:1:2:3", true)
	check("2001:db8::1", "2001:db8:0:1::1", false)
	check("fe80::1%eth0", "fe80::1%eth1", true)
}

func TestPlaceIsReleasedOnce(t *testing.T) {
	c := &Connections{Max: 2, MaxPerAddress: 2}
	from := &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 1}
	first, _ := c.take(from)
	c.take(from)
	var group sync.WaitGroup
	for range 8 {
		group.Go(first.release)
	}
	group.Wait()
	if c.Open() != 1 || len(c.perAddress) != 1 {
		t.Errorf("%d open, %v", c.Open(), c.perAddress)
	}
}

// safeBuffer is a log that may be read while it is written.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}
