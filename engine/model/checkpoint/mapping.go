package checkpoint

import (
	"fmt"
	"os"
	"runtime/debug"
	"syscall"
)

// mapping is a file mapped for reading. The pages are the kernel's: they are read when they are touched and
// can be dropped again at any time.
type mapping struct {
	path string
	data []byte
}

func mapFile(path string) (*mapping, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", path)
	}
	if info.Size() == 0 {
		return nil, fmt.Errorf("%s is empty", path)
	}
	data, err := syscall.Mmap(int(f.Fd()), 0, int(info.Size()), syscall.PROT_READ, syscall.MAP_PRIVATE)
	if err != nil {
		return nil, fmt.Errorf("cannot map %s (%d bytes): %w", path, info.Size(), err)
	}
	return &mapping{path: path, data: data}, nil
}

func (m *mapping) close() error { return syscall.Munmap(m.data) }

// release drops the pages from the process; touching them again reads them again.
func (m *mapping) release() {
	// Advice only: when it fails the pages just stay.
	_ = syscall.Madvise(m.data, syscall.MADV_DONTNEED)
}

// Guard runs read, which touches mapped bytes, and turns a fault (the file was cut or its disk failed while it was
// mapped) into an error.
func Guard(path string, read func() error) (err error) {
	old := debug.SetPanicOnFault(true)
	defer debug.SetPanicOnFault(old)
	defer func() {
		r := recover()
		if r == nil {
			return
		}
		if fault, ok := r.(interface{ Addr() uintptr }); ok {
			err = fmt.Errorf("cannot read %s any more: it became shorter or its disk failed while it was being read (address %#x)", path, fault.Addr())
			return
		}
		panic(r)
	}()
	return read()
}

// WithMapped runs use on the bytes of a mapped file, which are gone when it returns.
func WithMapped(path string, use func(data []byte) error) error {
	m, err := mapFile(path)
	if err != nil {
		return err
	}
	err = Guard(path, func() error { return use(m.data) })
	if closed := m.close(); err == nil {
		err = closed
	}
	return err
}
