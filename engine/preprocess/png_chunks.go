package preprocess

import (
	"encoding/binary"
	"hash/crc32"
)

// pngChunks walks over the chunks of a file.
type pngChunks struct {
	job  *job
	data []byte
	at   int // of the next unread byte
	text pngText
}

type pngChunk struct {
	kind   string
	length int
}

// next reads the length and the kind of the chunk at c.at.
func (c *pngChunks) next() (pngChunk, error) {
	if c.at+8 > len(c.data) {
		return pngChunk{}, c.job.fail("data ends early, between chunks")
	}
	length := binary.BigEndian.Uint32(c.data[c.at:])
	kind := c.data[c.at+4 : c.at+8]
	for _, b := range kind {
		isWord := b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b >= '0' && b <= '9' || b == '_'
		if !isWord {
			return pngChunk{}, c.job.fail("there is no chunk where one should be, but %q", kind)
		}
	}
	c.at += 8
	return pngChunk{kind: string(kind), length: int(length)}, nil
}

// body gives the bytes of the chunk and moves behind them.
func (c *pngChunks) body(chunk pngChunk) ([]byte, error) {
	if chunk.length > len(c.data)-c.at {
		return nil, c.job.fail("data ends early, within the %s chunk", chunk.kind)
	}
	body := c.data[c.at : c.at+chunk.length]
	c.at += chunk.length
	return body, nil
}

// checkSum reads the checksum behind a chunk's body.
func (c *pngChunks) checkSum(chunk pngChunk, body []byte) error {
	if c.at+4 > len(c.data) {
		return c.job.fail("data ends early, within the checksum of the %s chunk", chunk.kind)
	}
	sum := crc32.Update(crc32.ChecksumIEEE([]byte(chunk.kind)), crc32.IEEETable, body)
	if stored := binary.BigEndian.Uint32(c.data[c.at:]); stored != sum {
		return c.job.fail("the checksum of the %s chunk is %08x, but its bytes give %08x", chunk.kind, stored, sum)
	}
	c.at += 4
	return nil
}

// pngLeast has the least length of chunks that Pillow refuses when they are shorter.
var pngLeast = map[string]int{"IHDR": 13, "gAMA": 4, "cHRM": 32, "sRGB": 1, "pHYs": 9, "acTL": 8, "fcTL": 26, "fdAT": 4}

func (c *pngChunks) checkLength(h *pngHeader, kind string, body []byte) error {
	least := pngLeast[kind]
	if kind == "tRNS" && h != nil && h.haveDimensions {
		switch h.colour {
		case 0:
			least = 2
		case 2:
			least = 6
		}
	}
	if len(body) < least {
		return c.job.fail("the %s chunk has %d bytes; at least %d are needed", kind, len(body), least)
	}
	return nil
}

// checkTail walks over what follows the pixels. As in Pillow a file may stop between chunks, even without IEND, but not
// within one.
func (c *pngChunks) checkTail(idat *pngData) error {
	c.at = min(len(c.data), c.at+idat.left)
	for {
		c.at += 4
		if c.at > len(c.data) {
			return nil
		}
		chunk, err := c.next()
		if err != nil || chunk.kind == "IEND" || chunk.kind == "fcTL" {
			return nil
		}
		body, err := c.body(chunk)
		if err != nil {
			return err
		}
		if err := c.checkLength(nil, chunk.kind, body); err != nil {
			return err
		}
		if err := c.checkText(chunk.kind, body); err != nil {
			return err
		}
	}
}
