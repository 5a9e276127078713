package certs

import (
	"crypto/tls"
	"path/filepath"
	"testing"

	"clipd/frontend/certs/certstest"
)

func TestClientCertificates(t *testing.T) {
	f := newFiles(t)
	staff, guests := certstest.NewAuthority(t, "staff"), certstest.NewAuthority(t, "guests")
	f.o.ClientCAFile = filepath.Join(filepath.Dir(f.o.CertFile), "ca.pem")
	certstest.Write(t, f.o.ClientCAFile, staff.PEM())
	// with offers exactly this certificate, whatever the server asks for.
	with := func(pair tls.Certificate) *tls.Config {
		return &tls.Config{GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }}
	}
	ada, bob := staff.Pair("ada"), guests.Pair("bob")

	c := f.open()
	if _, s, err := f.shake(c, &tls.Config{}); err != nil || len(s.VerifiedChains) != 0 {
		t.Errorf("without a certificate: %v, %d chains; want none and no error", err, len(s.VerifiedChains))
	}
	if _, s, err := f.shake(c, with(ada)); err != nil || s.VerifiedChains[0][0].Subject.CommonName != "ada" {
		t.Errorf("with a good certificate: %v", err)
	}
	if _, _, err := f.shake(c, with(bob)); err == nil {
		t.Error("a certificate of another authority was taken")
	}

	f.o.RequireClient = true
	c = f.open()
	if _, _, err := f.shake(c, &tls.Config{}); err == nil {
		t.Error("a client without a certificate was taken, though it is required")
	}
	if _, _, err := f.shake(c, with(ada)); err != nil {
		t.Error(err)
	}

	certstest.Write(t, f.o.ClientCAFile, guests.PEM())
	f.pass()
	if _, _, err := f.shake(c, with(bob)); err != nil {
		t.Errorf("after the authorities changed: %v", err)
	}
	if _, _, err := f.shake(c, with(ada)); err == nil {
		t.Error("a certificate of an authority that is gone was taken")
	}
	f.expectTold("")
}

// TestResumedSessionIsVerifiedAgain sees that a session ticket does not outlive the authority that the client's
// certificate came from.
func TestResumedSessionIsVerifiedAgain(t *testing.T) {
	for name, version := range map[string]uint16{"1.2": tls.VersionTLS12, "1.3": tls.VersionTLS13} {
		t.Run(name, func(t *testing.T) {
			f := newFiles(t)
			staff, guests := certstest.NewAuthority(t, "staff"), certstest.NewAuthority(t, "guests")
			f.o.ClientCAFile = filepath.Join(filepath.Dir(f.o.CertFile), "ca.pem")
			f.o.RequireClient = true
			certstest.Write(t, f.o.ClientCAFile, staff.PEM())
			c := f.open()
			client := &tls.Config{ServerName: "localhost", Certificates: []tls.Certificate{staff.Pair("ada")}, MaxVersion: version,
				ClientSessionCache: tls.NewLRUClientSessionCache(4)}
			for _, want := range []bool{false, true} {
				if state, _, err := f.shake(c, client); err != nil || state.DidResume != want {
					t.Fatalf("resumed %v, %v; want %v", state.DidResume, err, want)
				}
			}
			certstest.Write(t, f.o.ClientCAFile, guests.PEM())
			f.pass()
			if _, _, err := f.shake(c, client); err == nil {
				t.Error("a session of a client whose authority is gone was taken up")
			}
		})
	}
}
