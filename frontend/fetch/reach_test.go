package fetch

import (
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
)

// everyAddress starts a server for all addresses of this machine that counts its connections.
func everyAddress(t *testing.T) (port string, connections *atomic.Int64) {
	t.Helper()
	listener, err := net.Listen("tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	connections = new(atomic.Int64)
	s := &httptest.Server{Listener: listener, Config: &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Connection", "close") // so that every load looks the name up
			io.WriteString(w, picture)
		}),
		ConnState: func(_ net.Conn, state http.ConnState) {
			if state == http.StateNew {
				connections.Add(1)
			}
		},
	}}
	s.Start()
	t.Cleanup(s.Close)
	_, port, err = net.SplitHostPort(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port, connections
}

const noAddress = "has no address that this server asks"

func TestRefusedAddressesAreNotConnectedTo(t *testing.T) {
	port, connections := everyAddress(t)
	names := newNameServer(t, map[string][][]string{
		"inner.example":    {{"127.0.0.2"}},
		"inner6.example":   {{"::1"}},
		"both.example":     {{"127.0.0.2", "::1", "10.0.0.1"}},
		"mapped.example":   {{"::ffff:127.0.0.2"}},
		"zero.example":     {{"0.0.0.0", "::"}},
		"metadata.example": {{"169.254.169.254"}},
		"nat64.example":    {{"64:ff9b::7f00:1"}},
		"none.example":     {{}},
	})
	l := mustNew(t, Options{HTTP: true, HTTPS: true, Networks: here}, hooks{resolver: names.resolver()})
	for _, host := range []string{"127.0.0.2", "127.0.0.2.", "[::1]", "[0:0:0:0:0:0:0:1]", "[::]", "0.0.0.0", "[::ffff:127.0.0.2]", "[::ffff:7f00:2]", "[::127.0.0.1]",
		"[64:ff9b::127.0.0.1]", "10.0.0.1", "169.254.169.254", "[fd00:ec2::254]", "[fe80::1]", "100.100.100.200", "168.63.129.16", "255.255.255.255", "[ff02::1]",
		"inner.example", "inner6.example", "both.example", "mapped.example", "zero.example", "metadata.example", "nat64.example", "INNER.example.",
		"none.example", "nobody.example", "1.1.1.1"} { // the last for its port
		for _, scheme := range []string{"http://", "https://"} {
			message := refuses(t, l, scheme+host+":"+port+"/x", noAddress)
			for _, inner := range []string{"127.0.0", "::1", "10.0.0", "169.254", "7f00"} {
				if strings.HasSuffix(host, ".example") && strings.Contains(message, inner) {
					t.Errorf("%s: the message names an address: %s", host, message)
				}
			}
		}
	}
	for _, host := range []string{"2130706433", "2130706434", "0x7f000002", "0x7f.2", "0177.0.0.2", "127.2", "127.0.0.02", "127.0.0.0x2"} {
		refuses(t, l, "http://"+host+":"+port+"/x", "no IPv4 address of four decimal numbers")
	}
	for _, host := range []string{"[::1%25lo]", "[fe80::1%25eth0]", "[127.0.0.2]"} {
		refuses(t, l, "http://"+host+":"+port+"/x", "")
	}
	if n := connections.Load(); n != 0 {
		t.Fatalf("%d connections were made", n)
	}
	gives(t, l, "http://127.0.0.1:"+port, picture)
	gives(t, l, "http://[::ffff:127.0.0.1]:"+port, picture)
}

func TestLocalhostIsRefused(t *testing.T) {
	port, connections := everyAddress(t)
	l := mustNew(t, Options{HTTP: true, HTTPS: true}, hooks{}) // its resolver reads /etc/hosts only for this name
	for _, host := range []string{"localhost", "LOCALHOST.", "127.0.0.1", "[::1]"} {
		refuses(t, l, "http://"+host+":"+port+"/x", noAddress)
	}
	if n := connections.Load(); n != 0 {
		t.Errorf("%d connections were made", n)
	}
}

