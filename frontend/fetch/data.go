package fetch

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"strings"
)

// decodeData reads RFC 2397, the scheme cut off: [mediatype][;base64],data. More than most bytes are refused before
// anything is decoded.
func decodeData(rest string, most int64) ([]byte, error) {
	head, body, found := strings.Cut(rest, ",")
	if !found {
		return nil, fmt.Errorf("the data: URI has no comma before its data; write data:image/png;base64,…")
	}
	_, isBase64 := cutSuffixFold(strings.TrimSpace(head), ";base64")
	escapes := strings.Count(body, "%")
	bytes := int64(len(body) - 2*escapes) // an escape is three characters for one
	if isBase64 {
		digits := bytes - int64(strings.Count(body, "\n")+strings.Count(body, "\r")+strings.Count(body, "="))
		bytes = digits * 3 / 4
	}
	if bytes > most {
		return nil, tooLarge(most)
	}
	if escapes > 0 {
		text, err := url.PathUnescape(body)
		if err != nil {
			return nil, fmt.Errorf("the data: URI is not percent-encoded: %v", err)
		}
		body = text
	}
	if !isBase64 {
		return []byte(body), nil
	}
	encoding := base64.RawStdEncoding
	if strings.IndexByte(body, '-') >= 0 || strings.IndexByte(body, '_') >= 0 {
		encoding = base64.RawURLEncoding
	}
	data, err := encoding.DecodeString(strings.TrimRight(body, "=\r\n"))
	if err != nil {
		return nil, fmt.Errorf("the data: URI is not base64: %v", err)
	}
	return data, nil
}

func cutSuffixFold(s, suffix string) (string, bool) {
	n := len(s) - len(suffix)
	if n < 0 || !strings.EqualFold(s[n:], suffix) {
		return s, false
	}
	return s[:n], true
}
