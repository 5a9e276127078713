package onnx

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// alignment of each weight in the data file: a page, so that runtimes can map it.
const alignment = 4096

// Write writes the model to path and its weights to path + ".data". After every weight it calls written with the bytes
// so far and in all; an error of it ends the writing. Neither file is complete when an error is returned.
func (g *Graph) Write(path string, written func(done, total int64) error) error {
	data := path + ".data"
	total := int64(0)
	for _, i := range g.Initializers {
		if i.Raw == nil {
			i.offset = (total + alignment - 1) / alignment * alignment
			total = i.offset + i.Size()
		}
	}
	if err := os.WriteFile(path, g.encode(filepath.Base(data)), 0o644); err != nil {
		return err
	}
	f, err := os.Create(data)
	if err != nil {
		return err
	}
	err = g.writeData(f, total, written)
	if closed := f.Close(); err == nil {
		err = closed
	}
	return err
}

func (g *Graph) writeData(f *os.File, total int64, written func(done, total int64) error) error {
	out := bufio.NewWriterSize(f, 1<<20)
	w := &countingWriter{w: out}
	padding := make([]byte, alignment)
	for _, i := range g.Initializers {
		if i.Raw != nil {
			continue
		}
		if _, err := w.Write(padding[:i.offset-w.n]); err != nil {
			return err
		}
		if err := i.Write(w); err != nil {
			return fmt.Errorf("weight %q: %w", i.Name, err)
		}
		if want := i.offset + i.Size(); w.n != want {
			return fmt.Errorf("BUG: weight %q wrote %d bytes instead of %d", i.Name, w.n-i.offset, i.Size())
		}
		if err := written(w.n, total); err != nil {
			return err
		}
	}
	return out.Flush()
}

type countingWriter struct {
	w io.Writer
	n int64
}

func (c *countingWriter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}
