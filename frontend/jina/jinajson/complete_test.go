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

// TestDocsOfNull shows that what follows the null is read.
func TestDocsOfNull(t *testing.T) {
	r, err := Parse([]byte(`{"data": {"a": [{}], "docs": null, "b": {"c": null}}, "encoding_format": "base64", "exec_endpoint": "/x"}`), Limits{})
	if err != nil || !r.Base64 || r.Proto.Header.GetExecEndpoint() != "/x" || len(r.Proto.GetData().GetDocs().GetDocs()) != 0 {
		t.Errorf("%v %v", r, err)
	}
	if _, err := Parse([]byte(`{"data": {"docs": null}, "encoding_format": "neither"}`), Limits{}); err == nil {
		t.Error("an unknown encoding_format behind a null is accepted")
	}
}
