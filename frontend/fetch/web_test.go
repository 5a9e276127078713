package fetch

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"time"

	"clipd/engine"
)

// here is the one address that tests may reach; the rest of 127.0.0.0/8 stays refused.
var here = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}

// serve starts a server on 127.0.0.1 and returns its address, http://127.0.0.1:port, and its port.
func serve(t *testing.T, handler http.HandlerFunc) (base, port string) {
	t.Helper()
	s := httptest.NewServer(handler)
	t.Cleanup(s.Close)
	_, port, err := net.SplitHostPort(s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return s.URL, port
}

// raw starts a server on 127.0.0.1 that answers each connection's first request with the bytes that script writes.
func raw(t *testing.T, script func(conn net.Conn)) (base string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			if _, err := conn.Read(make([]byte, 4096)); err == nil {
				script(conn)
			}
			conn.Close()
		}
	}()
	t.Cleanup(func() {
		listener.Close()
		<-ended
	})
	return "http://" + listener.Addr().String()
}

// write answers in pieces.
func write(pieces ...string) func(net.Conn) {
	return func(conn net.Conn) {
		for _, piece := range pieces {
			if _, err := io.WriteString(conn, piece); err != nil {
				return
			}
		}
	}
}

// goroutines waits until no more than before are left.
func goroutines(t *testing.T, before int) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); runtime.NumGoroutine() > before; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			stacks := make([]byte, 1<<20)
			t.Fatalf("%d goroutines, %d before:\n%s", runtime.NumGoroutine(), before, stacks[:runtime.Stack(stacks, true)])
		}
	}
}

func TestPictureOverHTTP(t *testing.T) {
	var got *http.Request
	large := strings.Repeat("\x00\x01\x02\x03", 1<<20)
	base, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		got = r
		switch r.URL.Path {
		case "/chunked":
			w.(http.Flusher).Flush()
			io.WriteString(w, large)
		case "/large":
			w.Header().Set("Content-Length", fmt.Sprint(len(large)))
			io.WriteString(w, large)
		default:
			w.Header()["Content-Type"] = nil
			if kind := r.URL.Query().Get("type"); kind != "" {
				w.Header().Set("Content-Type", kind)
			}
			io.WriteString(w, picture)
		}
	})
	l := mustNew(t, Options{HTTP: true, Networks: here}, hooks{})
	gives(t, l, base+"/a%2Fb.png?x=1&y#top", picture)
	if got.RequestURI != "/a%2Fb.png?x=1&y" || got.Method != "GET" || got.Proto != "HTTP/1.1" {
		t.Errorf("%s %s %s", got.Method, got.RequestURI, got.Proto)
	}
	want := http.Header{"User-Agent": {"Mozilla/5.0"}, "Accept-Encoding": {"identity"}}
	if fmt.Sprint(got.Header) != fmt.Sprint(want) {
		t.Errorf("header %v, want %v", got.Header, want)
	}
	gives(t, l, strings.Replace(base, "http", "HTTP", 1), picture)
	for _, kind := range []string{"image/png", "IMAGE/JPEG; q=1", "application/octet-stream", "binary/octet-stream", "image/x;;;="} {
		gives(t, l, base+"/?type="+strings.NewReplacer(" ", "+", ";", "%3B").Replace(kind), picture)
	}
	for _, kind := range []string{"text/plain", "application/json", "video/mp4", "imagex/png", ";"} {
		if kind != ";" {
			refuses(t, l, base+"/?type="+kind, `content type is "`+kind+`"`)
		}
	}
	refuses(t, l, base+"/?type=text/html%3Bcharset=x", "HTML page")
	data, err := l.Load(t.Context(), base+"/chunked")
	if err != nil || string(data) != large {
		t.Errorf("%d bytes, %v", len(data), err)
	}
	data, err = l.Load(t.Context(), base+"/large")
	if err != nil || string(data) != large || cap(data) != len(large) {
		t.Errorf("%d bytes in %d, %v", len(data), cap(data), err)
	}
}

func TestAnswersThatAreNoPicture(t *testing.T) {
	var bomb bytes.Buffer
	zip := gzip.NewWriter(&bomb)
	zip.Write(make([]byte, 10<<20))
	zip.Close()
	base, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/bomb":
			w.Header().Set("Content-Encoding", "gzip")
			w.Write(bomb.Bytes())
		case "/html":
			w.Header().Set("Content-Type", "application/octet-stream")
			io.WriteString(w, "\n<!DOCTYPE html><html>nothing here</html>")
		case "/endless":
			for {
				if _, err := w.Write(make([]byte, 1<<10)); err != nil {
					return
				}
			}
		case "/login":
			w.WriteHeader(http.StatusUnauthorized)
		case "/partial":
			w.WriteHeader(http.StatusPartialContent)
		case "/odd":
			w.WriteHeader(799)
		case "/nowhere":
			w.WriteHeader(http.StatusFound)
		default:
			http.NotFound(w, r)
		}
	})
	l := mustNew(t, Options{HTTP: true, Networks: here, MaxBytes: 64 << 10}, hooks{})
	refuses(t, l, base+"/bomb", `content encoding "gzip"`)
	refuses(t, l, base+"/html", "HTML page")
	refuses(t, l, base+"/endless", "more than the 65536 bytes")
	refuses(t, l, base+"/login", "status 401 Unauthorized")
	refuses(t, l, base+"/partial", "status 206")
	refuses(t, l, base+"/odd", "status 799")
	refuses(t, l, base+"/nowhere", "without saying where")
	refuses(t, l, base+"/none?key=secret", "status 404 Not Found")
}

