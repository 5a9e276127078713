package model

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"

	"clipd/engine/model/demo"
)

// identify works out the content hash: SHA-256 over the name, size and SHA-256 of each file.
func (s *source) identify(ctx context.Context, c *cache) error {
	whole := sha256.New()
	if s.path == "" {
		s.bytes = int64(len(demo.Weights()))
		whole.Write(demo.Weights())
		whole.Write(demo.Config())
		s.hash = hex.EncodeToString(whole.Sum(nil))
		return nil
	}
	files, err := s.files()
	if err != nil {
		return err
	}
	for _, file := range files {
		sum, size, err := c.fileHash(ctx, file)
		if err != nil {
			return err
		}
		s.bytes += size
		fmt.Fprintf(whole, "%s %d %s\n", filepath.Base(file), size, sum)
	}
	s.hash = hex.EncodeToString(whole.Sum(nil))
	return nil
}

// remembered is the hash of a file as it was at some time. Programs such as cp -p and rsync -t give new contents the old
// modification time; nobody sets Changed, and a file that takes the place of another has an Inode of its own.
type remembered struct {
	Path              string
	Size              int64
	Modified, Changed int64 // nanoseconds: mtime and ctime
	Inode             uint64
	Hash              string
}

// stamp is what a file is known by, without its hash.
func stamp(file string, info os.FileInfo) remembered {
	r := remembered{Path: file, Size: info.Size(), Modified: info.ModTime().UnixNano()}
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		r.Changed, r.Inode = s.Ctim.Nano(), s.Ino
	}
	return r
}

// fileHash is the SHA-256 of a file. It is remembered in the cache with the file's size, times and inode, so that the
// file is not read again while these stay.
func (c *cache) fileHash(ctx context.Context, file string) (hash string, size int64, err error) {
	f, err := os.Open(file)
	if err != nil {
		return "", 0, fmt.Errorf("cannot read the model: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", 0, fmt.Errorf("cannot read the model: %w", err)
	}
	now := stamp(file, info)
	name := sha256.Sum256([]byte(file))
	note := filepath.Join(c.dir, "hashes", hex.EncodeToString(name[:16])+".json")
	if data, err := os.ReadFile(note); err == nil {
		var then remembered
		if json.Unmarshal(data, &then) == nil && then.Hash != "" {
			now.Hash = then.Hash
			if then == now {
				return now.Hash, now.Size, nil
			}
		}
	}
	sum := sha256.New()
	read := &meter{ctx: ctx, progress: c.progress, stage: "read", total: now.Size}
	if _, err := io.CopyBuffer(io.MultiWriter(sum, read), struct{ io.Reader }{f}, make([]byte, 1<<20)); err != nil {
		return "", 0, fmt.Errorf("cannot read %s: %w", file, err)
	}
	now.Hash = hex.EncodeToString(sum.Sum(nil))
	data, err := json.Marshal(now)
	if err != nil {
		return "", 0, err
	}
	if err := writeAtomically(note, data); err != nil {
		return "", 0, c.unwritable(err)
	}
	return now.Hash, now.Size, nil
}

// meter reports what passes, and stops when the context ends.
type meter struct {
	ctx         context.Context
	progress    func(stage string, done, total int64)
	stage       string
	done, total int64
}

func (m *meter) Write(p []byte) (int, error) {
	m.done += int64(len(p))
	m.progress(m.stage, m.done, m.total)
	return len(p), m.ctx.Err()
}

// writeAtomically makes a small file appear whole or not at all, for everyone to read.
func writeAtomically(path string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Chmod(0o644) // CreateTemp gives 0600
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}
