package flows

import (
	"net/netip"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// uris is allow_uris while it is read.
type uris struct {
	AllowURIs
	schemes []string // nil when the file gives none
}

var urisSection = section[uris]{name: "allow_uris", fields: []field[uris]{
	{name: "schemes", typ: "`http`, `https`, `file`, or a list", def: "[http, https]",
		doc: "kinds of URIs that are allowed beside `data:`; `file` needs `folder`", read: readSchemes},
	{name: "hosts", typ: "host name, or a list", def: "all",
		doc: "hosts that may be asked, redirects included; `'*.example.com'` stands for every name below example.com", read: readHosts},
	{name: "networks", typ: "network such as 10.1.0.0/16, or a list", def: "public addresses only",
		doc: "private networks that may be reached all the same", read: readNetworks},
	{name: "folder", typ: "path", doc: "files below it may be named, by `file:` URIs or plain paths; turns `file` on", read: readFolder},
	intField("max_redirects", 3, 0, 10, "redirects that are followed; each target is checked like the first address", func(u *uris) *int { return &u.MaxRedirects }),
	{name: "timeout", typ: "1 to 600000 milliseconds", def: "10000", doc: "longest time of one document, redirects included",
		setDef: func(u *uris) { u.Timeout = 10 * time.Second },
		read: func(r *reader, u *uris, v *value) {
			if ms, ok := r.integer("timeout", "milliseconds", v, 1, 600_000); ok {
				u.Timeout = time.Duration(ms) * time.Millisecond
			}
		}},
	{name: "max_bytes", typ: "bytes, or text such as 64MiB", def: "`max_image_bytes` of `limits`", doc: "bytes of one document",
		read: func(r *reader, u *uris, v *value) {
			if n, ok := r.bytes("max_bytes", v, 1, maxByteSize); ok {
				u.MaxBytes = n
			}
		}},
}}

// readAllowURIs takes true, false or an object.
func readAllowURIs(r *reader, g *Gateway, v *value) {
	g.AllowURIs = AllowURIs{} // nothing of with: stays when gateway: has the key, too
	var u uris
	urisSection.setDefaults(&u)
	switch v.kind {
	case boolean:
		u.HTTP, u.HTTPS = v.boolean, v.boolean
	case object:
		before := len(r.errs)
		found := readSection(r, &urisSection, v, &u, nil)
		if len(r.errs) > before || !r.chooseSchemes(&u, v, found) {
			return
		}
	default:
		hint := ""
		switch strings.ToLower(v.text) {
		case "http", "https":
			hint = "; write {schemes: [" + strings.ToLower(v.text) + "]}"
		case "file":
			hint = "; write {schemes: [file], folder: /path}"
		case "on", "y", "1":
			hint = "; write true"
		case "off", "n", "0":
			hint = "; write false"
		}
		r.fail(v, "allow_uris is true, false or an object such as {hosts: [images.example.com]}, not %s%s", v.describe(), hint+undefinedVariable(v))
		return
	}
	if u.Any() {
		g.AllowURIs = u.AllowURIs
	}
}

// chooseSchemes sets what is allowed from schemes and folder, and refuses keys that contradict them.
func (r *reader) chooseSchemes(u *uris, v *value, found map[string]*value) bool {
	if u.schemes == nil {
		u.schemes = []string{"http", "https"}
	}
	u.HTTP, u.HTTPS = slices.Contains(u.schemes, "http"), slices.Contains(u.schemes, "https")
	if slices.Contains(u.schemes, "file") && u.Folder == "" {
		r.fail(found["schemes"], "schemes lists file, but there is no folder below which files may be named; write folder: /path")
		return false
	}
	if u.HTTP || u.HTTPS {
		return true
	}
	for _, key := range []string{"hosts", "networks", "max_redirects"} {
		if at := found[key]; at != nil && at.kind != null {
			r.fail(at, "%s has no meaning here, because schemes lists neither http nor https", key)
			return false
		}
	}
	return true
}

func readSchemes(r *reader, u *uris, v *value) {
	meant := map[string]string{
		"data": "data: URIs are always allowed", "files": `did you mean "file"?`, "file://": `did you mean "file"?`,
		"http://": `did you mean "http"?`, "https://": `did you mean "https"?`,
	}
	for _, item := range v.oneOrMore() {
		w, ok := r.word("schemes", item, []string{"http", "https", "file"}, meant)
		if !ok {
			return
		}
		if slices.Contains(u.schemes, w) {
			r.fail(item, "scheme %s stands in the list twice", w)
			return
		}
		u.schemes = append(u.schemes, w)
	}
	if len(u.schemes) == 0 {
		r.fail(v, "the list of schemes is empty; write allow_uris: false for data: URIs only")
	}
}

// hostPattern is a name of letters, digits, - and _ in parts of at most 63, perhaps behind "*.".
var hostPattern = regexp.MustCompile(`^(?:\*\.)?(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$`)

// lastPartNumber matches what browsers read as an address, such as 10.1 or 256.1.1.1.
var lastPartNumber = regexp.MustCompile(`(?:^|\.)(?:[0-9]+|0x[0-9a-f]*)$`)

// hostOf gives a host in the form in which it is compared.
func hostOf(s string) (string, bool) {
	s = strings.ToLower(strings.TrimSuffix(s, "."))
	if address, err := netip.ParseAddr(s); err == nil && address.Zone() == "" {
		return address.Unmap().String(), true
	}
	return s, len(s) <= 253 && hostPattern.MatchString(s) && !lastPartNumber.MatchString(s)
}

func readHosts(r *reader, u *uris, v *value) {
	for _, item := range v.oneOrMore() {
		s, ok := r.text("hosts", item)
		if !ok {
			continue
		}
		host, ok := hostOf(s)
		if !ok {
			r.fail(item, "hosts lists names such as images.example.com or '*.example.com', or addresses, without scheme, port and path, not %s%s",
				item.describe(), hostHint(s)+undefinedVariable(item))
			continue
		}
		if !slices.Contains(u.Hosts, host) {
			u.Hosts = append(u.Hosts, host)
		}
	}
}

// hostHint proposes the host within a URL, and the pattern that was perhaps meant.
func hostHint(s string) string {
	if s == "*" {
		return "; leave hosts out for all hosts"
	}
	for _, c := range s {
		if c > 127 {
			return "; names of other letters are written in their form with xn--"
		}
	}
	if _, rest, found := strings.Cut(s, "://"); found {
		s = rest
	}
	s, _, _ = strings.Cut(s, "/")
	if strings.HasPrefix(s, ".") {
		s = "*" + s
	}
	if inner, found := strings.CutPrefix(s, "["); found {
		s, _, _ = strings.Cut(inner, "]")
	} else if i := strings.LastIndexByte(s, ':'); i >= 0 {
		s = s[:i]
	}
	if host, ok := hostOf(s); ok {
		return didYouMean(host)
	}
	return ""
}

func readNetworks(r *reader, u *uris, v *value) {
	for _, item := range v.oneOrMore() {
		s, ok := r.text("networks", item)
		if !ok {
			continue
		}
		network, hint := networkOf(s)
		if hint != "" || !network.IsValid() {
			r.fail(item, "networks lists networks such as 10.1.0.0/16 or fd00::/8, not %s%s", item.describe(), hint+undefinedVariable(item))
			continue
		}
		if !slices.Contains(u.Networks, network) {
			u.Networks = append(u.Networks, network)
		}
	}
}

// networkOf reads a network; a hint says what to write instead.
func networkOf(s string) (network netip.Prefix, hint string) {
	if address, err := netip.ParseAddr(s); err == nil && address.Zone() == "" {
		address = address.Unmap()
		return netip.Prefix{}, didYouMean(netip.PrefixFrom(address, address.BitLen()).String())
	}
	network, err := netip.ParsePrefix(s)
	switch {
	case err != nil:
		return netip.Prefix{}, ""
	case network.Addr().Is4In6():
		return netip.Prefix{}, "; write an IPv4 network without ::ffff:"
	case network != network.Masked():
		return netip.Prefix{}, didYouMean(network.Masked().String())
	}
	return network, ""
}

func readFolder(r *reader, u *uris, v *value) {
	s, ok := r.text("folder", v)
	if !ok {
		return
	}
	if filepath.Clean(s) == "/" {
		r.fail(v, "folder is %s, below which lies every file of the machine; name the folder of the pictures", v.describe())
		return
	}
	u.Folder = s
}
