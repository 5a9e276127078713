package bench

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/valyala/fasthttp"
)

// httpTarget posts requests and keeps connections alive.
type httpTarget struct {
	url, host string
	tls       *tls.Config
	header    http.Header
	mixed     bool
	encode    func(items []Item) ([]byte, error)
	check     func(answer []byte, items int) error
}

// newJinaHTTP posts what clip_client posts, to /post or the path of the address.
func newJinaHTTP(u *url.URL, host string, config *tls.Config, o TargetOptions) *httpTarget {
	at := *u
	if at.Path == "" || at.Path == "/" {
		at.Path = "/post"
	}
	return &httpTarget{url: at.String(), host: host, tls: config, header: o.header(), mixed: true, encode: encodeJSON, check: checkJSON}
}

func (t *httpTarget) Encode(items []Item) ([]byte, error) { return t.encode(items) }

func (t *httpTarget) Mixed() bool { return t.mixed }

func (t *httpTarget) Dial() (Conn, error) {
	c := &httpConn{target: t}
	c.client = &fasthttp.HostClient{
		Addr: t.host, IsTLS: t.tls != nil, TLSConfig: t.tls, MaxConns: 1, MaxIdleConnDuration: time.Hour,
		MaxIdemponentCallAttempts: 1, // a request that fails is an error, not sent again
		NoDefaultUserAgentHeader:  true, ReadBufferSize: 64 << 10, WriteBufferSize: 64 << 10,
		Dial: c.dial,
	}
	return c, nil
}

// httpConn is one connection of HTTP/1.1: one exchange at a time.
type httpConn struct {
	target *httpTarget
	client *fasthttp.HostClient
	req    fasthttp.Request
	resp   fasthttp.Response

	mu     sync.Mutex
	socket net.Conn // the last one opened; fasthttp may open it in a goroutine of its own
}

func (c *httpConn) dial(address string) (net.Conn, error) {
	socket, err := net.Dial("tcp", address)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.socket = socket
	return socket, err
}

// interrupt ends the exchange under way.
func (c *httpConn) interrupt() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.socket != nil {
		c.socket.Close()
	}
}

func (c *httpConn) Streams() int { return 1 }

func (c *httpConn) Close() error {
	c.client.CloseIdleConnections()
	return nil
}

func (c *httpConn) Exchange(ctx context.Context, request []byte, items int) error {
	c.req.Reset()
	c.resp.Reset()
	c.req.SetRequestURI(c.target.url)
	c.req.Header.SetMethod(fasthttp.MethodPost)
	c.req.Header.SetContentType("application/json")
	for name, values := range c.target.header {
		for _, v := range values {
			c.req.Header.Add(name, v)
		}
	}
	c.req.SetBodyRaw(request)
	if at, limited := ctx.Deadline(); limited {
		c.req.SetTimeout(max(time.Until(at), time.Nanosecond))
	}
	defer context.AfterFunc(ctx, c.interrupt)()
	if err := c.client.Do(&c.req, &c.resp); err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return err
	}
	if code := c.resp.StatusCode(); code != fasthttp.StatusOK {
		return fromHTTP(code, c.resp.Body())
	}
	return c.target.check(c.resp.Body(), items)
}
