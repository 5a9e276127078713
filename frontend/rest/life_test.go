package rest

import (
	"bufio"
	"context"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"clipd/engine"
	"clipd/frontend/limit"
)

// echo sends what it gets back.
func echo(c net.Conn) { io.Copy(c, bufio.NewReader(c)) }

// TestCallerGoes: a caller that goes away ends the work on its request.
func TestCallerGoes(t *testing.T) {
	model := newGate()
	r := serve(t, model, nil)
	gone := make([]*raw, 5)
	for i := range gone {
		gone[i] = r.dial()
		gone[i].send(request("/encode", oneText))
	}
	stays := r.dial()
	stays.send(request("/encode", oneText))
	eventually(t, "six requests inside", func() bool { return model.inside.Load() == 6 })
	for _, c := range gone {
		c.Close()
	}
	eventually(t, "one request inside", func() bool { return model.inside.Load() == 1 })
	close(model.gate)
	stays.receive().want(t, 200, `"text":"hi"`)
	stays.send(request("/encode", oneText)) // the watch has left nothing behind
	stays.receive().want(t, 200, `"text":"hi"`)
}

// TestNextRequestWhileWatched: what comes while a request is worked on is the next request, whole.
func TestNextRequestWhileWatched(t *testing.T) {
	model := newGate()
	r := serve(t, model, nil)
	c := r.dial()
	for range 3 {
		c.send(request("/encode", oneText))
		time.Sleep(3 * watchAfter) // a watch is likely to be on
	}
	eventually(t, "a request inside", func() bool { return model.inside.Load() == 1 })
	close(model.gate)
	for range 3 {
		c.receive().want(t, 200, `"text":"hi"`)
	}
	c.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	c.receive().want(t, 200, "{}")
}

func TestPanic(t *testing.T) {
	var log lockedBuffer
	r := serve(t, modelFunc(func(ctx context.Context, q engine.Request) (*engine.Embeddings, error) {
		return hashModel{}.Embed(ctx, q)
	}), func(o *Options) { o.Log = o.Log.Output(&log) })
	// The gateway catches what the model does; a panic beside it is ours to catch.
	r.router.add(&route{method: "GET", path: "/panic", serve: func(*Server, *exchange) { panic("on purpose") }})
	r.do("GET", "/panic", "").want(t, 500, `{"detail":"the server failed at this request`)
	r.do("POST", "/encode", oneText).want(t, 200, "")
	if !strings.Contains(log.String(), "on purpose") {
		t.Errorf("the log does not tell: %q", log.String())
	}
}

func TestMaxAge(t *testing.T) {
	r := serve(t, hashModel{}, func(o *Options) { o.MaxAge = time.Nanosecond })
	c := r.dial()
	c.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	if a := c.receive().want(t, 200, "{}"); a.header.Get("Connection") != "close" {
		t.Error("an old connection goes on")
	}
	c.over()
	// The ages differ, by a tenth at most.
	o := Options{MaxAge: time.Hour}
	ages := map[time.Duration]bool{}
	for range 100 {
		began := time.Now()
		age := newConn(nil, &o).oldest.Sub(began).Round(time.Second)
		if age < 54*time.Minute || age > 66*time.Minute+time.Second {
			t.Errorf("an age of %v", age)
		}
		ages[age] = true
	}
	if len(ages) < 20 {
		t.Errorf("only %d different ages", len(ages))
	}
}

func TestIdleTimeout(t *testing.T) {
	r := serve(t, hashModel{}, func(o *Options) { o.IdleTimeout = 50 * time.Millisecond })
	c := r.dial()
	c.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	c.receive().want(t, 200, "{}")
	c.over()
}

// TestAnswerNotTaken: a caller that asks and reads nothing does not hold its connection for ever.
func TestAnswerNotTaken(t *testing.T) {
	r := serve(t, hashModel{}, func(o *Options) { o.WriteTimeout = 200 * time.Millisecond })
	docs := strings.Repeat(`{"text": "hi"},`, 2000)
	body := `{"data": [` + docs[:len(docs)-1] + `]}`
	c := r.dial()
	c.Conn.(*net.TCPConn).SetReadBuffer(4096)
	go io.WriteString(c.Conn, strings.Repeat(request("/encode", body), 3)) // 60 MB of answers
	eventually(t, "the connection is there", func() bool { return r.open.count() == 1 })
	eventually(t, "the connection is gone", func() bool { return r.open.count() == 0 })
}

