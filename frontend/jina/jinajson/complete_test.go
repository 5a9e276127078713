package jinajson

import (
	"strings"
	"testing"
)

func TestMIMETypes(t *testing.T) {
	check := func(uri, want string) {
		t.Helper()
		if got := mimeTypeOf(uri); got != want {
			t.Errorf("%.60s: %q, want %q", uri, got, want)
		}
	}
	check("a.JPG", "image/jpeg")
	check("http://host/dir.d/a.png?size=1.gif#top", "image/png")
	check("http://host/dir.png/a", "")
	check("a.txt", "")
	check("data:image/webp;base64,AAAA", "image/webp")
	check("data:image/gif,AAAA", "image/gif")
	check("data:,AAAA", "")
	check("data:"+strings.Repeat("a/", 1000)+",", "")
	check("", "")
}
