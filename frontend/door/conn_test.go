package door

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"google.golang.org/grpc/mem"
)

// accepted returns the connection that the server gets, and the client's end, which has sent that text.
func accepted(t *testing.T, o Options, text string) (server, client net.Conn) {
	t.Helper()
	o.Address = "127.0.0.1:0"
	d, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	if client, err = net.Dial("tcp", d.Addr().String()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	io.WriteString(client, text)
	l := d.HTTP()
	if o.GRPC {
		l = d.GRPC()
	}
	if server, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	server.SetDeadline(time.Now().Add(30 * time.Second))
	client.SetDeadline(time.Now().Add(30 * time.Second))
	return server, client
}

func TestReadGivesFirstBytesAgain(t *testing.T) {
	server, client := accepted(t, Options{HTTP: true}, "GET / HTTP/1.1\r\n")
	small := make([]byte, 3)
	if n, err := server.Read(nil); n != 0 || err != nil {
		t.Errorf("an empty read: %d, %v", n, err)
	}
	if n, err := server.Read(small); string(small[:n]) != "GET" || err != nil {
		t.Errorf("%q, %v", small[:n], err)
	}
	io.WriteString(client, "more")
	client.(*net.TCPConn).CloseWrite()
	if b, err := io.ReadAll(server); string(b) != " / HTTP/1.1\r\nmore" || err != nil {
		t.Errorf("%q, %v", b, err)
	}
}

func TestWriteToAndReadFrom(t *testing.T) {
	server, client := accepted(t, Options{HTTP: true}, "hello, ")
	io.WriteString(client, "world")
	client.(*net.TCPConn).CloseWrite()
	var got bytes.Buffer
	if n, err := server.(io.WriterTo).WriteTo(&got); n != 12 || err != nil || got.String() != "hello, world" {
		t.Errorf("WriteTo: %d, %v, %q", n, err, got.String())
	}
	if n, err := server.(io.ReaderFrom).ReadFrom(strings.NewReader("answer")); n != 6 || err != nil {
		t.Errorf("ReadFrom: %d, %v", n, err)
	}
	if err := server.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
		t.Error(err)
	}
	if b, err := io.ReadAll(client); string(b) != "answer" || err != nil {
		t.Errorf("%q, %v", b, err)
	}
}

// countedPool counts the buffers that are out.
type countedPool struct {
	mem.BufferPool
	out, taken atomic.Int32
}

func (p *countedPool) Get(n int) *[]byte {
	p.out.Add(1)
	p.taken.Add(1)
	return p.BufferPool.Get(n)
}

func (p *countedPool) Put(b *[]byte) {
	p.out.Add(-1)
	p.BufferPool.Put(b)
}

func TestReadOnReadyHoldsNothingWhileItWaits(t *testing.T) {
	server, client := accepted(t, Options{GRPC: true}, string(preface)+"rest")
	conn := server.(*plainConn)
	p := &countedPool{BufferPool: mem.DefaultBufferPool()}
	next := func(want string, wantErr error) {
		t.Helper()
		buf, n, err := conn.ReadOnReady(4, p)
		if !errors.Is(err, wantErr) || (err == nil) != (wantErr == nil) {
			t.Fatalf("error %v, want %v", err, wantErr)
		}
		if err != nil {
			return
		}
		if string((*buf)[:n]) != want {
			t.Errorf("%q, want %q", (*buf)[:n], want)
		}
		p.Put(buf)
	}
	if _, err := io.ReadFull(conn, make([]byte, len(preface))); err != nil {
		t.Fatal(err)
	}
	next("rest", nil)
	done := make(chan struct{})
	taken := p.taken.Load()
	go func() {
		defer close(done)
		next("late", nil)
	}()
	eventually(t, "the read did not begin", func() bool { return p.taken.Load() > taken && p.out.Load() == 0 })
	io.WriteString(client, "late")
	<-done
	server.SetReadDeadline(time.Now())
	next("", os.ErrDeadlineExceeded)
	server.SetReadDeadline(time.Time{})
	client.Close()
	next("", io.EOF)
	server.Close()
	next("", net.ErrClosed)
	if n := p.out.Load(); n != 0 {
		t.Errorf("%d buffers are still out", n)
	}
}

func TestSocketOptions(t *testing.T) {
	option := func(c net.Conn, level, name int) int {
		t.Helper()
		raw, err := c.(syscall.Conn).SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		var value int
		if cerr := raw.Control(func(fd uintptr) { value, err = unix.GetsockoptInt(int(fd), level, name) }); cerr != nil || err != nil {
			t.Fatal(cerr, err)
		}
		return value
	}
	server, _ := accepted(t, Options{GRPC: true}, string(preface))
	if got := option(server, unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT); got != 20000 {
		t.Errorf("TCP_USER_TIMEOUT of a gRPC connection is %d ms, want grpc's default of 20000", got)
	}
	if option(server, unix.SOL_SOCKET, unix.SO_KEEPALIVE) == 0 || option(server, unix.IPPROTO_TCP, unix.TCP_KEEPIDLE) != 15 {
		t.Error("keep-alive is not on at 15 s")
	}
	if option(server, unix.IPPROTO_TCP, unix.TCP_NODELAY) == 0 {
		t.Error("TCP_NODELAY is off")
	}
	server, _ = accepted(t, Options{GRPC: true, UserTimeout: 7 * time.Second}, string(preface))
	if got := option(server, unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT); got != 7000 {
		t.Errorf("TCP_USER_TIMEOUT is %d ms, want 7000", got)
	}
	server, _ = accepted(t, Options{GRPC: true, UserTimeout: -1}, string(preface))
	if got := option(server, unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT); got != 0 {
		t.Errorf("TCP_USER_TIMEOUT is %d ms, want none", got)
	}
	server, _ = accepted(t, Options{HTTP: true}, "GET")
	if got := option(server, unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT); got != 0 {
		t.Errorf("TCP_USER_TIMEOUT of an HTTP connection is %d ms, want none", got)
	}
}

func TestRecognise(t *testing.T) {
	check := func(first string, want protocol) {
		t.Helper()
		if got := recognise([]byte(first)); got != want {
			t.Errorf("%q is %d, want %d", first, got, want)
		}
	}
	check("", undecided)
	for i := 1; i < len(preface); i++ {
		check(string(preface[:i]), undecided)
		check(string(preface[:i])+"\x00", http1)
	}
	check(string(preface), http2)
	check(string(preface)+"x", http2)
	check("PO", http1)
	check("G", http1)
	check("\x16", tlsHello)
	check("\x80", http1)
}
