package rest

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"
)

// TestOverTLS: watching a connection, refusing a body and going on work on encrypted connections, too.
func TestOverTLS(t *testing.T) {
	model := newGate()
	r := serve(t, model, func(o *Options) { o.MaxBody = 1000 })
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() {
		done <- r.Serve(tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{certificate(t)}}))
	}()
	t.Cleanup(func() {
		l.Close()
		<-done
	})
	dial := func() *raw {
		t.Helper()
		c, err := tls.Dial("tcp", l.Addr().String(), &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		c.SetDeadline(time.Now().Add(30 * time.Second))
		return &raw{t, c, bufio.NewReader(c)}
	}
	gone, stays := dial(), dial()
	gone.send(request("/encode", oneText))
	stays.send(request("/encode", oneText))
	eventually(t, "two requests inside", func() bool { return model.inside.Load() == 2 })
	gone.Close()
	eventually(t, "one request inside", func() bool { return model.inside.Load() == 1 })
	stays.send(request("/encode", oneText))
	close(model.gate)
	stays.receive().want(t, 200, `"text":"hi"`)
	stays.receive().want(t, 200, `"text":"hi"`)
	stays.send(request("/encode", strings.Repeat(" ", 100_000)))
	stays.receive().want(t, 413, "more than 1000 bytes")
	stays.over()
}

// certificate makes one for this machine.
func certificate(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	content, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{content}, PrivateKey: key}
}
