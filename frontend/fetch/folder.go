package fetch

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"clipd/engine"
)

// folder loads files below a folder.
type folder struct {
	root     *os.Root // keeps "..", absolute names and symbolic links from leading out
	names    []string // the folder's absolute paths, as given and without symbolic links
	slots    chan struct{}
	maxBytes int64
}

func openFolder(path string, maxBytes int64) (*folder, error) {
	given, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("cannot open the folder %q that uris may name: %w", path, err)
	}
	if given == "/" {
		return nil, errors.New("cannot let uris name all files of this machine (/); name a folder with nothing but pictures")
	}
	root, err := os.OpenRoot(given)
	if err != nil {
		return nil, fmt.Errorf("cannot open the folder %q that uris may name: %w", path, errors.Unwrap(err))
	}
	f := &folder{root: root, names: []string{given}, slots: make(chan struct{}, loadsAtATime), maxBytes: maxBytes}
	if real, err := filepath.EvalSymlinks(given); err == nil && real != given {
		f.names = append(f.names, real)
	}
	return f, nil
}

// filePath returns the path of a file: URI (RFC 8089), its scheme cut off.
func filePath(rest string) (string, error) {
	rest, _, _ = strings.Cut(rest, "#")
	if strings.Contains(rest, "?") {
		return "", errors.New("a file: URI has no query; write a question mark in a name as %3F")
	}
	if authority, found := strings.CutPrefix(rest, "//"); found {
		host, path, found := strings.Cut(authority, "/")
		if host != "" && !strings.EqualFold(host, "localhost") {
			return "", errors.New("a file: URI may name no other host; write file:///path")
		}
		if !found {
			return "", errors.New("a file: URI needs a path; write file:///path")
		}
		rest = "/" + path
	}
	path, err := url.PathUnescape(rest)
	if err != nil {
		return "", errors.New("the file: URI is not percent-encoded; write a percent sign in a name as %25")
	}
	return path, nil
}

// errNoFile is one answer for what is not there and for what may not be seen, so that nobody learns which files are
// outside of the folder.
var errNoFile = errors.New("there is no such file below the folder that this server reads")

// load returns the content of a regular file.
func (f *folder) load(ctx context.Context, path string) ([]byte, error) {
	switch {
	case len(path) > maxURI:
		return nil, fmt.Errorf("the path has %d bytes, it may have %d", len(path), maxURI)
	case strings.ContainsRune(path, 0):
		return nil, errors.New("a path has no zero bytes")
	}
	name, found := f.below(path)
	if !found {
		return nil, errNoFile
	}
	select {
	case f.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-f.slots }()
	// First a look: opening some devices does things.
	info, err := f.root.Stat(name)
	if err != nil {
		return nil, fileError(err)
	}
	if !info.Mode().IsRegular() {
		return nil, errNoRegular
	}
	// What is opened may be another file by now: without O_NONBLOCK a FIFO would wait for its writer.
	file, err := f.root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOCTTY, 0)
	if err != nil {
		return nil, fileError(err)
	}
	defer file.Close()
	if info, err = file.Stat(); err != nil {
		return nil, fileError(err)
	}
	if !info.Mode().IsRegular() {
		return nil, errNoRegular
	}
	data, err := readBody(file, info.Size(), f.maxBytes)
	if known := answerError(""); err != nil && !errors.As(err, &known) {
		return nil, fileError(err)
	}
	return data, err
}

var errNoRegular = errors.New("it is no regular file")

// below returns path relative to the folder; an absolute path has to lie in it.
func (f *folder) below(path string) (name string, found bool) {
	if !strings.HasPrefix(path, "/") {
		return path, path != ""
	}
	path = filepath.Clean(path)
	for _, folder := range f.names {
		if name, found := strings.CutPrefix(path, folder+"/"); found {
			return name, true
		}
	}
	return "", false
}

// fileError says what the caller learns of an error of the file system.
func fileError(err error) error {
	if errors.Is(err, os.ErrClosed) {
		return engine.Errorf(engine.Unavailable, "files are no longer read: the server shuts down")
	}
	if e := machineError(err); e != nil {
		return e
	}
	return errNoFile
}
