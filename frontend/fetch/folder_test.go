package fetch

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"clipd/engine"
)

// tree makes files below a new folder, "pictures", with a secret beside it. It returns both paths.
func tree(t *testing.T) (folder, secret string) {
	t.Helper()
	outside, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	folder, secret = filepath.Join(outside, "pictures"), filepath.Join(outside, "secret.png")
	do := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	do(os.MkdirAll(filepath.Join(folder, "sub"), 0o700))
	for name, text := range map[string]string{secret: "secret", folder + "/a.png": "a", folder + "/sub/b c%.png": "b", folder + "/empty": "", folder + "/large": strings.Repeat("x", 101)} {
		do(os.WriteFile(name, []byte(text), 0o600))
	}
	do(os.Symlink("../secret.png", folder+"/relative-out"))
	do(os.Symlink(secret, folder+"/absolute-out"))
	do(os.Symlink(outside, folder+"/up"))
	do(os.Symlink("../nothing", folder+"/dangling-out"))
	do(os.Symlink("sub/b c%.png", folder+"/in"))
	do(os.Symlink("loop", folder+"/loop"))
	do(os.Symlink("/proc/self/environ", folder+"/environ"))
	do(os.Symlink("/dev/zero", folder+"/zero"))
	do(syscall.Mkfifo(folder+"/fifo", 0o600))
	return folder, secret
}

func TestFiles(t *testing.T) {
	folder, _ := tree(t)
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(folder, link); err != nil {
		t.Fatal(err)
	}
	l := mustNew(t, Options{Folder: link + "/../link/", MaxBytes: 100}, hooks{})
	for _, uri := range []string{"a.png", "./a.png", "sub/../a.png", folder + "/a.png", folder + "/sub/../../pictures/a.png", link + "/a.png",
		"file:a.png", "file:" + folder + "/a.png", "file://" + folder + "/a.png", "FILE://LocalHost" + folder + "/a.png#top", "file://" + folder + "/%61.png"} {
		gives(t, l, uri, "a")
	}
	gives(t, l, "sub/b c%.png", "b")
	gives(t, l, "file://"+folder+"/sub/b%20c%25.png", "b")
	gives(t, l, "in", "b")
	gives(t, l, "empty", "")
	refuses(t, l, "large", "more than the 100 bytes")
	refuses(t, l, "sub", "no regular file")
	refuses(t, l, ".", "no regular file")
	refuses(t, l, "fifo", "no regular file")
	refuses(t, l, "a.png\x00.jpg", "zero bytes")
	refuses(t, l, "file:a%00", "zero bytes")
	refuses(t, l, strings.Repeat("x", maxURI+1), "8193 bytes")
	refuses(t, l, "file://elsewhere"+folder+"/a.png", "no other host")
	refuses(t, l, "file://a.png", "no other host")
	refuses(t, l, "file://", "needs a path")
	refuses(t, l, "file:a.png?x", "no query")
	refuses(t, l, "file:%zz", "percent-encoded")
	refuses(t, l, "http://example.com/x", "data: and file: URIs")
	l.Close()
	if _, err := l.Load(t.Context(), "a.png"); engine.KindOf(err) != engine.Unavailable {
		t.Errorf("a file after Close: %v", err)
	}
}

// TestOutsideLooksLikeNothing asks for files that are there and for such that are not; the answer is one.
func TestOutsideLooksLikeNothing(t *testing.T) {
	folder, secret := tree(t)
	l := mustNew(t, Options{Folder: folder}, hooks{})
	uris := []string{"none.png", "sub/none.png", "a.png/x", "a.png/", "loop", "dangling-out", "relative-out", "absolute-out", "up/secret.png", "up", "environ", "zero",
		"../secret.png", "../none.png", "sub/../../secret.png", "up/pictures/a.png", secret, secret + "-none", folder, folder + "/", folder + "-none", "/", "//", "",
		"/etc/passwd", "/etc/none", "file:///etc/passwd", "file://localhost/etc/none", "/proc/self/environ", "/dev/zero", "/dev/stdin", "file:..%2fsecret.png",
		"file:%2e%2e/secret.png", "file:///%2e%2e/etc/passwd", folder + "/../secret.png", "..", "~/x", "$HOME", strings.Repeat("x", 1000)}
	for _, uri := range uris {
		message := refuses(t, l, uri, "there is no such file below the folder")
		if strings.Contains(strings.ReplaceAll(message, display(uri), ""), filepath.Dir(folder)) {
			t.Errorf("%q: the message names the folder: %s", uri, message)
		}
	}
}

// TestFileThatTurnsIntoFIFO has a file change between the look at it and its opening, again and again.
func TestFileThatTurnsIntoFIFO(t *testing.T) {
	folder, _ := tree(t)
	l := mustNew(t, Options{Folder: folder}, hooks{})
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for name := "a.png"; ; {
			select {
			case <-stop:
				return
			default:
			}
			if os.Symlink(name, folder+"/next") == nil {
				os.Rename(folder+"/next", folder+"/changing")
			}
			if name == "a.png" {
				name = "fifo"
			} else {
				name = "a.png"
			}
		}
	}()
	for range 2000 {
		data, err := l.Load(t.Context(), "changing")
		if err == nil && string(data) != "a" || err != nil && engine.KindOf(err) != engine.Invalid {
			t.Errorf("%q, %v", data, err)
		}
	}
	close(stop)
	<-stopped
}