// TestNameThatChangesItsAddress is DNS rebinding: an address that is allowed, then one that is not.
func TestNameThatChangesItsAddress(t *testing.T) {
	port, connections := everyAddress(t)
	names := newNameServer(t, map[string][][]string{
		"rebind.example": {{"127.0.0.1"}, {"127.0.0.2"}},
		"mixed.example":  {{"127.0.0.2", "127.0.0.1", "127.0.0.3"}},
	})
	l := mustNew(t, Options{HTTP: true, Networks: here}, hooks{resolver: names.resolver()})
	gives(t, l, "http://rebind.example:"+port, picture)
	if n := connections.Load(); n != 1 {
		t.Fatalf("%d connections", n)
	}
	for range 3 {
		refuses(t, l, "http://rebind.example:"+port, noAddress)
	}
	if n := connections.Load(); n != 1 || names.lookups("rebind.example") != 4 {
		t.Errorf("%d connections after %d lookups, want 1 after 4", n, names.lookups("rebind.example"))
	}
	// Of several addresses, the ones that may be asked are.
	gives(t, l, "http://mixed.example:"+port, picture)
}

func TestNoProxyFromTheEnvironment(t *testing.T) {
	port, _ := everyAddress(t)
	proxy, asked := everyAddress(t)
	for _, name := range []string{"HTTP_PROXY", "http_proxy", "ALL_PROXY"} {
		t.Setenv(name, "http://127.0.0.1:"+proxy)
	}
	names := newNameServer(t, map[string][][]string{"a.example": {{"127.0.0.1"}}})
	l := mustNew(t, Options{HTTP: true, Networks: here}, hooks{resolver: names.resolver()})
	gives(t, l, "http://a.example:"+port, picture)
	if asked.Load() != 0 || l.web.transport.Proxy != nil {
		t.Error("the proxy was asked")
	}
}

func TestURLsThatAreNotAsked(t *testing.T) {
	l := mustNew(t, Options{HTTP: true, HTTPS: true, Hosts: []string{"good.example", "*.cdn.example"}, Networks: here}, hooks{resolver: newNameServer(t, nil).resolver()})
	for uri, want := range map[string]string{
		"http://evil.example/x":                              `host "evil.example" is none that this server asks; it asks good.example, *.cdn.example`,
		"http://good.example.evil.example/x":                 "none that this server asks",
		"http://cdn.example/x":                               "none that this server asks",
		"http://127.0.0.1/x":                                 "none that this server asks",
		"http://good.example@evil.example/x":                 "user and password",
		"http://user:secret@good.example/x":                  "user and password",
		"http://@good.example/x":                             "user and password",
		"http://good.example\\@evil.example/":                "no URL",
		"http://good.example:0/x":                            "port 0",
		"http://good.example:65536/x":                        "port 65536",
		"http://good.example:x/x":                            "no URL",
		"http:good.example/x":                                "no URL",
		"http:/good.example/x":                               "no URL",
		"http:///x":                                          "no URL",
		"http://:80/x":                                       "its host",
		"http://":                                            "no URL",
		"http:":                                              "no URL",
		"http://good.example/\nx":                            "no URL",
		"http://good.example /x":                             "no URL",
		"http://good%2eexample/x":                            "no URL",
		"http://good.example/" + strings.Repeat("x", maxURI): "may have 8192",
		"http://GOOD.example./x":                             noAddress, // passes the list; the name server knows nobody
		"http://a.cdn.example/x":                             noAddress,
	} {
		if message := refuses(t, l, uri, want); strings.Contains(message, "secret") {
			t.Errorf("the message shows the password: %s", message)
		}
	}
}

