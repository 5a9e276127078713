package fetch

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"clipd/engine"
)

func TestCutScheme(t *testing.T) {
	check := func(uri, scheme, rest string) {
		t.Helper()
		if s, r := cutScheme(uri); s != scheme || r != rest {
			t.Errorf("%q is %q and %q, want %q and %q", uri, s, r, scheme, rest)
		}
	}
	check("HTTP://x", "http", "//x")
	check("a+b-c.1:x:y", "a+b-c.1", "x:y")
	check("c:\\x", "c", "\\x")
	check("data:", "data", "")
	for _, path := range []string{"", ":", ":x", "1a:x", "a/b:c", "a b:c", " http://x", "/a:b", "./a:b", "ä:b", "abc"} {
		check(path, "", path)
	}
}

func TestDisplayHidesSecrets(t *testing.T) {
	check := func(uri, want string) {
		t.Helper()
		if got := display(uri); got != strconv.Quote(want) {
			t.Errorf("%.200q is shown as %s, want %q", uri, got, want)
		}
	}
	check("https://a.example/x%20y.jpg", "https://a.example/x%20y.jpg")
	check("HTTPS://a.example:8443/pkg@1.0/x.jpg#top", "https://a.example:8443/…")
	check("https://a.example/pkg@1.0/x.jpg", "https://a.example/pkg@1.0/x.jpg")
	check("https://user:secret@a.example/x.jpg", "https://a.example/x.jpg")
	check("https://user:secret@a.example/x.jpg?X-Signature=secret", "https://a.example/x.jpg?…")
	check("https://user:se/cret@a.example/x.jpg", "https:…")
	check("https://user:12/secret@a.example/x.jpg", "https://user:12/…")
	check("https://user:sec ret@a.example/x.jpg", "https:…")
	check("//user:secret@a.example/x.jpg", "//a.example/x.jpg")
	check("//user:se/cret@a.example/x.jpg", "…")
	check("s3://key:secret@bucket/x.jpg", "s3://bucket/x.jpg")
	check("user:secret@a.example", "user:…")
	check("https:/a?secret", "https:/a")
	check("https://a.example/%zz?secret", "https://a.example/%zz")
	check("https://"+strings.Repeat("a", maxURI), "https:…")
	check("../x.jpg", "../x.jpg")
	check("data:,"+strings.Repeat("ä", 100), "data:,"+strings.Repeat("ä", 57)+"…")
}

// FuzzURI loads any uri with files allowed and looks at what http(s) would ask: nothing outside of the folder comes
// out, no address that is not public is asked, and no password is shown.
func FuzzURI(f *testing.F) {
	for _, uri := range []string{"picture.png", "file:picture.png", "file:///etc/passwd", "../secret", "file:%2e%2e/secret", "link", "file://localhost/x",
		"http://user:secret@example.com/x.png?y#z", "http://2130706433/", "http://[::ffff:127.0.0.1]/", "http://[::1%25eth0]:80/", "https://0x7f.1/",
		"http://127.0.0.1./", "http://a\\@b/", "http://\uff11\uff12\uff17。0。0。1/", "https://bücher.example:0443/", "data:;base64,aGVsbG8=", "data:,%41", "//x/y",
		"http:x", "http:///x", "http://:80/", "http://x:/", "http://x:99999/", "HTTP://X", "a:b@c"} {
		f.Add(uri)
	}
	outside := f.TempDir()
	inside := filepath.Join(outside, "folder")
	const secret = "the secret outside"
	for name, text := range map[string]string{filepath.Join(outside, "secret"): secret, filepath.Join(inside, "picture.png"): picture} {
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			f.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			f.Fatal(err)
		}
	}
	if err := os.Symlink("../secret", filepath.Join(inside, "link")); err != nil {
		f.Fatal(err)
	}
	l, err := New(Options{Folder: inside, MaxBytes: 1 << 10})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { l.Close() })
	w, err := newWeb(Options{HTTP: true, HTTPS: true}, hooks{})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, uri string) {
		scheme, _ := cutScheme(uri)
		data, err := l.Load(t.Context(), uri)
		switch {
		case err != nil && engine.KindOf(err) != engine.Invalid:
			t.Errorf("%q: %v error %v", uri, engine.KindOf(err), err)
		case err != nil && (!utf8.ValidString(err.Error()) || len(err.Error()) > 1500):
			t.Errorf("%q: error %q", uri, err)
		case err == nil && scheme != "data" && string(data) != picture:
			t.Errorf("%q gave %q", uri, data)
		}
		target, err := w.target(nil, uri)
		if err != nil {
			return
		}
		if h := target.host; h.addr.IsValid() && !isPublic(h.addr) || target.url.User != nil || target.url.Fragment != "" {
			t.Errorf("%q asks %v", uri, target.url)
		}
		again, err := w.target(nil, target.url.String())
		if err != nil || again.url.String() != target.url.String() || again.host != target.host {
			t.Errorf("%q is %v, and that is %v, %v", uri, target.url, again.url, err)
		}
	})
}
