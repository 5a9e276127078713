package certs

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// maxFile bounds a file, bytes; a bundle of all public authorities has some 250 kB.
const maxFile = 4 << 20

// loaded is what the files hold.
type loaded struct {
	certificate tls.Certificate
	clientCAs   *x509.CertPool // nil without ClientCAFile
	validity    []validity     // of the certificate and the intermediate ones
	sum         [sha256.Size]byte
}

type validity struct {
	subject             string
	notBefore, notAfter time.Time
}

func (o Options) files() []string {
	names := []string{o.CertFile, o.KeyFile}
	if o.ClientCAFile != "" {
		names = append(names, o.ClientCAFile)
	}
	return names
}

// load reads the files whole before it looks at any, to come as close as can be to one state of all of them.
func load(o Options) (*loaded, error) {
	var contents [][]byte
	sum := sha256.New()
	for _, name := range o.files() {
		b, err := read(name)
		if err != nil {
			return nil, err
		}
		contents = append(contents, b)
		fmt.Fprintf(sum, "%d\n", len(b))
		sum.Write(b)
	}
	l := &loaded{}
	sum.Sum(l.sum[:0])
	chain, err := certificates(o.CertFile, contents[0])
	if err != nil {
		return nil, err
	}
	key, err := privateKey(o.KeyFile, contents[1], o.Password)
	if err != nil {
		return nil, err
	}
	if public, ok := key.Public().(interface{ Equal(crypto.PublicKey) bool }); !ok || !public.Equal(chain[0].PublicKey) {
		return nil, fmt.Errorf("the key in %s does not belong to the first certificate in %s (%q); "+
			"the server's own certificate comes first, then the intermediate ones", o.KeyFile, o.CertFile, name(chain[0]))
	}
	l.certificate = tls.Certificate{PrivateKey: key, Leaf: chain[0]}
	for _, c := range chain {
		l.certificate.Certificate = append(l.certificate.Certificate, c.Raw)
		l.validity = append(l.validity, validity{name(c), c.NotBefore, c.NotAfter})
	}
	if o.ClientCAFile != "" {
		authorities, err := certificates(o.ClientCAFile, contents[2])
		if err != nil {
			return nil, err
		}
		l.clientCAs = x509.NewCertPool()
		for _, c := range authorities {
			l.clientCAs.AddCert(c)
		}
	}
	return l, nil
}

func read(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("cannot read the TLS file %s: %w", name, errors.Unwrap(err))
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("cannot read the TLS file %s: %w", name, errors.Unwrap(err))
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("the TLS file %s is no regular file but %s", name, info.Mode().Type())
	}
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("cannot read the TLS file %s: %w", name, errors.Unwrap(err))
	}
	if len(b) > maxFile {
		return nil, fmt.Errorf("the TLS file %s has more than %d bytes; that is no PEM file of certificates", name, maxFile)
	}
	return b, nil
}

// blocks are the PEM blocks of a file; a block that is cut off is an error, for the file may be being written.
func blocks(file string, b []byte) ([]*pem.Block, error) {
	if len(bytes.TrimSpace(b)) == 0 {
		return nil, fmt.Errorf("%s is empty", file)
	}
	begun := bytes.Count(b, []byte("-----BEGIN "))
	if begun == 0 {
		if b[0] == 0x30 { // the SEQUENCE that certificates, keys and PKCS#12 are in DER
			return nil, fmt.Errorf("%s holds no PEM block; it looks like DER or PKCS#12: convert it with openssl", file)
		}
		return nil, fmt.Errorf("%s holds no PEM block (-----BEGIN …-----)", file)
	}
	var found []*pem.Block
	for {
		block, rest := pem.Decode(b)
		if block == nil {
			break
		}
		found, b = append(found, block), rest
	}
	if len(found) != begun {
		return nil, fmt.Errorf("%s: %d of its %d PEM blocks are broken or cut off", file, begun-len(found), begun)
	}
	return found, nil
}

func certificates(file string, b []byte) ([]*x509.Certificate, error) {
	found, err := blocks(file, b)
	if err != nil {
		return nil, err
	}
	var list []*x509.Certificate
	var others []string
	for _, block := range found {
		if block.Type != "CERTIFICATE" {
			others = append(others, block.Type)
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("%s: certificate %d cannot be read: %w", file, len(list)+1, err)
		}
		list = append(list, c)
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("%s holds no CERTIFICATE, only %s", file, strings.Join(others, ", "))
	}
	return list, nil
}

// name is what a certificate is called in messages.
func name(c *x509.Certificate) string {
	switch {
	case len(c.DNSNames) > 0:
		return c.DNSNames[0]
	case c.Subject.CommonName != "":
		return c.Subject.CommonName
	}
	return c.Subject.String()
}
