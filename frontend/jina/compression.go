package jina

import (
	"io"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zlib"
	"google.golang.org/grpc/encoding"
	_ "google.golang.org/grpc/encoding/gzip" // is registered before what takes its place
)

// A caller who compresses its requests gets compressed answers; nobody else does. Embeddings lose a twelfth of their size
// at most, so the fastest level is right: it notices that they do not shrink, and costs a fraction of gRPC's own gzip.
func init() {
	encoding.RegisterCompressor(&compressor{
		name:      "gzip",
		newWriter: func() resetWriter { w, _ := gzip.NewWriterLevel(nil, gzip.BestSpeed); return w },
		newReader: func() resetReader { return gzipReader{new(gzip.Reader)} },
	})
	// gRPC's "deflate" is the zlib format (RFC 1950), not raw deflate.
	encoding.RegisterCompressor(&compressor{
		name:      "deflate",
		newWriter: func() resetWriter { w, _ := zlib.NewWriterLevel(nil, zlib.BestSpeed); return w },
		newReader: func() resetReader { return &zlibReader{} },
	})
}

// resetWriter and resetReader work for one message after another.
type resetWriter interface {
	io.WriteCloser
	Reset(io.Writer)
}

type resetReader interface {
	io.Reader
	Reset(io.Reader) error
}

// compressor is an encoding.Compressor with pools of the states of its format, which are up to a megabyte each.
type compressor struct {
	name             string
	newWriter        func() resetWriter
	newReader        func() resetReader
	writers, readers sync.Pool
}

// Name implements encoding.Compressor.
func (c *compressor) Name() string { return c.name }

// Compress implements encoding.Compressor.
func (c *compressor) Compress(w io.Writer) (io.WriteCloser, error) {
	z, ok := c.writers.Get().(resetWriter)
	if !ok {
		z = c.newWriter()
	}
	z.Reset(w)
	return &pooledWriter{z, &c.writers}, nil
}

// Decompress implements encoding.Compressor. gRPC closes the reader, and reads no more than one byte past its limit.
func (c *compressor) Decompress(r io.Reader) (io.Reader, error) {
	z, ok := c.readers.Get().(resetReader)
	if !ok {
		z = c.newReader()
	}
	if err := z.Reset(r); err != nil {
		c.readers.Put(z)
		return nil, err
	}
	return &pooledReader{z, &c.readers}, nil
}

type pooledWriter struct {
	resetWriter
	pool *sync.Pool
}

func (w *pooledWriter) Close() error {
	err := w.resetWriter.Close()
	w.Reset(io.Discard) // keeps nothing of the message
	w.pool.Put(w.resetWriter)
	return err
}

type pooledReader struct {
	resetReader
	pool *sync.Pool
}

func (r *pooledReader) Close() error {
	if r.resetReader != nil {
		r.pool.Put(r.resetReader)
		r.resetReader = nil
	}
	return nil
}

type gzipReader struct{ *gzip.Reader }

// zlibReader is a zlib reader that is made when there is something to read: the package makes none without a header.
type zlibReader struct{ io.ReadCloser }

func (z *zlibReader) Reset(r io.Reader) error {
	if z.ReadCloser == nil {
		made, err := zlib.NewReader(r)
		if err == nil {
			z.ReadCloser = made
		}
		return err
	}
	return z.ReadCloser.(zlib.Resetter).Reset(r, nil)
}