func TestRedirects(t *testing.T) {
	port, connections := everyAddress(t)
	var referer atomic.Pointer[string]
	base, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/picture":
			sent := r.Header.Get("Referer") + r.Header.Get("Cookie") + r.Header.Get("Authorization")
			referer.Store(&sent)
			io.WriteString(w, picture)
		case strings.HasPrefix(r.URL.Path, "/loop"):
			http.Redirect(w, r, r.URL.Path+"x", http.StatusFound)
		case r.URL.Path == "/none":
			http.NotFound(w, r)
		default:
			w.Header().Set("Set-Cookie", "a=b; Path=/")
			w.Header().Set("Location", r.URL.Query().Get("to"))
			w.WriteHeader(map[string]int{"/301": 301, "/302": 302, "/303": 303, "/307": 307, "/308": 308, "/300": 300, "/304": 304}[r.URL.Path])
		}
	})
	names := newNameServer(t, map[string][][]string{"inner.example": {{"127.0.0.2"}}, "outer.example": {{"127.0.0.1"}}})
	l := mustNew(t, Options{HTTP: true, HTTPS: true, Networks: here, MaxRedirects: 3}, hooks{resolver: names.resolver()})
	to := func(path, target string) string { return base + path + "?to=" + url.QueryEscape(target) }
	for _, path := range []string{"/301", "/302", "/303", "/307", "/308"} {
		gives(t, l, to(path, "/picture"), picture)
	}
	if sent := referer.Load(); *sent != "" {
		t.Errorf("the redirected request tells %q", *sent)
	}
	gives(t, l, to("/302", base+"/picture#x"), picture)
	gives(t, l, to("/302", "picture"), picture)
	gives(t, l, to("/302", strings.TrimPrefix(base, "http:")+"/picture"), picture)
	gives(t, l, to("/302", to("/302", to("/302", "/picture"))), picture)
	refuses(t, l, to("/302", to("/302", to("/302", to("/302", "/picture")))), "redirects more than 3 times")
	refuses(t, l, base+"/loop", "redirects more than 3 times")
	refuses(t, l, to("/300", "/picture"), "status 300")
	refuses(t, l, to("/304", "/picture"), "status 304")
	for _, host := range []string{"127.0.0.2", "inner.example", "[::1]", "0.0.0.0", "169.254.169.254", "nobody.example"} {
		refuses(t, l, to("/302", "http://"+host+":"+port+"/x"), noAddress)
		refuses(t, l, to("/302", to("/302", "http://"+host+":"+port+"/x")), noAddress)
	}
	refuses(t, l, to("/302", "http://user:secret@outer.example/"), "user and password")
	refuses(t, l, to("/302", "http://2130706433:"+port), "no IPv4 address")
	refuses(t, l, to("/302", "file:///etc/passwd"), `a redirect to the scheme "file" is not followed`)
	refuses(t, l, to("/302", "data:,x"), `a redirect to the scheme "data" is not followed`)
	refuses(t, l, to("/302", "http:x"), "no URL")
	refuses(t, l, to("/302", "/%zz"), "no URL")
	refuses(t, l, to("/302", base+"/none?key=secret"), `it redirects to "`+base+`/none?…", and its server answers with status 404`)
	if n := connections.Load(); n != 0 {
		t.Errorf("%d connections were made", n)
	}
	listed := mustNew(t, Options{HTTP: true, Networks: here, MaxRedirects: 3, Hosts: []string{"127.0.0.1"}}, hooks{resolver: names.resolver()})
	gives(t, listed, to("/302", "/picture"), picture)
	refuses(t, listed, to("/302", "http://outer.example:"+port), "none that this server asks")
	refuses(t, listed, to("/302", "https://127.0.0.1:"+port), `a redirect to the scheme "https" is not followed`)
	none := mustNew(t, Options{HTTP: true, Networks: here}, hooks{})
	refuses(t, none, to("/302", "/picture"), "follows no redirects")
}

func TestHTTPS(t *testing.T) {
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/down" {
			http.Redirect(w, r, "http://"+r.Host+"/x", http.StatusFound)
			return
		}
		io.WriteString(w, picture)
	}))
	t.Cleanup(s.Close)
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	port := netip.MustParseAddrPort(s.Listener.Addr().String()).Port()
	at := func(host string) string { return fmt.Sprintf("https://%s:%d", host, port) }
	names := newNameServer(t, map[string][][]string{"example.com": {{"127.0.0.1"}}, "other.example": {{"127.0.0.1"}}})
	l := mustNew(t, Options{HTTP: true, HTTPS: true, Networks: here, MaxRedirects: 5}, hooks{resolver: names.resolver(), roots: roots})
	gives(t, l, at("example.com"), picture) // the name in the certificate of httptest
	gives(t, l, at("EXAMPLE.com."), picture)
	gives(t, l, s.URL, picture)
	refuses(t, l, at("other.example"), "no certificate that is valid")
	refuses(t, l, s.URL+"/down", "a redirect from https to http is not followed")
	refuses(t, mustNew(t, Options{HTTPS: true, Networks: here}, hooks{}), s.URL, "no certificate that is valid")
}
