// Package certs is the server's side of TLS from files: a certificate with its key and, for client certificates, the
// authorities that may have signed them. The files are looked at while handshakes come in, at most once a second, so a
// renewed certificate is in use without a restart, and nothing runs in the background.
package certs

import (
	"crypto/tls"
	"errors"
	"fmt"
	"time"
)

// Options name the files. All are PEM; CertFile and KeyFile may be one and the same file.
type Options struct {
	CertFile string // the server's certificate, then the intermediate ones
	KeyFile  string // its private key: PKCS#8, PKCS#1 or SEC 1, encrypted or not
	Password string // of an encrypted key; "" = none

	ClientCAFile  string // authorities of client certificates; "" = no client certificate is asked for
	RequireClient bool   // a client without a certificate is refused; else one is verified when it is given

	// OnReload is told of each change of the files: nil, what they hold is in use; a *ValidityError, it is in use
	// although it is expired or not valid yet (Open tells this too, and so does a certificate that expires while it is in
	// use); any other error, the new files cannot be used and the certificate before them stays. A reason is told once,
	// until it changes. It is called during a handshake, which waits for it. May be nil.
	OnReload func(err error)
}

// ValidityError is what OnReload gets for a certificate that is in use outside of its time.
type ValidityError struct {
	File                string
	Subject             string
	NotBefore, NotAfter time.Time
	Expired             bool // else it is not valid yet
}

func (e *ValidityError) Error() string {
	if e.Expired {
		return fmt.Sprintf("%s: the certificate of %q expired at %s; it is in use all the same, and clients will refuse it: renew it",
			e.File, e.Subject, e.NotAfter.UTC().Format(time.RFC3339))
	}
	return fmt.Sprintf("%s: the certificate of %q is valid from %s on, which is yet to come; it is in use all the same, and clients will refuse it: check the clock",
		e.File, e.Subject, e.NotBefore.UTC().Format(time.RFC3339))
}

// Open reads the files and returns the configuration of a server for TLS 1.2 and later that offers HTTP/2 and HTTP/1.1
// and follows the files. A session can be resumed across changes of the certificate: tickets belong to the
// configuration that Open returns.
func Open(o Options) (*tls.Config, error) {
	return open(o, time.Now)
}

func open(o Options, now func() time.Time) (*tls.Config, error) {
	switch {
	case o.CertFile == "" && o.KeyFile == "":
		return nil, errors.New("TLS needs a certificate and its key; name both files")
	case o.CertFile == "":
		return nil, fmt.Errorf("the key %s has no certificate; name the certificate's file too", o.KeyFile)
	case o.KeyFile == "":
		return nil, fmt.Errorf("the certificate %s has no key; name the key's file too", o.CertFile)
	case o.RequireClient && o.ClientCAFile == "":
		return nil, errors.New("client certificates are required, but no file of authorities is named to verify them with")
	}
	f := &follower{o: o, now: now}
	if err := f.start(); err != nil {
		return nil, err
	}
	// The outer configuration owns the session ticket keys, for the inner ones set none: that is what lets sessions
	// outlive a reload.
	outer := serverConfig()
	outer.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) { return f.config(), nil }
	outer.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &f.config().Certificates[0], nil }
	return outer, nil
}

func serverConfig() *tls.Config {
	return &tls.Config{
		MinVersion:   tls.VersionTLS12,
		NextProtos:   []string{"h2", "http/1.1"},
		CipherSuites: suites12,
	}
}

// suites12 are the suites of TLS 1.2 that HTTP/2 allows (RFC 9113, appendix A, bars those with CBC); those of TLS 1.3 are
// not configurable.
var suites12 = []uint16{
	tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
	tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
	tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
	tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
	tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
	tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
}
