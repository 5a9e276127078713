package door

import (
	"io"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/rs/zerolog"
)

// scarce is a listener whose next accepts fail as they do when there are no descriptors left.
type scarce struct {
	net.Listener
	fail  atomic.Int32
	calls atomic.Int32
}

func (s *scarce) Accept() (net.Conn, error) {
	s.calls.Add(1)
	if s.fail.Load() > 0 {
		s.fail.Add(-1)
		return nil, &net.OpError{Op: "accept", Net: "tcp", Err: os.NewSyscallError("accept4", syscall.EMFILE)}
	}
	return s.Listener.Accept()
}

func TestAcceptGoesOnAfterErrors(t *testing.T) {
	defer noLeak(t)()
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &scarce{Listener: inner}
	l.fail.Store(4)
	var log safeBuffer
	d, err := open(Options{HTTP: true, Log: zerolog.New(&log)}, l)
	if err != nil {
		t.Fatal(err)
	}
	s := serveBehind(t, d)
	if _, got, err := s.post(nil, "hello"); err != nil || got != "you said hello" {
		t.Errorf("%q, %v", got, err)
	}
	if n := strings.Count(log.String(), "too many open files"); n != 1 {
		t.Errorf("the log tells of the errors %d times, want once:\n%s", n, log.String())
	}
	if !strings.Contains(log.String(), `"failures":4`) {
		t.Errorf("the log does not tell that it works again:\n%s", log.String())
	}
	if n := l.calls.Load(); n > 7 {
		t.Errorf("accept was called %d times for 4 errors and one connection", n)
	}
	s.stop()

	// A door closes while it waits to try again.
	inner, err = net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l = &scarce{Listener: inner}
	l.fail.Store(1 << 30)
	if d, err = open(Options{HTTP: true, Log: zerolog.Nop()}, l); err != nil {
		t.Fatal(err)
	}
	eventually(t, "accept is not tried again", func() bool { return l.calls.Load() >= 3 })
	d.Close()
}

func TestOutOfDescriptors(t *testing.T) {
	var log safeBuffer
	s := serve(t, Options{GRPC: true, HTTP: true, Log: zerolog.New(&log)})
	var old syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &old); err != nil {
		t.Fatal(err)
	}
	low := old
	low.Cur = uint64(descriptors(t)) // with the folder that was read: one for the client, none for the server
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &low); err != nil {
		t.Skip(err)
	}
	restore := func() {
		t.Helper()
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &old); err != nil {
			t.Fatal(err)
		}
	}
	c, err := net.Dial("tcp", s.port())
	if err == nil {
		eventually(t, "accept did not fail", func() bool { return strings.Contains(log.String(), "too many open files") })
	}
	restore()
	if err != nil {
		t.Skipf("no descriptor left for the client: %v", err)
	}
	defer c.Close()
	io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
	if r, _ := readAnswer(t, c); r.StatusCode != 200 {
		t.Errorf("status %d", r.StatusCode)
	}
}
