package certs

import (
	"crypto/tls"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"clipd/frontend/certs/certstest"
)

// files are the TLS files of a test, with a clock that moves by hand and what OnReload heard.
type files struct {
	t         *testing.T
	o         Options
	authority *certstest.Authority
	began     time.Time
	ahead     atomic.Int64 // of the clock, which stands still by itself

	mu    sync.Mutex
	heard []error
}

func newFiles(t *testing.T) *files {
	dir := t.TempDir()
	f := &files{t: t, began: time.Now(), authority: certstest.NewAuthority(t, "test authority")}
	f.o = Options{CertFile: filepath.Join(dir, "cert.pem"), KeyFile: filepath.Join(dir, "key.pem")}
	f.o.OnReload = func(err error) {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.heard = append(f.heard, err)
	}
	f.pair("first")
	return f
}

func (f *files) pair(name string) {
	cert, key := f.authority.Issue(name)
	certstest.Write(f.t, f.o.CertFile, cert)
	certstest.Write(f.t, f.o.KeyFile, key)
}

func (f *files) open() *tls.Config {
	f.t.Helper()
	c, err := open(f.o, f.now)
	if err != nil {
		f.t.Fatal(err)
	}
	return c
}

func (f *files) now() time.Time { return f.began.Add(time.Duration(f.ahead.Load())) }

// pass moves the clock on to the next look, past the time in which files count as fresh.
func (f *files) pass() { f.ahead.Add(int64(5 * time.Second)) }

// told returns what OnReload heard since the last call.
func (f *files) told() []error {
	f.mu.Lock()
	defer f.mu.Unlock()
	heard := f.heard
	f.heard = nil
	return heard
}

func (f *files) expectTold(want ...string) {
	f.t.Helper()
	heard := f.told()
	if len(heard) != len(want) {
		f.t.Fatalf("OnReload heard %v, want %q", heard, want)
	}
	for i, err := range heard {
		if (err == nil) != (want[i] == "") || err != nil && !strings.Contains(err.Error(), want[i]) {
			f.t.Errorf("OnReload heard %v, want %q", err, want[i])
		}
	}
}

// shake makes one handshake and returns the state of the client and of the server.
func (f *files) shake(server *tls.Config, client *tls.Config) (c, s tls.ConnectionState, err error) {
	f.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		f.t.Fatal(err)
	}
	defer l.Close()
	served := make(chan error, 1)
	var state tls.ConnectionState
	go func() {
		raw, err := l.Accept()
		if err != nil {
			served <- err
			return
		}
		defer raw.Close()
		conn := tls.Server(raw, server)
		if err = conn.Handshake(); err == nil {
			state = conn.ConnectionState()
			_, err = conn.Write([]byte("x")) // takes the session ticket along
		}
		served <- err
	}()
	if client.RootCAs == nil {
		client.RootCAs = f.authority.Pool()
	}
	conn, err := tls.Dial("tcp", l.Addr().String(), client)
	if err == nil {
		_, err = conn.Read(make([]byte, 1))
		c = conn.ConnectionState()
		conn.Close()
	}
	if serr := <-served; err == nil {
		err = serr
	}
	return c, state, err
}

// serves expects a handshake to be answered with the certificate of that name.
func (f *files) serves(c *tls.Config, name string) {
	f.t.Helper()
	state, _, err := f.shake(c, &tls.Config{})
	if err != nil {
		f.t.Fatalf("handshake with %q in use: %v", name, err)
	}
	if got := state.PeerCertificates[0].Subject.CommonName; got != name {
		f.t.Errorf("the certificate of %q is in use, want %q", got, name)
	}
}

func TestReloadsRenamedPair(t *testing.T) {
	f := newFiles(t)
	c := f.open()
	f.serves(c, "first")
	f.pair("second")
	f.pass()
	f.serves(c, "second")
	f.expectTold("")
	for range 3 {
		f.pass()
		f.serves(c, "second")
	}
	f.expectTold()
}

func TestLooksAtMostOnceASecond(t *testing.T) {
	f := newFiles(t)
	c := f.open()
	f.pair("second")
	f.serves(c, "first")
	f.pass()
	f.serves(c, "second")
}

