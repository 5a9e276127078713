package fetch

import (
	"fmt"
	"net/netip"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

// host is the host of a URL in the one form in which it is compared, counted and asked.
type host struct {
	name string     // lower case, ASCII, without a dot at its end; an address without brackets
	addr netip.Addr // when the host is an address
}

// parseHost reads a host as url.URL.Hostname gives it.
func parseHost(text string) (host, error) {
	if strings.Contains(text, ":") {
		addr, err := netip.ParseAddr(text)
		if err != nil || addr.Zone() != "" {
			return host{}, fmt.Errorf("its host %q is no IPv6 address without a zone", shorten(text, 60))
		}
		return host{addr.String(), addr}, nil
	}
	name, err := asciiName(text)
	if err != nil {
		return host{}, err
	}
	if !endsInNumber(name) {
		return host{name: name}, nil
	}
	// Some resolvers read 2130706433, 0177.0.0.1, 0x7f.1 and 127.1 as 127.0.0.1.
	addr, err := netip.ParseAddr(name)
	if err != nil {
		return host{}, fmt.Errorf("its host %q is a number, but no IPv4 address of four decimal numbers without leading zeros", shorten(text, 60))
	}
	return host{name, addr}, nil
}

// asciiName brings a name into the form that is asked for in DNS.
func asciiName(text string) (string, error) {
	name := text
	if strings.ContainsFunc(text, func(r rune) bool { return r >= 0x80 }) {
		var err error
		if name, err = idna.Lookup.ToASCII(text); err != nil || !utf8.ValidString(text) {
			return "", fmt.Errorf("its host %q is no domain name", shorten(text, 60))
		}
	}
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	if name == "" || len(name) > 253 {
		return "", fmt.Errorf("its host has %d characters, a name has 1 to 253", len(name))
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > 63 || strings.ContainsFunc(label, notInName) {
			return "", fmt.Errorf("its host %q is no domain name of letters, digits and hyphens with dots between", shorten(text, 60))
		}
	}
	return name, nil
}

// notInName takes the underscore for part of names, as browsers do: there are picture hosts that have one.
func notInName(r rune) bool {
	return !('a' <= r && r <= 'z' || '0' <= r && r <= '9' || r == '-' || r == '_')
}

// endsInNumber reports whether the last label is a decimal or hexadecimal number. No top-level domain is one, so such
// a host can only be an IPv4 address in some form.
func endsInNumber(name string) bool {
	label := name[strings.LastIndexByte(name, '.')+1:]
	if digits, isHex := strings.CutPrefix(label, "0x"); isHex {
		return strings.Trim(digits, "0123456789abcdef") == ""
	}
	return strings.Trim(label, "0123456789") == ""
}

// hostList are the hosts that may be asked, as patterns; empty = all.
type hostList []string

func parseHosts(patterns []string) (hostList, error) {
	var list hostList
	for _, pattern := range patterns {
		base, isBelow := strings.CutPrefix(pattern, "*.")
		h, err := parseHost(strings.TrimSuffix(strings.TrimPrefix(base, "["), "]"))
		if err != nil || isBelow && h.addr.IsValid() {
			return nil, fmt.Errorf("the host %q that uris may name is no host; write it like example.com, *.example.com or 10.1.2.3, without scheme and port", pattern)
		}
		if isBelow {
			h.name = "*." + h.name
		}
		list = append(list, h.name)
	}
	return list, nil
}

func (l hostList) has(name string) bool {
	for _, pattern := range l {
		if below, isBelow := strings.CutPrefix(pattern, "*"); name == pattern || isBelow && strings.HasSuffix(name, below) {
			return true
		}
	}
	return len(l) == 0
}

// String names the first few hosts.
func (l hostList) String() string {
	const most = 8
	if len(l) > most {
		return strings.Join(l[:most], ", ") + " …"
	}
	return strings.Join(l, ", ")
}
