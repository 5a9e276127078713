package certs

import (
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// lookEvery is how often the files are looked at while handshakes come in.
const lookEvery = time.Second

// racy is the age below which a file's time stamp says nothing: a write within the same tick of the file system's
// clock would leave it as it is. Such a file is read again at the next look.
const racy = 2 * time.Second

// A follower keeps the configuration that the files describe.
type follower struct {
	o   Options
	now func() time.Time

	current atomic.Pointer[tls.Config]
	next    atomic.Int64 // UnixNano of the next look

	looking  sync.Mutex // held by the one handshake that looks; guards what follows
	seen     []stamp    // of the files when they were read last; nil: read them again
	contents [sha256.Size]byte
	broken   bool   // the files of the last look could not be used
	told     string // the error that OnReload heard last; "" after success
	validity []validity
}

// A stamp tells one state of a file from another.
type stamp struct {
	info os.FileInfo
	err  string
}

func (s stamp) same(other stamp) bool {
	if s.info == nil || other.info == nil {
		return s.info == nil && other.info == nil && s.err == other.err
	}
	return os.SameFile(s.info, other.info) && s.info.Size() == other.info.Size() && s.info.ModTime().Equal(other.info.ModTime())
}

func (f *follower) start() error {
	f.look()
	l, err := load(f.o)
	if err != nil {
		return err
	}
	f.contents = l.sum
	f.use(l)
	f.next.Store(f.now().Add(lookEvery).UnixNano())
	if late := f.outOfTime(); late != nil {
		f.tell(late)
	}
	return nil
}

// config is the configuration for a handshake. One handshake a second looks at the files; the others take what is there.
func (f *follower) config() *tls.Config {
	if f.now().UnixNano() >= f.next.Load() && f.looking.TryLock() {
		defer f.looking.Unlock()
		if f.now().UnixNano() >= f.next.Load() {
			f.follow()
			f.next.Store(f.now().Add(lookEvery).UnixNano())
		}
	}
	return f.current.Load()
}

// follow loads the files when they are not those that were read last.
func (f *follower) follow() {
	if f.look() {
		l, err := load(f.o)
		if err != nil {
			f.seen, f.broken = nil, true // what is broken is being repaired: read again
			f.tell(err)
			return
		}
		news := f.broken // also when the files are again those in use
		f.broken = false
		if l.sum != f.contents {
			news = true
			f.contents = l.sum
			f.use(l)
		}
		if news {
			f.told = ""
			if f.outOfTime() == nil && f.o.OnReload != nil {
				f.o.OnReload(nil)
			}
		}
	}
	if late := f.outOfTime(); late != nil {
		f.tell(late)
	}
}

// look notes the files' stamps and reports whether they have to be read.
func (f *follower) look() bool {
	var stamps []stamp
	fresh := false
	for _, name := range f.o.files() {
		info, err := os.Stat(name)
		if err != nil {
			stamps = append(stamps, stamp{err: err.Error()})
			continue
		}
		stamps = append(stamps, stamp{info: info})
		fresh = fresh || f.now().Sub(info.ModTime()).Abs() < racy
	}
	changed := len(f.seen) != len(stamps)
	for i := 0; !changed && i < len(stamps); i++ {
		changed = !stamps[i].same(f.seen[i])
	}
	f.seen = stamps
	if fresh {
		f.seen = nil
	}
	return changed
}

func (f *follower) use(l *loaded) {
	c := serverConfig()
	c.Certificates = []tls.Certificate{l.certificate}
	if f.o.ClientCAFile != "" {
		c.ClientCAs = l.clientCAs
		c.ClientAuth = tls.VerifyClientCertIfGiven
		if f.o.RequireClient {
			c.ClientAuth = tls.RequireAndVerifyClientCert
		}
	}
	f.validity = l.validity
	f.current.Store(c)
}

// outOfTime is the first certificate in use that clients will refuse for its dates.
func (f *follower) outOfTime() error {
	now := f.now()
	for _, v := range f.validity {
		if now.After(v.notAfter) || now.Before(v.notBefore) {
			return &ValidityError{File: f.o.CertFile, Subject: v.subject, NotBefore: v.notBefore, NotAfter: v.notAfter,
				Expired: now.After(v.notAfter)}
		}
	}
	return nil
}

// tell reports an error that has not been reported just before.
func (f *follower) tell(err error) {
	if err.Error() == f.told {
		return
	}
	f.told = err.Error()
	if f.o.OnReload == nil {
		return
	}
	var late *ValidityError
	if !errors.As(err, &late) {
		err = &keptError{err}
	}
	f.o.OnReload(err)
}

// keptError says what happens in spite of the error.
type keptError struct{ err error }

func (e *keptError) Error() string {
	return "the changed TLS files cannot be used, the certificate before them stays in use: " + e.err.Error()
}
func (e *keptError) Unwrap() error { return e.err }
