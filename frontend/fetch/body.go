package fetch

import (
	"fmt"
	"io"
)

const (
	trusted   = 1 << 20  // bytes of a length that somebody claims, to allocate before any came
	firstRead = 32 << 10 // bytes to allocate when no length is claimed
	idleReads = 100      // reads of nothing before a reader is given up
)

// tooLarge is the error of what has more than most bytes.
func tooLarge(most int64) error {
	return answerError(fmt.Sprintf("it has more than the %d bytes that this server loads", most))
}

// readBody reads r to its end, most bytes at most. claimed is how many bytes are expected, -1 when nobody says; up to
// 1 MiB of that are taken at once, and the buffer is then exact, so that nothing is copied. Beyond, it grows with what
// came.
func readBody(r io.Reader, claimed, most int64) ([]byte, error) {
	if claimed > most {
		return nil, tooLarge(most)
	}
	first := min(claimed, trusted)
	if claimed < 0 {
		first = min(firstRead, most)
	}
	data := make([]byte, 0, first)
	var beyond [1]byte // tells a full buffer from the end
	for idle := 0; ; {
		into := data[len(data):cap(data)]
		if len(into) == 0 {
			into = beyond[:]
		}
		n, err := r.Read(into)
		switch {
		case n == 0:
			idle++
		case len(data) < cap(data):
			data, idle = data[:len(data)+n], 0
		case int64(len(data)) >= most:
			return nil, tooLarge(most)
		default:
			data, idle = append(grown(data, claimed, most), beyond[0]), 0
		}
		switch {
		case err == io.EOF:
			return data, nil
		case err != nil:
			return nil, err
		case idle == idleReads:
			return nil, io.ErrNoProgress
		}
	}
}

// grown returns data, which is full, in a larger buffer: four times as large on the way to what is claimed, else twice.
func grown(data []byte, claimed, most int64) []byte {
	have := int64(len(data))
	want := max(2*have, firstRead)
	if claimed > have {
		want = min(4*have, claimed)
	}
	larger := make([]byte, have, min(max(want, have+1), most))
	copy(larger, data)
	return larger
}
