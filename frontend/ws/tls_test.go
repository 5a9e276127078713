package ws

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"net"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/valyala/fasthttp"
)

// TestTLS speaks through TLS, and leaves while the connection is held back: the end of the client's data is seen at the
// socket below.
func TestTLS(t *testing.T) {
	model := newGateModel()
	s := start(t, model, Options{Prefetch: 1})
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{certificate}, PrivateKey: key}}})
	if err != nil {
		t.Fatal(err)
	}
	http := &fasthttp.Server{Handler: s.Handle}
	served := make(chan error, 1)
	go func() { served <- http.Serve(l) }()
	defer func() {
		http.Shutdown()
		<-served
	}()
	plain, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	secure := tls.Client(plain, &tls.Config{InsecureSkipVerify: true})
	defer secure.Close()
	c := upgrade(t, secure, l.Addr().String(), "/", binary)
	for range 3 {
		c.request(textRequest("x"))
	}
	eventually(t, "a request is in progress", func() bool { return model.inside.Load() == 1 })
	model.gate <- struct{}{}
	if a := c.answer(); a.Header.Status != nil {
		t.Error(a.Header.Status)
	}
	eventually(t, "the next one is in progress", func() bool { return model.inside.Load() == 1 })
	c.Close()
	eventually(t, "nothing is in progress", func() bool { return model.inside.Load() == 0 })
	eventually(t, "the connection has ended", s.idle)

	plain, err = net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	secure = tls.Client(plain, &tls.Config{InsecureSkipVerify: true})
	defer secure.Close()
	c = upgrade(t, secure, l.Addr().String(), "/", binary)
	c.frame(ws.NewFrame(0x3, true, nil)) // broken: the end of data follows the close frame
	c.closed(ws.StatusProtocolError, "op code")
}
