package jinajson

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"math/rand/v2"
	"os"
	"testing"
)

// TestBase64LikePython compares with what base64.b64decode of Python 3.11 answered, recorded in testdata/base64.json as
// pairs of the text and the hex of its bytes, or null where Python raised binascii.Error.
func TestBase64LikePython(t *testing.T) {
	data, err := os.ReadFile("testdata/base64.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases [][2]*string
	if err := json.Unmarshal(data, &cases); err != nil || len(cases) < 600 {
		t.Fatal(len(cases), err)
	}
	for _, c := range cases {
		got, err := decodeBase64([]byte(*c[0]))
		switch {
		case err != nil && c[1] != nil:
			t.Errorf("%q: %v, Python has %s", *c[0], err, *c[1])
		case err == nil && c[1] == nil:
			t.Errorf("%q: %x, Python raises an error", *c[0], got)
		case err == nil && hex.EncodeToString(got) != *c[1]:
			t.Errorf("%q: %x, Python has %s", *c[0], got, *c[1])
		}
	}
}

func TestBase64OfAllLengths(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for n := range 300 {
		want := make([]byte, n)
		for i := range want {
			want[i] = byte(r.Uint32())
		}
		text := []byte(base64.StdEncoding.EncodeToString(want))
		got, err := decodeBase64(text)
		if err != nil || !bytes.Equal(got, want) {
			t.Fatalf("%d bytes: %x, %v", n, got, err)
		}
		if n > 0 && &got[0] != &text[0] {
			t.Fatal("not in place")
		}
		if cap(got) != len(got) {
			t.Fatal("appending to a blob would overwrite the body")
		}
	}
}