// TestReloadsSwappedLink does what Kubernetes does with a mounted secret: the files are links through a link to a folder,
// and only that one is replaced.
func TestReloadsSwappedLink(t *testing.T) {
	f := newFiles(t)
	dir := filepath.Dir(f.o.CertFile)
	version := func(name string) {
		t.Helper()
		cert, key := f.authority.Issue(name)
		at := filepath.Join(dir, ".."+name)
		if err := os.Mkdir(at, 0o700); err != nil {
			t.Fatal(err)
		}
		certstest.Write(t, filepath.Join(at, "tls.crt"), cert)
		certstest.Write(t, filepath.Join(at, "tls.key"), key)
		link := filepath.Join(dir, "..data")
		if err := os.Symlink(at, link+"_tmp"); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(link+"_tmp", link); err != nil {
			t.Fatal(err)
		}
	}
	version("one")
	for _, name := range []string{"tls.crt", "tls.key"} {
		if err := os.Symlink(filepath.Join("..data", name), filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	f.o.CertFile, f.o.KeyFile = filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	c := f.open()
	f.serves(c, "one")
	version("two")
	f.pass()
	f.serves(c, "two")
	f.expectTold("")
}

func TestKeepsOldPairWhileNewIsBroken(t *testing.T) {
	f := newFiles(t)
	c := f.open()
	cert, key := f.authority.Issue("second")

	certstest.Write(t, f.o.CertFile, cert[:len(cert)/2])
	for range 3 {
		f.pass()
		f.serves(c, "first")
	}
	f.expectTold("cut off")

	certstest.Write(t, f.o.CertFile, cert) // and the key is still the old one
	for range 3 {
		f.pass()
		f.serves(c, "first")
	}
	f.expectTold("does not belong")

	if err := os.Remove(f.o.KeyFile); err != nil {
		t.Fatal(err)
	}
	f.pass()
	f.serves(c, "first")
	f.pass()
	f.serves(c, "first")
	f.expectTold("no such file")

	certstest.Write(t, f.o.KeyFile, key)
	f.pass()
	f.serves(c, "second")
	f.expectTold("")
}

func TestSaysWhenOldFilesAreBack(t *testing.T) {
	f := newFiles(t)
	c := f.open()
	cert, err := os.ReadFile(f.o.CertFile)
	if err != nil {
		t.Fatal(err)
	}
	certstest.Write(t, f.o.CertFile, []byte("nonsense"))
	f.pass()
	f.serves(c, "first")
	certstest.Write(t, f.o.CertFile, cert)
	f.pass()
	f.serves(c, "first")
	f.expectTold("no PEM block", "")
}

func TestTouchingIsNoReload(t *testing.T) {
	f := newFiles(t)
	c := f.open()
	later := time.Now().Add(-time.Minute)
	if err := os.Chtimes(f.o.CertFile, later, later); err != nil {
		t.Fatal(err)
	}
	f.pass()
	f.serves(c, "first")
	f.expectTold()
}

// TestFreshFileIsReadAgain changes a file without a change of its size or time, as a write within one tick of the file
// system's clock does.
func TestFreshFileIsReadAgain(t *testing.T) {
	f := newFiles(t)
	cert, err := os.ReadFile(f.o.CertFile)
	if err != nil {
		t.Fatal(err)
	}
	c := f.open()
	info, err := os.Stat(f.o.CertFile)
	if err != nil {
		t.Fatal(err)
	}
	cert[40] ^= 1
	if err := os.WriteFile(f.o.CertFile, cert, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(f.o.CertFile, info.ModTime(), info.ModTime()); err != nil {
		t.Fatal(err)
	}
	f.pass()
	f.serves(c, "first")
	if heard := f.told(); len(heard) != 1 || heard[0] == nil {
		t.Errorf("OnReload heard %v, want the broken certificate", heard)
	}
}

func TestExpiredIsServedAndSaid(t *testing.T) {
	f := newFiles(t)
	_, key := f.authority.Issue("old")
	signer, err := privateKey("key", key, "")
	if err != nil {
		t.Fatal(err)
	}
	certstest.Write(t, f.o.KeyFile, key)
	certstest.Write(t, f.o.CertFile, f.authority.Sign("old", signer, time.Now().Add(-2*time.Hour), time.Now().Add(-time.Hour)))
	c := f.open()
	heard := f.told()
	var late *ValidityError
	if len(heard) != 1 || !errors.As(heard[0], &late) || !late.Expired || late.Subject != "old" || late.File != f.o.CertFile {
		t.Fatalf("OnReload heard %v, want that the certificate is expired", heard)
	}
	state, _, err := f.shake(c, &tls.Config{InsecureSkipVerify: true})
	if err != nil || state.PeerCertificates[0].Subject.CommonName != "old" {
		t.Errorf("handshake with the expired certificate: %v, %v", state.PeerCertificates, err)
	}

	certstest.Write(t, f.o.CertFile, f.authority.Sign("early", signer, time.Now().Add(time.Hour), time.Now().Add(2*time.Hour)))
	f.pass()
	f.shake(c, &tls.Config{InsecureSkipVerify: true})
	f.expectTold("yet to come")
	f.pair("good")
	f.pass()
	f.serves(c, "good")
	f.expectTold("")
	f.ahead.Add(int64(2 * time.Hour))
	for range 3 {
		f.pass()
		f.serves(c, "good") // by the client's clock, which has not moved
	}
	f.expectTold("expired")
}

func TestSessionsOutliveReload(t *testing.T) {
	for name, version := range map[string]uint16{"1.2": tls.VersionTLS12, "1.3": tls.VersionTLS13} {
		t.Run(name, func(t *testing.T) {
			f := newFiles(t)
			c := f.open()
			client := &tls.Config{ServerName: "localhost", ClientSessionCache: tls.NewLRUClientSessionCache(4), MaxVersion: version}
			resumed := func() bool {
				t.Helper()
				state, _, err := f.shake(c, client)
				if err != nil {
					t.Fatal(err)
				}
				return state.DidResume
			}
			if resumed() {
				t.Fatal("the first handshake resumed a session")
			}
			if !resumed() {
				t.Fatal("the second handshake did not resume")
			}
			f.pair("second")
			f.pass()
			if !resumed() {
				t.Error("the handshake after the reload did not resume")
			}
			f.expectTold("")
		})
	}
}

func TestConcurrentHandshakesDuringReload(t *testing.T) {
	f := newFiles(t)
	c := f.open()
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for range 20 {
				if _, _, err := f.shake(c, &tls.Config{RootCAs: f.authority.Pool()}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for range 10 {
		f.pair("next")
		f.pass()
		f.shake(c, &tls.Config{})
	}
	group.Wait()
}
