package auth

import (
	"fmt"
	"io"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// maxFile bounds a keys file, some 10,000 keys.
const maxFile = 1 << 20

// ReadFile returns the keys of a keys file, or all of its mistakes.
func ReadFile(path string) ([]Entry, error) {
	data, _, err := readFile(path)
	if err != nil {
		return nil, err
	}
	r := newRing()
	r.fromFile(path, data)
	return r.entries, r.err()
}

// readFile returns the text of a keys file, and what the file was when it was read.
func readFile(path string) (string, fs.FileInfo, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0) // a named pipe must not hold the server up
	if err != nil {
		return "", nil, fmt.Errorf("cannot read the keys file: %w", err)
	}
	defer f.Close()
	return readAll(f)
}

func readAll(f *os.File) (string, fs.FileInfo, error) {
	info, err := f.Stat()
	if err != nil {
		return "", nil, fmt.Errorf("cannot read the keys file: %w", err)
	}
	if !info.Mode().IsRegular() {
		return "", nil, fmt.Errorf("cannot read the keys file: %s is no regular file", f.Name())
	}
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return "", nil, fmt.Errorf("cannot read the keys file: %w", err)
	}
	if len(data) > maxFile {
		return "", nil, fmt.Errorf("the keys file %s is longer than %d bytes", f.Name(), maxFile)
	}
	return string(data), info, nil
}

// Append adds the line of a key to a keys file, which is made when there is none, readable by its owner only. A file
// with mistakes, with the same name or with the same secret in it is left as it is. Two that append at the same time
// wait for each other; a server that reads meanwhile sees the whole line or none of it.
func Append(path string, e Entry) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND|unix.O_NONBLOCK, 0o600)
	if err != nil {
		return fmt.Errorf("cannot append to the keys file: %w", err)
	}
	defer f.Close()
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		return fmt.Errorf("cannot lock the keys file %s: %w", path, err)
	}
	data, info, err := readAll(f)
	if err != nil {
		return err
	}
	r := newRing()
	r.fromFile(path, data)
	if err := r.err(); err != nil {
		return fmt.Errorf("the keys file has mistakes and was left as it is:\n%w", err)
	}
	if at, twice := r.names[e.Name]; twice {
		return fmt.Errorf("%s: there is a key %s already; choose another name, or take its line out first", at, e.Name)
	}
	if at, twice := r.hashes[e.Hash]; twice {
		return fmt.Errorf("%s: the same key is there already under another name", at)
	}
	line := e.String() + "\n"
	if data != "" && data[len(data)-1] != '\n' {
		line = "\n" + line
	}
	if len(data)+len(line) > maxFile {
		return fmt.Errorf("the keys file %s would be longer than %d bytes", path, maxFile)
	}
	if _, err = f.WriteString(line); err == nil {
		err = f.Sync()
	}
	if err != nil {
		// Half a line would be a mistake that stops the next start.
		if undo := f.Truncate(info.Size()); undo != nil {
			return fmt.Errorf("cannot append to the keys file: %w; its last line may be broken: %w", err, undo)
		}
		return fmt.Errorf("cannot append to the keys file: %w", err)
	}
	return nil
}
