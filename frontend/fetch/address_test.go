package fetch

import (
	"errors"
	"net"
	"net/netip"
	"strings"
	"testing"
)

func TestPublicAddresses(t *testing.T) {
	check := func(want bool, addresses string) {
		t.Helper()
		for text := range strings.FieldsSeq(addresses) {
			if got := isPublic(netip.MustParseAddr(text)); got != want {
				t.Errorf("%s public: %v, want %v", text, got, want)
			}
		}
	}
	check(true, "1.1.1.1 8.8.8.8 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.0 169.253.255.255 169.255.0.0")
	check(true, "172.15.255.255 172.32.0.0 192.0.1.0 192.167.255.255 192.169.0.0 198.17.255.255 198.20.0.0 223.255.255.255 168.63.129.15")
	check(true, "2001:200:: 2600:1f18::1 2a00:1450:4001:80b::200e 2606:4700::1111 64:ff9b::8.8.8.8 3fff:1000::")
	check(false, "0.0.0.0 0.1.2.3 10.0.0.0 10.255.255.255 100.64.0.0 100.100.100.200 100.127.255.255 127.0.0.1 127.255.255.255")
	check(false, "169.254.0.0 169.254.169.254 169.254.255.255 172.16.0.0 172.31.255.255 192.0.0.0 192.0.0.192 192.0.2.1 192.88.99.1 168.63.129.16")
	check(false, "192.168.0.0 192.168.255.255 198.18.0.0 198.19.255.255 198.51.100.1 203.0.113.1 224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255")
	check(false, ":: ::1 ::127.0.0.1 ::8.8.8.8 ::ffff:127.0.0.1 ::ffff:8.8.8.8 ::ffff:0:127.0.0.1 64:ff9b::127.0.0.1 64:ff9b::10.0.0.1 64:ff9b:1::8.8.8.8")
	check(false, "2001::1 2001:0:7f00:1:: 2001:2::1 2001:10::1 2001:20::1 2001:db8::1 2002:7f00:1:: 2002:808:808:: 3fff::1 100::1 5f00::1 4000::1")
	check(false, "fc00::1 fd00:ec2::254 fe80::1 fe80::1%eth0 fec0::1 ff02::1 2600::1%eth0")
	if isPublic(netip.Addr{}) {
		t.Error("no address is public")
	}
}

func TestReach(t *testing.T) {
	_, public, _ := net.ParseCIDR("8.8.8.8/24")
	public.IP = net.IPv4(8, 8, 8, 8)
	o, err := Options{Networks: prefixes("10.1.0.0/16", "fd00::/8", "::ffff:172.16.0.0/108", "10.9.9.9/24", "64:ff9b::a02:0/112")}.checked()
	if err != nil {
		t.Fatal(err)
	}
	r := reach{networks: o.Networks, own: func() ([]net.Addr, error) { return []net.Addr{public, &net.UnixAddr{}}, nil }}
	check := func(address string, want error) {
		t.Helper()
		if got := r.check(netip.MustParseAddrPort(address)); got != want {
			t.Errorf("%s: %v, want %v", address, got, want)
		}
	}
	for _, port := range []string{"80", "443", "8080", "8443"} {
		check("1.1.1.1:"+port, nil)
	}
	for _, port := range []string{"0", "22", "25", "81", "6379", "65535"} {
		check("1.1.1.1:"+port, errRefused)
		check("10.1.2.3:"+port, nil)
	}
	check("10.2.2.3:80", errRefused)
	check("[fd12::1]:9000", nil)
	check("[fd12::1%eth0]:9000", errRefused)
	check("172.17.0.1:9000", nil)
	check("10.9.9.1:9000", nil)
	check("[::ffff:10.1.2.3]:9000", nil)
	check("[::ffff:10.2.2.3]:80", errRefused)
	check("[64:ff9b::10.1.2.3]:80", errRefused) // another 10.1.0.0/16, behind somebody's gateway
	check("[64:ff9b::10.2.0.3]:80", nil)
	check("8.8.8.8:443", errRefused) // our own
	check("8.8.8.9:443", nil)
	check("127.0.0.1:80", errRefused)

	r.own = func() ([]net.Addr, error) { return nil, errors.New("no list") }
	check("1.1.1.1:80", errRefused)
	check("10.1.2.3:80", nil)
}
