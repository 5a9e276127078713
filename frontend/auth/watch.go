package auth

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// lookEvery is how often the file is looked at, at most; a look costs a stat.
	lookEvery = time.Second
	// settled is the age at which a file's time of change tells it from any later change. File systems count time in
	// steps, up to 2 s on FAT: a file that was younger when it was read may have changed since without showing it.
	settled = 2 * time.Second
)

// watch notices that a file changed, when it is asked.
type watch struct {
	start time.Time
	next  atomic.Int64 // ns after start when the file is to be looked at

	mu     sync.Mutex // held while looking
	closed bool
	last   seen
	told   string // the error that was told last; "" after a reload that went well
}

// seen is what a file was when it was read; the zero value is no file.
type seen struct {
	info fs.FileInfo
	at   time.Time // before the reading
	sum  [sha256.Size]byte
}

// same says that info, of now, is of the file that was read.
func (s seen) same(info fs.FileInfo) bool {
	return s.info != nil && os.SameFile(s.info, info) && s.info.Size() == info.Size() &&
		s.info.ModTime().Equal(info.ModTime()) && s.at.Sub(info.ModTime()) >= settled
}

// due says, to one caller each time, that the file is to be looked at.
func (w *watch) due() bool {
	now, next := int64(time.Since(w.start)), w.next.Load()
	return now >= next && w.next.CompareAndSwap(next, now+int64(lookEvery))
}

// read returns the lines of the file, and whether they are others than those that were read last.
func (w *watch) read(path string) (lines string, changed bool, err error) {
	if info, err := os.Stat(path); err == nil && w.last.same(info) {
		return "", false, nil
	}
	at := time.Now()
	lines, info, err := readFile(path)
	if err != nil {
		w.last = seen{}
		return "", false, err
	}
	before := w.last
	w.last = seen{info, at, sha256.Sum256([]byte(lines))}
	return lines, before.info == nil || before.sum != w.last.sum, nil
}

func (w *watch) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
}

// look loads the file again when it changed. Who comes while another looks goes on with what is there.
func (k *Keys) look() {
	w := &k.watch
	if k.options.File == "" || !w.due() || !w.mu.TryLock() {
		return
	}
	defer w.mu.Unlock()
	if w.closed {
		return
	}
	lines, changed, err := w.read(k.options.File)
	if err == nil && !changed {
		return
	}
	if err == nil {
		err = k.load(lines)
	}
	told := ""
	if err != nil {
		if told = err.Error(); told == w.told {
			return
		}
		err = fmt.Errorf("%w; the keys from before stay in use", err)
	}
	w.told = told
	if k.options.OnReload != nil {
		k.options.OnReload(len(k.set.Load().keys), err)
	}
}
