package fetch

import (
	"encoding/base64"
	"strings"
	"testing"
)

// BenchmarkData decodes a data: URI of a 300 kB picture.
func BenchmarkData(b *testing.B) {
	uri := "data:image/jpeg;base64," + base64.StdEncoding.EncodeToString([]byte(strings.Repeat("\x01\x7f\xfe", 100_000)))
	b.SetBytes(300_000)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := (Loader{}).Load(b.Context(), uri); err != nil {
			b.Fatal(err)
		}
	}
}
