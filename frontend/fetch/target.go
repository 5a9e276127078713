package fetch

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strconv"
)

// errURL does not say what is wrong in detail: the detail may be part of a password.
var errURL = errors.New("it is no URL of the form https://host/path with other characters percent-encoded")

var defaultPorts = map[string]uint16{"http": 80, "https": 443}

// target checks text, a URL or, when base is not nil, where base redirects to.
func (w *web) target(base *url.URL, text string) (target, error) {
	if len(text) > maxURI {
		return target{}, fmt.Errorf("it has %d bytes, an http(s) URI may have %d", len(text), maxURI)
	}
	u, err := url.Parse(text)
	if err != nil {
		return target{}, errURL
	}
	if base != nil {
		if u = base.ResolveReference(u); base.Scheme == "https" && u.Scheme == "http" {
			return target{}, errors.New("a redirect from https to http is not followed")
		}
	}
	switch {
	case !w.schemes[u.Scheme]:
		return target{}, fmt.Errorf("a redirect to the scheme %q is not followed", shorten(u.Scheme, 20))
	case u.User != nil:
		return target{}, errors.New("user and password in a URL are not accepted")
	case u.Opaque != "" || u.Host == "":
		return target{}, errURL
	}
	h, err := parseHost(u.Hostname())
	if err != nil {
		return target{}, err
	}
	port := defaultPorts[u.Scheme]
	if text := u.Port(); text != "" {
		n, err := strconv.ParseUint(text, 10, 16)
		if err != nil || n == 0 {
			return target{}, fmt.Errorf("its port %s is none of 1 to 65535", shorten(text, 20))
		}
		port = uint16(n)
	}
	if !w.hosts.has(h.name) {
		return target{}, fmt.Errorf("host %q is none that this server asks; it asks %v", h.name, w.hosts)
	}
	if h.addr.IsValid() {
		if err := w.reach.check(netip.AddrPortFrom(h.addr, port)); err != nil {
			return target{}, explain(err, h.name)
		}
	}
	// A new URL rather than a changed one: nothing of the old that was not looked at goes on.
	return target{host: h, url: &url.URL{
		Scheme: u.Scheme, Host: h.withPort(port, defaultPorts[u.Scheme]),
		Path: u.Path, RawPath: u.RawPath, RawQuery: u.RawQuery, ForceQuery: u.ForceQuery,
	}}, nil
}

// withPort returns the host as a URL has it; the usual port is left out.
func (h host) withPort(port, usual uint16) string {
	name := h.name
	if h.addr.Is6() {
		name = "[" + name + "]"
	}
	if port == usual {
		return name
	}
	return name + ":" + strconv.Itoa(int(port))
}