func TestShutdown(t *testing.T) {
	model := newGate()
	r := serve(t, model, nil)
	idle := r.dial()
	idle.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	idle.receive().want(t, 200, "{}")
	busy := r.dial()
	busy.send(request("/encode", oneText))
	eventually(t, "a request inside", func() bool { return model.inside.Load() == 1 })
	done := make(chan error)
	go func() { done <- r.Shutdown(t.Context()) }()
	idle.over()
	<-r.ended
	if _, err := net.DialTimeout("tcp", r.address, time.Second); err == nil {
		t.Error("the server still listens")
	}
	close(model.gate)
	if a := busy.receive().want(t, 200, `"text":"hi"`); a.header.Get("Connection") != "close" {
		t.Error("the connection goes on after the shutdown")
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestShutdownCuts(t *testing.T) {
	model := newGate()
	r := serve(t, model, nil)
	busy := r.dial()
	busy.send(request("/encode", oneText))
	eventually(t, "a request inside", func() bool { return model.inside.Load() == 1 })
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := r.Shutdown(ctx); err == nil || !strings.Contains(err.Error(), "1 HTTP connection") {
		t.Errorf("Shutdown: %v", err)
	}
	busy.over()
	eventually(t, "nothing inside", func() bool { return model.inside.Load() == 0 })
}

// TestNothingIsLeft: after all sorts of callers goroutines, descriptors and the budget are back where they were.
func TestNothingIsLeft(t *testing.T) {
	budget := limit.NewBytes(64 << 20)
	r := serve(t, hashModel{}, func(o *Options) { o.Bytes, o.MaxBody, o.Compression = budget, 1<<20, true })
	kinds := []func(*raw){
		func(c *raw) { c.send(request("/encode", oneText)); c.receive() },
		func(c *raw) { c.send(request("/encode", oneText)) },
		func(c *raw) { c.send(cut(request("/encode", oneText))) },
		func(c *raw) { c.send("POST /encode HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\nhello") },
		func(c *raw) { c.send("POST /encode HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{}") },
		func(c *raw) { c.send("GET"); c.CloseWrite() },
		func(c *raw) { c.send(request("/encode", "no gzip", "Content-Encoding", "gzip")) },
		func(c *raw) {
			c.send(request("/encode", coded(t, "zstd", strings.Repeat(" ", 4<<20)), "Content-Encoding", "zstd"))
		},
		func(c *raw) { c.send(request("/encode", oneText, "Accept-Encoding", "zstd")); c.receive() },
		func(*raw) {},
	}
	round := func() {
		var all sync.WaitGroup
		for _, kind := range kinds {
			c := r.dial()
			all.Go(func() { kind(c); c.Close() })
		}
		all.Wait()
		eventually(t, "no connection", func() bool { return r.open.count() == 0 })
	}
	round()
	eventually(t, "no worker", func() bool { return r.http.GetOpenConnectionsCount() == 0 })
	goroutines, descriptors, heap := runtime.NumGoroutine(), countDescriptors(t), heapBytes()
	for range 20 {
		round()
	}
	eventually(t, "the goroutines of before", func() bool { return runtime.NumGoroutine() <= goroutines+len(kinds) }) // idle workers
	eventually(t, "the descriptors of before", func() bool { return countDescriptors(t) <= descriptors })
	if budget.Used() != 0 {
		t.Errorf("%d bytes of the budget were not given back", budget.Used())
	}
	if now := heapBytes(); now > heap+32<<20 {
		t.Errorf("the heap has grown from %d to %d bytes", heap, now)
	}
}

func heapBytes() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func countDescriptors(t *testing.T) int {
	t.Helper()
	all, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip("no /proc here")
	}
	return len(all)
}
