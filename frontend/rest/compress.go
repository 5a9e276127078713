package rest

import (
	"bytes"
	"strconv"

	"github.com/valyala/fasthttp"
)

// minCompressed is the size from which on answers are compressed, bytes: a shorter one fits into a packet.
const minCompressed = 1 << 10

// preferred are the codings of answers, best first among those that a caller likes equally: zstd costs the least for
// what it saves of embeddings.
var preferred = [...]string{zstded, gzipped, brotlied, deflated}

// acceptedCoding chooses the coding of an answer by the fields of Accept-Encoding.
func acceptedCoding(fields [][]byte) string {
	var weight [len(preferred)]int // 1 + thousandths; 0 = not named
	other, plain := 0, 0           // of "*" and of identity
	for _, field := range fields {
		for part := range bytes.SplitSeq(field, []byte{','}) {
			name, params, _ := bytes.Cut(part, []byte{';'})
			q := 1 + quality(params)
			switch name := trimmedLower(name); name {
			case "*":
				other = q
			case "identity":
				plain = q
			case "x-gzip":
				weight[1] = q
			default:
				for i, coding := range preferred {
					if name == coding {
						weight[i] = q
					}
				}
			}
		}
	}
	best, coding := 1, identity
	if plain > 0 { // what is liked as much as the plain answer is smaller
		best = max(1, plain-1)
	}
	for i, w := range weight {
		if w == 0 {
			w = other
		}
		if w > best {
			best, coding = w, preferred[i]
		}
	}
	return coding
}

// quality returns the weight of an entry in thousandths: 1000 when it has none, 0 when it cannot be read.
func quality(params []byte) int {
	params = bytes.TrimSpace(params)
	if len(params) == 0 {
		return 1000
	}
	name, value, found := bytes.Cut(params, []byte{'='})
	if !found || trimmedLower(name) != "q" {
		return 1000
	}
	q, err := strconv.ParseFloat(string(bytes.TrimSpace(value)), 32)
	if err != nil || !(q >= 0 && q <= 1) {
		return 0
	}
	return int(q*1000 + 0.5)
}

// compress appends body in the coding, at the level that takes the least time.
func compress(dst, body []byte, coding string) []byte {
	switch coding {
	case zstded:
		return fasthttp.AppendZstdBytesLevel(dst, body, fasthttp.CompressZstdBestSpeed)
	case gzipped:
		return fasthttp.AppendGzipBytesLevel(dst, body, fasthttp.CompressBestSpeed)
	case brotlied:
		return fasthttp.AppendBrotliBytesLevel(dst, body, fasthttp.CompressBrotliBestSpeed)
	case deflated:
		return fasthttp.AppendDeflateBytesLevel(dst, body, fasthttp.CompressBestSpeed)
	}
	panic("BUG: an answer in the coding " + coding)
}
