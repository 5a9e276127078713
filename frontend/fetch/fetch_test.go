package fetch

import (
	"context"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"clipd/engine"
)

// picture is the beginning of a PNG: enough to be told from text.
const picture = "\x89PNG\r\n\x1a\n0123456789"

func mustNew(t *testing.T, o Options, h hooks) *Loader {
	t.Helper()
	l, err := newLoader(o, h)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// gives checks that uri is loaded.
func gives(t *testing.T, l *Loader, uri, want string) {
	t.Helper()
	data, err := l.Load(t.Context(), uri)
	if err != nil || string(data) != want {
		t.Errorf("%.200q gave %d bytes %.100q and the error %v, want %.100q", uri, len(data), data, err, want)
	}
}

// refuses checks that uri is the caller's fault, and that the message says so with want.
func refuses(t *testing.T, l *Loader, uri, want string) string {
	t.Helper()
	data, err := l.Load(t.Context(), uri)
	if err == nil {
		t.Errorf("%.200q gave %d bytes, want an error with %q", uri, len(data), want)
		return ""
	}
	if engine.KindOf(err) != engine.Invalid || !strings.Contains(err.Error(), want) || len(err.Error()) > 700 {
		t.Errorf("%.200q: %v error %q, want an invalid one with %q", uri, engine.KindOf(err), err, want)
	}
	return err.Error()
}

func TestZeroValueReadsDataOnly(t *testing.T) {
	l := &Loader{}
	gives(t, l, "data:,hello%20world", "hello world")
	for _, uri := range []string{"http://example.com/x.png", "https://example.com/x.png", "file:///etc/passwd", "/etc/passwd", "x.png", "", "\x00", "http"} {
		refuses(t, l, uri, "data: URIs only")
	}
	refuses(t, l, "ftp://example.com/x.png", `the scheme "ftp" is unknown; this server reads data: URIs only`)
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}

func TestMessagesNameWhatIsAllowed(t *testing.T) {
	check := func(o Options, want string) {
		t.Helper()
		refuses(t, mustNew(t, o, hooks{}), "gopher://x/y", "this server reads "+want)
	}
	folder := t.TempDir()
	check(Options{}, "data: URIs only")
	check(Options{HTTPS: true}, "data: and https: URIs")
	check(Options{HTTP: true, HTTPS: true}, "data:, http: and https: URIs")
	check(Options{Folder: folder}, "data: and file: URIs, and paths of files below one folder")
	check(Options{HTTP: true, HTTPS: true, Folder: folder}, "data:, http:, https: and file: URIs, and paths")
	refuses(t, mustNew(t, Options{HTTPS: true}, hooks{}), "http://example.com/x.png", "this server reads data: and https: URIs")
	refuses(t, mustNew(t, Options{HTTPS: true}, hooks{}), "/etc/passwd", "reads no files")
}

func TestOptionsThatMakeNoSense(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	check := func(o Options, want string) {
		t.Helper()
		l, err := New(o)
		if err == nil {
			l.Close()
			t.Errorf("%+v has no error, want %q", o, want)
		} else if !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", o, err, want)
		}
	}
	check(Options{Folder: file + "/none"}, "not a directory")
	check(Options{Folder: file + "-none"}, "no such file")
	check(Options{Folder: file}, "not a directory")
	check(Options{Folder: "/"}, "all files")
	check(Options{Folder: "/tmp/.."}, "all files")
	check(Options{Timeout: -1}, "negative")
	check(Options{MaxBytes: -1}, "negative")
	check(Options{MaxRedirects: -1}, "negative")
	check(Options{Networks: make([]netip.Prefix, 1)}, "network")
	for _, host := range []string{"", "*", "*.", "http://example.com", "example.com:80", "a/b", "a b", "*.10.1.2.3", "a.*.com", "127.1", "[fe80::1%eth0]"} {
		check(Options{HTTP: true, Hosts: []string{host}}, "no host")
	}
}

func TestDataIsReadWhateverTheContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	l := mustNew(t, Options{HTTP: true, Folder: t.TempDir()}, hooks{})
	if data, err := l.Load(ctx, "DATA:,x"); err != nil || string(data) != "x" {
		t.Errorf("%q, %v", data, err)
	}
	for _, uri := range []string{"http://example.com/", "x.png"} {
		if _, err := l.Load(ctx, uri); engine.KindOf(err) != engine.Deadline {
			t.Errorf("%s after the call was cancelled: %v", uri, err)
		}
	}
}
