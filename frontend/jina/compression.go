package jina

import (
	"bytes"
	"io"
	"strings"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zlib"
	"google.golang.org/grpc/encoding"
	_ "google.golang.org/grpc/encoding/gzip" // is registered before what takes its place

	"clipd/frontend/fault"
)

// A caller who compresses its requests gets compressed answers; nobody else does. Embeddings lose a twelfth of their size
// at most, so the fastest level is right: it notices that they do not shrink, and costs a fraction of gRPC's own gzip.
var compressors = [...]*compressor{
	{
		name: "gzip", mark: markOf("gzip"),
		newWriter: func() resetWriter { w, _ := gzip.NewWriterLevel(nil, gzip.BestSpeed); return w },
		newReader: func() resetReader { return gzipReader{new(gzip.Reader)} },
	},
	// gRPC's "deflate" is the zlib format (RFC 1950), not raw deflate.
	{
		name: "deflate", mark: markOf("deflate"),
		newWriter: func() resetWriter { w, _ := zlib.NewWriterLevel(nil, zlib.BestSpeed); return w },
		newReader: func() resetReader { return &zlibReader{} },
	},
}

func init() {
	for _, c := range compressors {
		encoding.RegisterCompressor(c)
	}
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
	name, mark       string
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

// Decompress implements encoding.Compressor. It leaves the message as it is and marks it: gRPC would unpack every message
// at once, whatever memory there is, and 250 KB can be 250 MB. Who gets the message unpacks it within a budget.
func (c *compressor) Decompress(r io.Reader) (io.Reader, error) {
	return io.MultiReader(strings.NewReader(c.mark), r), nil
}

// unpack decompresses a message of at most most bytes. Before the result grows, grow is asked for room of so many bytes.
func (c *compressor) unpack(message []byte, most int64, grow func(size int64) error) ([]byte, error) {
	z, ok := c.readers.Get().(resetReader)
	if !ok {
		z = c.newReader()
	}
	source := bytes.NewReader(message)
	defer func() {
		source.Reset(nil) // what lies in the pool keeps nothing of the message
		c.readers.Put(z)
	}()
	if err := z.Reset(source); err != nil {
		return nil, c.broken(err)
	}
	var plain []byte
	for {
		if len(plain) == cap(plain) {
			size := min(most+1, max(4*int64(len(message))+512, 2*int64(cap(plain)))) // one byte more tells that there is more
			if err := grow(min(size, most)); err != nil {
				return nil, err
			}
			plain = append(make([]byte, 0, size), plain...)
		}
		n, err := z.Read(plain[len(plain):cap(plain)])
		plain = plain[:len(plain)+n]
		switch {
		case int64(len(plain)) > most:
			return nil, fault.New(fault.TooLarge, "the message has more than %d bytes when it is unpacked (max_message_bytes); send fewer documents at a time", most).Past("max_message_bytes")
		case err == io.EOF:
			return plain, nil
		case err != nil:
			return nil, c.broken(err)
		}
	}
}

func (c *compressor) broken(err error) error {
	return &fault.Error{Code: fault.Malformed, Message: "the message is not " + c.name + ", as grpc-encoding says", Err: err}
}

// markOf begins a message in a coding. No message of protobuf begins with a zero; one that somebody sends is taken for
// what it says, within the same limits.
func markOf(name string) string { return "\x00" + name + "\x00" }

// unmark returns a message without its mark, and its coding; nil for a plain one.
func unmark(message []byte) ([]byte, *compressor) {
	if len(message) == 0 || message[0] != 0 {
		return message, nil
	}
	for _, c := range compressors {
		if rest, found := bytes.CutPrefix(message, []byte(c.mark)); found {
			return rest, c
		}
	}
	return message, nil
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
