// Package fetch loads what the uri of a document names. A server that opens any address or file that a client names
// is a hole in its network, so only data: URIs are read unless the flow allows more.
package fetch

import (
	"context"
	"encoding/base64"
	"net/url"
	"strings"

	"clipd/engine"
)

// Loader loads URIs. The zero value reads data: URIs only.
type Loader struct{}

// Load returns the bytes behind uri.
func (Loader) Load(_ context.Context, uri string) ([]byte, error) {
	rest, isData := cutPrefixFold(uri, "data:")
	if !isData {
		return nil, engine.Errorf(engine.Invalid,
			"the uri %q is not loaded: this server reads data: URIs only; send the picture's bytes in blob", shorten(uri))
	}
	return decodeData(rest)
}

// decodeData reads RFC 2397: [mediatype][;base64],data.
func decodeData(rest string) ([]byte, error) {
	head, body, found := strings.Cut(rest, ",")
	if !found {
		return nil, engine.Errorf(engine.Invalid, "the data: URI has no comma before its data: %q", shorten(rest))
	}
	if _, isBase64 := cutSuffixFold(strings.TrimSpace(head), ";base64"); !isBase64 {
		text, err := url.PathUnescape(body)
		if err != nil {
			return nil, engine.Errorf(engine.Invalid, "the data: URI is not percent-encoded: %v", err)
		}
		return []byte(text), nil
	}
	if strings.Contains(body, "%") {
		text, err := url.PathUnescape(body)
		if err != nil {
			return nil, engine.Errorf(engine.Invalid, "the data: URI is not percent-encoded: %v", err)
		}
		body = text
	}
	encoding := base64.StdEncoding
	if strings.ContainsAny(body, "-_") {
		encoding = base64.URLEncoding
	}
	body = strings.TrimRight(body, "=")
	data, err := encoding.WithPadding(base64.NoPadding).DecodeString(body)
	if err != nil {
		return nil, engine.Errorf(engine.Invalid, "the data: URI is not base64: %v", err)
	}
	return data, nil
}

func cutPrefixFold(s, prefix string) (string, bool) {
	if len(s) < len(prefix) || !strings.EqualFold(s[:len(prefix)], prefix) {
		return s, false
	}
	return s[len(prefix):], true
}

func cutSuffixFold(s, suffix string) (string, bool) {
	n := len(s) - len(suffix)
	if n < 0 || !strings.EqualFold(s[n:], suffix) {
		return s, false
	}
	return s[:n], true
}

func shorten(s string) string {
	const most = 120
	if len(s) <= most {
		return s
	}
	return s[:most] + "…"
}
