package ws

import (
	"bytes"
	"errors"
	"io"
	"sync"

	"github.com/gobwas/httphead"
	"github.com/gobwas/ws/wsflate"
	"github.com/klauspost/compress/flate"

	"clipd/frontend/fault"
)

// negotiateDeflate returns the answer to the first offer of permessage-deflate (RFC 7692) that can be met, or "". Every
// message is compressed by itself, in both directions: a kept window would cost every idle connection 32 KiB and more.
func negotiateDeflate(lines [][]byte) string {
	for _, line := range lines {
		offers, ok := httphead.ParseOptions(line, nil)
		if !ok {
			continue
		}
		for _, offer := range offers {
			var p wsflate.Parameters
			if string(offer.Name) != wsflate.ExtensionName || p.Parse(offer) != nil {
				continue
			}
			const window = 15 // bits; the compressor knows no smaller one
			if p.ServerMaxWindowBits.Defined() && p.ServerMaxWindowBits != window {
				continue
			}
			answer := wsflate.Parameters{ServerNoContextTakeover: true, ClientNoContextTakeover: true, ServerMaxWindowBits: p.ServerMaxWindowBits}
			var text bytes.Buffer
			if _, err := httphead.WriteOptions(&text, []httphead.Option{answer.Option()}); err != nil {
				continue
			}
			return text.String()
		}
	}
	return ""
}

// deflateLeast is the size from which an answer is compressed, bytes.
const deflateLeast = 1 << 10

// appendDeflated appends a compressed message. The compressor keeps nothing between messages, so idle connections
// hold no tables of it.
func appendDeflated(dst, message []byte) ([]byte, error) {
	out := bytes.NewBuffer(dst)
	if err := flate.StatelessDeflate(out, message, false, nil); err != nil {
		return nil, err
	}
	// RFC 7692, section 7.2.1: the empty block that ends a flush is left out.
	return bytes.TrimSuffix(out.Bytes(), flushed), nil
}

var (
	flushed = []byte{0x00, 0x00, 0xff, 0xff}
	// tail completes a message: the block that was left out, and a last empty one, at which the reader stops.
	tail = string(flushed) + "\x01\x00\x00\xff\xff"
)

var inflaters = sync.Pool{New: func() any { return flate.NewReader(nil) }}

// errInflated says that a message is larger than the limit that inflate was given.
var errInflated = errors.New("too large")

// inflate decompresses a message of at most most bytes. Before the result grows, grow is asked for room.
func inflate(message []byte, most int64, grow func(size int64) error) ([]byte, error) {
	in := inflaters.Get().(io.ReadCloser)
	defer inflaters.Put(in)
	source := &tailReader{Reader: *bytes.NewReader(message), tail: tail}
	if err := in.(flate.Resetter).Reset(source, nil); err != nil {
		return nil, err
	}
	size := min(most+1, 4*int64(len(message))+512)
	if err := grow(min(size, most)); err != nil {
		return nil, err
	}
	out := make([]byte, 0, size)
	for {
		n, err := in.Read(out[len(out):cap(out)])
		out = out[:len(out)+n]
		switch {
		case int64(len(out)) > most:
			return nil, errInflated
		case errors.Is(err, io.EOF) && source.rest():
			return nil, fault.New(fault.Malformed, "the compressed message goes on after the end of its DEFLATE stream")
		case errors.Is(err, io.EOF):
			return out, nil
		case err != nil:
			return nil, fault.New(fault.Malformed, "the compressed message is no DEFLATE stream")
		}
		if len(out) == cap(out) {
			size := min(most+1, 2*int64(cap(out)))
			if err := grow(min(size, most)); err != nil {
				return nil, err
			}
			larger := make([]byte, len(out), size)
			copy(larger, out)
			out = larger
		}
	}
}

// tailReader reads a message and then its tail, byte by byte where the decompressor wants it, so that it needs no
// buffer of its own.
type tailReader struct {
	bytes.Reader
	tail string
	done bool
}

func (r *tailReader) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	if err == io.EOF && !r.done {
		r.next()
		return r.Reader.Read(p)
	}
	return n, err
}

func (r *tailReader) ReadByte() (byte, error) {
	b, err := r.Reader.ReadByte()
	if err == io.EOF && !r.done {
		r.next()
		return r.Reader.ReadByte()
	}
	return b, err
}

// rest reports whether something of the message itself was not read.
func (r *tailReader) rest() bool { return !r.done && r.Len() > 0 }

func (r *tailReader) next() {
	r.done = true
	r.Reader.Reset([]byte(r.tail))
}
