package frontend

import (
	"compress/zlib"
	"io"

	"google.golang.org/grpc/encoding"
)

// zlibCompressor is gRPC's "deflate", which is the zlib format (RFC 1950), not raw deflate.
type zlibCompressor struct{}

func init() { encoding.RegisterCompressor(zlibCompressor{}) }

func (zlibCompressor) Name() string { return "deflate" }

func (zlibCompressor) Compress(w io.Writer) (io.WriteCloser, error) { return zlib.NewWriter(w), nil }

func (zlibCompressor) Decompress(r io.Reader) (io.Reader, error) { return zlib.NewReader(r) }
