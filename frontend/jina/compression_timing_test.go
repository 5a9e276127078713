package jina

import (
	"bytes"
	stdgzip "compress/gzip"
	"compress/zlib"
	"io"
	"testing"

	"google.golang.org/grpc/encoding"
	"google.golang.org/protobuf/proto"
)

// BenchmarkCompressAnswer compresses an answer of 256 embeddings with the compressors here and with the standard
// library's at the level that gRPC's own gzip has.
func BenchmarkCompressAnswer(b *testing.B) {
	data, err := proto.Marshal(answerOf(256))
	if err != nil {
		b.Fatal(err)
	}
	run := func(name string, compress func(io.Writer) io.WriteCloser) {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			var out bytes.Buffer
			for b.Loop() {
				out.Reset()
				z := compress(&out)
				if _, err := z.Write(data); err != nil {
					b.Fatal(err)
				}
				if err := z.Close(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(out.Len())/float64(len(data)), "of-size")
		})
	}
	for _, name := range []string{"gzip", "deflate"} {
		run(name, func(w io.Writer) io.WriteCloser {
			z, err := encoding.GetCompressor(name).Compress(w)
			if err != nil {
				b.Fatal(err)
			}
			return z
		})
	}
	g := stdgzip.NewWriter(nil)
	run("standard-gzip", func(w io.Writer) io.WriteCloser { g.Reset(w); return g })
	z := zlib.NewWriter(nil)
	run("standard-zlib", func(w io.Writer) io.WriteCloser { z.Reset(w); return z })
}
