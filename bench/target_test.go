package bench

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

// inputs are a text and a picture.
var inputs = []Item{{Text: "a dog in the snow"}, {Picture: []byte("\xff\xd8\xff\xe0 a picture")}}

// meet sends the inputs to an address and returns the error of the exchange.
func meet(t *testing.T, address string, o TargetOptions, items []Item) error {
	t.Helper()
	target, err := ParseTarget(address, o)
	if err != nil {
		t.Fatal(err)
	}
	request, err := target.Encode(items)
	if err != nil {
		t.Fatal(err)
	}
	c, err := target.Dial()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	return c.Exchange(ctx, request, len(items))
}

// want checks an error: "" is none, and refused says whether it is an ErrRefused.
func want(t *testing.T, err error, text string, refused bool) {
	t.Helper()
	if text == "" && err == nil {
		return
	}
	if text == "" || err == nil || !strings.Contains(err.Error(), text) || errors.Is(err, ErrRefused) != refused {
		t.Errorf("error %v, refused %v; wanted %q, refused %v", err, errors.Is(err, ErrRefused), text, refused)
	}
}

func TestAddresses(t *testing.T) {
	good := func(address string, o TargetOptions, want string) {
		t.Helper()
		target, err := ParseTarget(address, o)
		if err != nil {
			t.Errorf("%s: %v", address, err)
			return
		}
		got := ""
		switch x := target.(type) {
		case *grpcTarget:
			got = "grpc " + x.host
		case *httpTarget:
			got = "http " + x.host + " " + x.url
		case *wsTarget:
			got = "ws " + x.host
		}
		if got != want {
			t.Errorf("%s: %s; wanted %s", address, got, want)
		}
	}
	good("grpc://localhost:51000", TargetOptions{}, "grpc localhost:51000")
	good("grpcs://[::1]", TargetOptions{}, "grpc [::1]:443")
	good("http://h", TargetOptions{}, "http h:80 http://h/post")
	good("https://h/encode", TargetOptions{}, "http h:443 https://h/encode")
	good("http://h:7997/embeddings", TargetOptions{}, "http h:7997 http://h:7997/embeddings")
	good("http://h:1", TargetOptions{API: "openai"}, "http h:1 http://h:1/v1/embeddings")
	good("wss://h", TargetOptions{}, "ws h:443")
	good("websocket://h:5", TargetOptions{}, "ws h:5")
	bad := func(address string, o TargetOptions, want string) {
		t.Helper()
		if _, err := ParseTarget(address, o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v; wanted %q", address, err, want)
		}
	}
	bad("localhost:51000", TargetOptions{}, "no address")
	bad("ftp://h", TargetOptions{}, "scheme")
	bad("grpc://h", TargetOptions{API: "openai"}, "needs http")
	bad("http://h", TargetOptions{API: "soap"}, "soap")
	if _, err := ParseHeader("no value"); err == nil {
		t.Error("a header without = was taken")
	}
	if _, err := ParseHeader("a=b\r\nc: d"); err == nil {
		t.Error("a header with a line break was taken")
	}
	if h, err := ParseHeader("a=b=c"); err != nil || h != [2]string{"a", "b=c"} {
		t.Errorf("%v, %v", h, err)
	}
}
