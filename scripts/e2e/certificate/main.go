// Command certificate writes what a test of TLS needs into a folder: ca.pem, and cert.pem with key.pem for 127.0.0.1 and
// localhost, next.pem and next-key.pem to follow them, client.pem with client-key.pem for a caller. They are good for a day.
package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: certificate FOLDER")
		os.Exit(2)
	}
	if err := write(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "certificate:", err)
		os.Exit(1)
	}
}

// issuer signs certificates; the first one, its own, signs itself.
type issuer struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	folder      string
	serial      int64
}

func write(folder string) error {
	ca := &issuer{folder: folder}
	authority := x509.Certificate{
		Subject: pkix.Name{CommonName: "clipd test authority"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	if err := ca.issue(authority, "ca.pem", ""); err != nil {
		return err
	}
	server := x509.Certificate{
		Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	for _, files := range [][2]string{{"cert.pem", "key.pem"}, {"next.pem", "next-key.pem"}} {
		if err := ca.issue(server, files[0], files[1]); err != nil {
			return err
		}
	}
	client := x509.Certificate{Subject: pkix.Name{CommonName: "caller"}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	return ca.issue(client, "client.pem", "client-key.pem")
}

func (i *issuer) issue(template x509.Certificate, certFile, keyFile string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	i.serial++
	template.SerialNumber = big.NewInt(i.serial)
	template.NotBefore = time.Now().Add(-time.Hour)
	template.NotAfter = time.Now().Add(24 * time.Hour)
	template.KeyUsage |= x509.KeyUsageDigitalSignature
	parent, signer := i.certificate, i.key
	if parent == nil {
		parent, signer = &template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, parent, key.Public(), signer)
	if err != nil {
		return err
	}
	if i.certificate == nil {
		if i.certificate, err = x509.ParseCertificate(der); err != nil {
			return err
		}
		i.key = key
	}
	if err := i.save(certFile, "CERTIFICATE", der); err != nil || keyFile == "" {
		return err
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	return i.save(keyFile, "PRIVATE KEY", secret)
}

func (i *issuer) save(file, kind string, der []byte) error {
	return os.WriteFile(filepath.Join(i.folder, file), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600)
}
