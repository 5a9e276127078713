package preprocess

import (
	"bytes"
	"compress/zlib"
	"io"
)

// What Pillow unpacks of one profile or text, and of all texts of a file, at most: a small chunk could hold a thousand
// times more.
const (
	largestText  = 1 << 20
	largestTexts = 64 << 20
)

// pngText adds up what the chunks with profiles and texts hold.
type pngText struct {
	total   int // bytes of profiles and texts so far, unpacked
	inflate io.ReadCloser
}

// checkText refuses profiles and texts that Pillow refuses. Their content has no influence. Other chunks pass.
func (c *pngChunks) checkText(kind string, body []byte) error {
	key, rest, found := bytes.Cut(body, []byte{0})
	switch kind {
	case "iCCP":
		if len(rest) == 0 {
			return c.job.fail("the iCCP chunk has no profile")
		}
		if rest[0] != 0 {
			return c.job.fail("the iCCP chunk has compression method %d; only 0 is known", rest[0])
		}
		return c.inflateText(kind, rest[1:])
	case "tEXt":
		if len(key) == 0 {
			return nil
		}
		return c.addText(kind, len(rest))
	case "zTXt":
		if len(rest) == 0 {
			return nil
		}
		if rest[0] != 0 {
			return c.job.fail("the zTXt chunk has compression method %d; only 0 is known", rest[0])
		}
		return c.inflateText(kind, rest[1:])
	case "iTXt":
		if !found || len(rest) < 2 {
			return nil
		}
		parts := bytes.SplitN(rest[2:], []byte{0}, 3)
		switch {
		case len(parts) < 3:
			return nil
		case rest[0] == 0:
			return c.addText(kind, len(parts[2]))
		case rest[1] == 0:
			return c.inflateText(kind, parts[2])
		}
	}
	return nil
}

// inflateText unpacks a text and counts it. Broken ones count as far as they go: that is what they cost.
func (c *pngChunks) inflateText(kind string, stored []byte) (err error) {
	t := &c.text
	if t.inflate == nil {
		t.inflate, err = zlib.NewReader(bytes.NewReader(stored))
	} else {
		err = t.inflate.(zlib.Resetter).Reset(bytes.NewReader(stored), nil)
	}
	if err != nil {
		return nil
	}
	n, _ := io.CopyN(io.Discard, t.inflate, largestText+1)
	if n > largestText {
		return c.job.fail("the %s chunk unpacks to more than %d bytes", kind, largestText)
	}
	return c.addText(kind, int(n))
}

// addText counts a text. Pillow leaves out profiles, of which a file has one, and counts characters in place of bytes in
// iTXt; only files with more than 60 MiB of such texts could tell.
func (c *pngChunks) addText(kind string, length int) error {
	if c.text.total += length; c.text.total > largestTexts {
		return c.job.fail("the texts up to this %s chunk have more than %d bytes, unpacked", kind, largestTexts)
	}
	return nil
}