func TestServersThatBreakHTTP(t *testing.T) {
	l := mustNew(t, Options{HTTP: true, HTTPS: true, Networks: here, MaxBytes: 100, MaxRedirects: 1}, hooks{})
	check := func(want string, pieces ...string) {
		t.Helper()
		base := raw(t, write(pieces...))
		if message := refuses(t, l, base+"/x", want); strings.Contains(message, "SSH") {
			t.Errorf("the message quotes the other side: %s", message)
		}
	}
	const ok = "HTTP/1.1 200 OK\r\nContent-Type: image/png\r\n"
	check("before its answer is whole", "")
	check("no answer that is HTTP", "SSH-2.0-OpenSSH_9.0\r\n")
	check("before its answer is whole", ok+"Content-Length: 50\r\n\r\nfew")
	check("more than the 100 bytes", ok+"Content-Length: 101\r\n\r\nfew")
	check("more than the 100 bytes", ok+"Content-Length: 9223372036854775807\r\n\r\nfew")
	check("no answer that is HTTP", ok+"Content-Length: -1\r\n\r\nfew")
	check("no answer that is HTTP", ok+"Content-Length: 5\r\nContent-Length: 6\r\n\r\nfew")
	check("more than the 100 bytes", ok+"\r\n"+strings.Repeat("x", 101))
	check("no answer that is HTTP", ok+"Transfer-Encoding: chunked\r\n\r\nzz\r\nfew")
	check("before its answer is whole", ok+"Transfer-Encoding: chunked\r\n\r\n5\r\nfew")
	check("no answer that is HTTP", ok+"Transfer-Encoding: gzip, chunked\r\n\r\n5\r\nfewer\r\n0\r\n\r\n")
	check("host \"127.0.0.1\"", ok+strings.Repeat("X-Long: "+strings.Repeat("x", 1000)+"\r\n", 200)+"\r\nfew")
	check("host \"127.0.0.1\"", strings.Repeat("HTTP/1.1 103 Early Hints\r\nX: "+strings.Repeat("x", 1000)+"\r\n\r\n", 200)+ok+"\r\nfew")
	check("status 101", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n")
	check("redirects to \"gopher://x\", and a redirect to the scheme", "HTTP/1.1 302 Found\r\nLocation: gopher://x\r\n\r\n")
	// A body that is longer than its length is cut there.
	gives(t, l, raw(t, write(ok+"Content-Length: 3\r\n\r\nfewer"))+"/x", "few")
	gives(t, l, raw(t, write(ok+"\r\n"+picture))+"/x", picture)
	refuses(t, l, strings.Replace(raw(t, write("not TLS")), "http", "https", 1), "does not speak TLS")

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listener.Close()
	refuses(t, l, "http://"+listener.Addr().String(), "refuses the connection")
}

func TestTimeIsUp(t *testing.T) {
	asked := make(chan struct{})
	base, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			io.WriteString(w, picture)
			w.(http.Flusher).Flush()
		}
		if r.URL.RawQuery == "cancel" {
			asked <- struct{}{}
		}
		<-r.Context().Done()
	})
	before := runtime.NumGoroutine()
	hasty := mustNew(t, Options{HTTP: true, Networks: here, Timeout: 50 * time.Millisecond}, hooks{})
	patient := mustNew(t, Options{HTTP: true, Networks: here, Timeout: time.Hour}, hooks{})
	for _, path := range []string{"/never", "/slow"} {
		refuses(t, hasty, base+path, " not ") // "did not give it", or "does not answer" when the header is late

		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() {
			_, err := patient.Load(ctx, base+path+"?cancel")
			done <- err
		}()
		<-asked
		cancel()
		if err := <-done; engine.KindOf(err) != engine.Deadline || !errors.Is(err, context.Canceled) {
			t.Errorf("%s: a cancelled load gives %v", path, err)
		}

		ctx, cancel = context.WithTimeout(t.Context(), 20*time.Millisecond)
		if _, err := patient.Load(ctx, base+path); engine.KindOf(err) != engine.Deadline || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: a late load gives %v", path, err)
		}
		cancel()
	}
	hasty.Close()
	patient.Close()
	goroutines(t, before)
}

// TestHandshakeEndsWithTheLoad has a server that takes connections and says nothing.
func TestHandshakeEndsWithTheLoad(t *testing.T) {
	before := runtime.NumGoroutine()
	greeted := make(chan struct{})
	base := raw(t, func(conn net.Conn) {
		close(greeted)
		io.Copy(io.Discard, conn) // until the other side closes
	})
	l := mustNew(t, Options{HTTPS: true, Networks: here, Timeout: time.Hour}, hooks{})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-greeted
		cancel()
	}()
	if _, err := l.Load(ctx, strings.Replace(base, "http", "https", 1)); engine.KindOf(err) != engine.Deadline {
		t.Error(err)
	}
	goroutines(t, before+1) // the server's own
}

func TestGoroutinesComeBack(t *testing.T) {
	base, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/redirect" {
			http.Redirect(w, r, "/x", http.StatusFound)
			return
		}
		io.WriteString(w, picture)
	})
	before := runtime.NumGoroutine()
	l := mustNew(t, Options{HTTP: true, Networks: here, MaxRedirects: 1, MaxBytes: int64(len(picture))}, hooks{})
	done := make(chan error)
	for i := range 100 {
		go func() {
			path := []string{"/x", "/redirect"}[i%2]
			data, err := l.Load(t.Context(), base+path)
			if err == nil && string(data) != picture {
				err = fmt.Errorf("%q", data)
			}
			done <- err
		}()
	}
	for range 100 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if n := len(l.web.slots.hosts); n != 0 || len(l.web.slots.all) != 0 {
		t.Errorf("%d hosts and %d loads are still counted", n, len(l.web.slots.all))
	}
	l.Close()
	goroutines(t, before)
}
