package auth

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

func BenchmarkCheck(b *testing.B) {
	for _, n := range []int{1, 10, 1000} {
		b.Run(fmt.Sprint(n, "keys"), func(b *testing.B) {
			file := filepath.Join(b.TempDir(), "keys")
			var secret string
			for i := range n {
				secret = NewSecret()
				hash, err := Hash(secret)
				if err != nil {
					b.Fatal(err)
				}
				if err := Append(file, Entry{Name: fmt.Sprint("key", i), Hash: hash}); err != nil {
					b.Fatal(err)
				}
			}
			keys, err := Open(Options{File: file})
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := keys.Check("Bearer " + secret); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkBegin(b *testing.B) {
	for _, limits := range []string{"", "concurrent=8", "rate=1000000000/s documents=1000000000/s concurrent=8"} {
		b.Run(strings.ReplaceAll(limits, " ", ","), func(b *testing.B) {
			b.Setenv("CLIPD_TEST_KEYS", "web sha256:"+strings.Repeat("0a", 32)+" "+limits)
			keys, err := Open(Options{Env: "CLIPD_TEST_KEYS"})
			if err != nil {
				b.Fatal(err)
			}
			k := keys.set.Load().keys[0]
			b.ReportAllocs()
			for b.Loop() {
				end, err := k.Begin(1)
				if err != nil {
					b.Fatal(err)
				}
				end()
			}
		})
	}
}
