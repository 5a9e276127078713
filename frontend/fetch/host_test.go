package fetch

import (
	"strings"
	"testing"
)

func TestParseHost(t *testing.T) {
	check := func(text, want string, isAddress bool) {
		t.Helper()
		h, err := parseHost(text)
		if err != nil || h.name != want || h.addr.IsValid() != isAddress {
			t.Errorf("%q is %+v, %v; want %q, address %v", text, h, err, want, isAddress)
		}
	}
	check("Example.COM", "example.com", false)
	check("example.com.", "example.com", false)
	check("localhost", "localhost", false)
	check("my_bucket.s3.example.com", "my_bucket.s3.example.com", false)
	check("bücher.example", "xn--bcher-kva.example", false)
	check("BÜCHER.example.", "xn--bcher-kva.example", false)
	check("xn--bcher-kva.example", "xn--bcher-kva.example", false)
	check("1.example", "1.example", false)
	check("0xg", "0xg", false)
	check("10.1.2.3", "10.1.2.3", true)
	check("10.1.2.3.", "10.1.2.3", true)
	check("127。0。0。1", "127.0.0.1", true)
	check("\uff11\uff12\uff17.0.0.1", "127.0.0.1", true) // full width
	check("::1", "::1", true)
	check("0:0:0:0:0:0:0:1", "::1", true)
	check("::FFFF:127.0.0.1", "::ffff:127.0.0.1", true)

	for _, text := range []string{"", ".", "..", "a..b", ".a", "a b", "a%b", "a@b", "a/b", "a\\b", "a,b", "a\x00b", "a\nb", "a:b", ":::", "1:2",
		"::1%eth0", "fe80::1%25eth0", strings.Repeat("a", 64), strings.Repeat("a.", 127) + "a", "\xff\xfe", "ä\x00",
		"2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1", "127.1", "127.0.0.01", "127.0.0.0x1", "127.0.0.256", "1.2.3.4.5", "0", "0x", "0xffffffffff", "a.1"} {
		if h, err := parseHost(text); err == nil {
			t.Errorf("%q is taken for %+v", text, h)
		}
	}
}

func TestHostList(t *testing.T) {
	list, err := parseHosts([]string{"Pictures.Example.com.", "*.cdn.example", "10.1.2.3", "[FD00::1]", "bücher.example"})
	if err != nil {
		t.Fatal(err)
	}
	check := func(want bool, names ...string) {
		t.Helper()
		for _, name := range names {
			if list.has(name) != want {
				t.Errorf("%s in %v: %v, want %v", name, list, !want, want)
			}
		}
	}
	check(true, "pictures.example.com", "a.cdn.example", "b.a.cdn.example", "10.1.2.3", "fd00::1", "xn--bcher-kva.example")
	check(false, "example.com", "x.pictures.example.com", "cdn.example", "xcdn.example", "evilcdn.example", "a.cdn.example.evil", "10.1.2.4", "*.cdn.example.x")
	list = nil
	check(true, "anything.example")
	for range 20 {
		list = append(list, "a.example")
	}
	if s := list.String(); len(s) > 100 || !strings.HasSuffix(s, "…") {
		t.Errorf("20 hosts are named as %q", s)
	}
}
