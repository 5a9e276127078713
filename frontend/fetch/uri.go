package fetch

import (
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxURI bounds an http(s) or file URI or a path, in bytes; servers and proxies rarely take more.
const maxURI = 8 << 10

// cutScheme returns the lower-case scheme of uri (RFC 3986, section 3.1) and what follows its colon. Without a scheme,
// uri is a path: the scheme is "", and rest is uri.
func cutScheme(uri string) (scheme, rest string) {
	for i := range len(uri) {
		switch c := uri[i]; {
		case 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z':
		case i > 0 && ('0' <= c && c <= '9' || c == '+' || c == '-' || c == '.'):
		case i > 0 && c == ':':
			return strings.ToLower(uri[:i]), uri[i+1:]
		default:
			return "", uri
		}
	}
	return "", uri
}

// display quotes uri for a message: short, in one line, and without what may be a secret. That is user and password,
// and the query, where signed links carry their signature.
func display(uri string) string {
	return strconv.Quote(shorten(withoutSecrets(uri), 120))
}

func withoutSecrets(uri string) string {
	scheme, rest := cutScheme(uri)
	if scheme == "data" || scheme == "" && !strings.HasPrefix(uri, "//") {
		return uri
	}
	prefix := scheme + ":"
	if scheme == "" {
		prefix = ""
	}
	if len(rest) > maxURI {
		return prefix + "…"
	}
	u, err := url.Parse(uri)
	if err != nil || u.Host == "" {
		// There is no telling what is user, host or path.
		if strings.Contains(rest, "@") {
			return prefix + "…"
		}
		rest, _, _ = strings.Cut(rest, "?")
		return prefix + rest
	}
	shown := prefix + "//" + u.Host
	switch {
	case u.Port() != "" && strings.Contains(u.Path, "@"): // may be a password with a slash: user:12/34@host
		return shown + "/…"
	case u.RawQuery != "":
		return shown + u.EscapedPath() + "?…"
	default:
		return shown + u.EscapedPath()
	}
}

// shorten cuts s after at most most bytes, between characters.
func shorten(s string, most int) string {
	if len(s) <= most {
		return s
	}
	for most > 0 && !utf8.RuneStart(s[most]) {
		most--
	}
	return s[:most] + "…"
}
