package rest

import (
	"bufio"
	"bytes"
	"errors"
	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/zlib"
	"io"
	"runtime"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	brotli "github.com/molecule-man/go-brrr"
	"github.com/valyala/fasthttp"

	"clipd/frontend/fault"
)

// The codings of bodies.
const (
	identity = ""
	gzipped  = "gzip"
	deflated = "deflate"
	brotlied = "br"
	zstded   = "zstd"
)

// maxWindow is the largest window of a zstd frame that is decoded, bytes: what RFC 9659 wants every receiver to take.
const maxWindow = 8 << 20

// contentCoding returns how the body of a request is compressed. One coding is read, not several on top of each other.
func contentCoding(h *fasthttp.RequestHeader) (string, error) {
	fields := h.PeekAll(fasthttp.HeaderContentEncoding)
	coding := identity
	for _, field := range fields {
		for part := range bytes.SplitSeq(field, []byte{','}) {
			name := trimmedLower(part)
			switch name {
			case "", "identity":
				continue
			case "x-gzip":
				name = gzipped
			case gzipped, deflated, brotlied, zstded:
			default:
				return "", unreadCoding("the content encoding %q is not read", clip([]byte(name)))
			}
			if coding != identity {
				return "", unreadCoding("the body has several content encodings, %q and %q; one is read", coding, name)
			}
			coding = name
		}
	}
	return coding, nil
}

func unreadCoding(format string, args ...any) error {
	f := fault.New(fault.MediaType, format, args...)
	f.Message += "; send the body as it is, or as gzip, deflate, br or zstd"
	return &refusal{fault: f, header: "Accept-Encoding", value: "gzip, deflate, br, zstd"}
}

// decoders is how many bodies are decoded at a time. A decoder may need 16 MiB for its window.
func decoders() int { return runtime.GOMAXPROCS(0) }

// decode decompresses a body that has come in whole, so that a slow caller never holds a decoder. What it takes of the
// budget and how large it may grow is as for a plain body.
func (x *exchange) decode(coding string, raw []byte) ([]byte, error) {
	x.s.decoder <- struct{}{}
	defer func() { <-x.s.decoder }()
	taken := x.taken
	source := bytes.NewReader(raw)
	r, end, err := newDecoder(coding, source)
	if err != nil {
		return nil, decodeError(coding, err)
	}
	defer end()
	body, err := x.readAll(decoderReader{r}, -1)
	var broken *brokenCoding
	if errors.As(err, &broken) {
		return nil, decodeError(coding, broken.err)
	}
	if err != nil {
		return nil, err
	}
	if source.Len() > 0 {
		return nil, fault.New(fault.Malformed, "%d bytes follow the end of the %s body", source.Len(), coding)
	}
	x.s.o.Bytes.Give(taken)
	x.taken -= taken
	return body, nil
}

// newDecoder returns a reader of the plain body; end gives back what it holds.
func newDecoder(coding string, source *bytes.Reader) (r io.Reader, end func(), err error) {
	end = func() {}
	switch coding {
	case gzipped:
		r, err = gzip.NewReader(source)
	case zstded:
		var z *zstd.Decoder
		if z, err = zstd.NewReader(source, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow)); err == nil {
			r, end = z, z.Close
		}
	case brotlied:
		z := brotli.NewReader(source)
		r, end = z, func() { z.Close() }
	case deflated:
		// Some callers leave out the two bytes of zlib before the deflated data.
		buffered := bufio.NewReader(source)
		if head, _ := buffered.Peek(2); len(head) == 2 && head[0]&0x0f == 8 && (uint(head[0])<<8|uint(head[1]))%31 == 0 {
			r, err = zlib.NewReader(buffered)
		} else {
			r = flate.NewReader(buffered)
		}
	}
	return r, end, err
}

// decoderReader marks the errors of a decoder.
type decoderReader struct{ r io.Reader }

type brokenCoding struct{ err error }

func (b *brokenCoding) Error() string { return b.err.Error() }

// Read implements io.Reader.
func (d decoderReader) Read(p []byte) (int, error) {
	n, err := d.r.Read(p)
	if err != nil && err != io.EOF {
		err = &brokenCoding{err}
	}
	return n, err
}

func decodeError(coding string, err error) error {
	reason := strings.TrimPrefix(err.Error(), coding+": ")
	return fault.New(fault.Malformed, "the body is not %s, as Content-Encoding says: %s", coding, reason)
}
