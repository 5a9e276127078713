package rest

import (
	"bytes"
	"net/url"
	"unicode/utf8"

	"clipd/frontend/fault"
)

// pathOf returns the path of a request target, without its query and its percent-escapes. Nothing else is changed: the
// names of models have slashes and dots of their own.
func pathOf(target []byte) (string, error) {
	if i := bytes.IndexByte(target, '?'); i >= 0 {
		target = target[:i]
	}
	if len(target) > 0 && target[0] != '/' { // http://host/path, as proxies are asked
		_, rest, _ := bytes.Cut(target, []byte("://"))
		i := bytes.IndexByte(rest, '/')
		if i < 0 {
			return "/", nil
		}
		target = rest[i:]
	}
	path := string(target)
	if bytes.IndexByte(target, '%') >= 0 {
		var err error
		if path, err = url.PathUnescape(path); err != nil {
			return "", fault.New(fault.Malformed, "the path has a broken percent-escape; write %%25 for a percent sign")
		}
	}
	if !utf8.ValidString(path) {
		return "", fault.New(fault.Malformed, "the path is not UTF-8")
	}
	return path, nil
}
