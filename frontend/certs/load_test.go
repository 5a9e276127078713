//lint:file-ignore SA1019 a key in the old PEM encryption has to come from somewhere

package certs

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/youmark/pkcs8"

	"clipd/frontend/certs/certstest"
)

func TestKinds(t *testing.T) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ecKey := certstest.NewKey(t)
	ec, err := x509.MarshalECPrivateKey(ecKey)
	if err != nil {
		t.Fatal(err)
	}
	plain := func(key any) []byte {
		t.Helper()
		der, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		return der
	}
	encrypted := func(opts *pkcs8.Opts) []byte {
		t.Helper()
		der, err := pkcs8.MarshalPrivateKey(rsaKey, []byte("secret"), opts)
		if err != nil {
			t.Fatal(err)
		}
		return der
	}
	legacy, err := x509.EncryptPEMBlock(rand.Reader, "RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(rsaKey), []byte("secret"), x509.PEMCipherAES256)
	if err != nil {
		t.Fatal(err)
	}
	scrypt := &pkcs8.Opts{Cipher: pkcs8.AES128CBC, KDFOpts: pkcs8.ScryptOpts{SaltSize: 8, CostParameter: 1 << 10, BlockSize: 8, ParallelizationParameter: 1}}
	block := func(kind string, der []byte) *pem.Block { return &pem.Block{Type: kind, Bytes: der} }

	a := certstest.NewAuthority(t, "authority")
	check := func(name string, key crypto.Signer, b *pem.Block, password, want string) {
		t.Helper()
		o := Options{CertFile: filepath.Join(t.TempDir(), "cert.pem"), KeyFile: filepath.Join(t.TempDir(), "key.pem"), Password: password}
		cert := a.Sign("host", key, time.Now(), time.Now().Add(time.Hour))
		certstest.Write(t, o.CertFile, cert)
		certstest.Write(t, o.KeyFile, pem.EncodeToMemory(b))
		_, err := Open(o)
		if want == "" && err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if want != "" && (err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), o.KeyFile)) {
			t.Errorf("%s: %v, want %q in %s", name, err, want, o.KeyFile)
		}
	}
	check("rsa PKCS#8", rsaKey, block("PRIVATE KEY", plain(rsaKey)), "", "")
	check("rsa PKCS#1", rsaKey, block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(rsaKey)), "", "")
	check("unneeded password", rsaKey, block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(rsaKey)), "secret", "")
	check("ec SEC 1", ecKey, block("EC PRIVATE KEY", ec), "", "")
	check("ed25519", edKey, block("PRIVATE KEY", plain(edKey)), "", "")
	check("pbkdf2", rsaKey, block("ENCRYPTED PRIVATE KEY", encrypted(nil)), "secret", "")
	check("scrypt", rsaKey, block("ENCRYPTED PRIVATE KEY", encrypted(scrypt)), "secret", "")
	check("legacy", rsaKey, legacy, "secret", "")
	check("wrong password", rsaKey, block("ENCRYPTED PRIVATE KEY", encrypted(nil)), "guess", "wrong password")
	check("no password", rsaKey, block("ENCRYPTED PRIVATE KEY", encrypted(nil)), "", "no password is given")
	check("legacy wrong", rsaKey, legacy, "guess", "wrong password")
	check("legacy none", rsaKey, legacy, "", "no password is given")
	check("garbage", rsaKey, block("PRIVATE KEY", []byte("garbage")), "", "cannot be read")
	check("encrypted garbage", rsaKey, block("ENCRYPTED PRIVATE KEY", []byte("garbage")), "secret", "cannot be read")
	check("openssh", rsaKey, block("OPENSSH PRIVATE KEY", []byte("garbage")), "", "not known")
}

// TestBrokenCipherText cuts the encrypted key within its DER, so that its text is no whole number of blocks.
func TestBrokenCipherText(t *testing.T) {
	quick := &pkcs8.Opts{Cipher: pkcs8.AES256CBC, KDFOpts: pkcs8.PBKDF2Opts{SaltSize: 8, IterationCount: 100, HMACHash: crypto.SHA256}}
	der, err := pkcs8.MarshalPrivateKey(certstest.NewKey(t), []byte("secret"), quick)
	if err != nil {
		t.Fatal(err)
	}
	for at := range der {
		for _, flip := range []byte{1, 0x80} {
			b := bytes.Clone(der)
			b[at] ^= flip
			if n := iterations(b); n > 20000 {
				continue // a count of iterations that would take minutes
			}
			parseKey(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: b}, "secret") // must not panic
		}
	}
}

// iterations finds the PBKDF2 count: the INTEGER of two or three bytes after the salt.
func iterations(der []byte) int {
	salt := bytes.Index(der, []byte{0x04, 0x08})
	if salt < 0 || salt+12 > len(der) {
		return 1 << 30
	}
	n := 0
	for _, b := range der[salt+12 : min(len(der), salt+12+int(der[salt+11]))] {
		n = n<<8 | int(b)
	}
	return n
}

func TestErrorsNameTheFile(t *testing.T) {
	a := certstest.NewAuthority(t, "authority")
	cert, key := a.Issue("host")
	dir := t.TempDir()
	o := Options{CertFile: filepath.Join(dir, "cert.pem"), KeyFile: filepath.Join(dir, "key.pem")}
	check := func(cert, key []byte, file, want string) {
		t.Helper()
		certstest.Write(t, o.CertFile, cert)
		certstest.Write(t, o.KeyFile, key)
		_, err := Open(o)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), file) {
			t.Errorf("%v, want %q about %s", err, want, file)
		}
	}
	check(nil, key, o.CertFile, "is empty")
	check([]byte("hello"), key, o.CertFile, "no PEM block")
	check([]byte{0x30, 0x82, 1, 2}, key, o.CertFile, "DER")
	check(key, key, o.CertFile, "no CERTIFICATE, only PRIVATE KEY")
	check(cert, cert, o.KeyFile, "no PRIVATE KEY, only CERTIFICATE")
	check(append(bytes.Clone(cert), cert[:100]...), key, o.CertFile, "1 of its 2 PEM blocks")
	_, other := a.Issue("other")
	check(cert, other, o.KeyFile, "does not belong")
	check(a.PEM(), key, o.CertFile, "does not belong")

	certstest.Write(t, o.KeyFile, key)
	if err := os.Remove(o.CertFile); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(o); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("without the file: %v", err)
	}
	if err := os.Mkdir(o.CertFile, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(o); err == nil || !strings.Contains(err.Error(), "no regular file") {
		t.Errorf("a folder: %v", err)
	}
	for _, o := range []Options{{}, {CertFile: "x"}, {KeyFile: "x"}, {CertFile: "x", KeyFile: "x", RequireClient: true}} {
		if _, err := Open(o); err == nil {
			t.Errorf("%+v was taken", o)
		}
	}
}

func TestOneFileForBoth(t *testing.T) {
	f := newFiles(t)
	cert, key := f.authority.Issue("both")
	certstest.Write(t, f.o.CertFile, append(key, cert...))
	f.o.KeyFile = f.o.CertFile
	f.serves(f.open(), "both")
}
