package fetch

import (
	"fmt"
	"mime"
	"net/http"
	"strings"
)

// answerError is an answer that is no picture, as a clause for the caller.
type answerError string

// Error implements error.
func (e answerError) Error() string { return string(e) }

const isHTML = answerError("it is an HTML page, not a picture; give the address of the picture itself")

// readAnswer returns the body of an answer that claims to be a picture.
func readAnswer(answer *http.Response, most int64) ([]byte, error) {
	if answer.StatusCode != http.StatusOK {
		// The words are our own; those of the answer are the other server's.
		status := strings.TrimSpace(fmt.Sprintf("%d %s", answer.StatusCode, http.StatusText(answer.StatusCode)))
		return nil, answerError("its server answers with status " + status)
	}
	if encoding := answer.Header.Get("Content-Encoding"); encoding != "" && !strings.EqualFold(encoding, "identity") {
		return nil, answerError(fmt.Sprintf("its server answers with content encoding %q, though none was asked for", shorten(encoding, 40)))
	}
	if err := checkType(answer.Header.Get("Content-Type")); err != nil {
		return nil, err
	}
	data, err := readBody(answer.Body, answer.ContentLength, most)
	if err != nil {
		return nil, err
	}
	if strings.HasPrefix(http.DetectContentType(data), "text/html") {
		return nil, isHTML
	}
	return data, nil
}

// checkType looks at a Content-Type. Stores that know no better say octet-stream or nothing; Amazon S3 says
// binary/octet-stream.
func checkType(contentType string) error {
	media, _, err := mime.ParseMediaType(contentType)
	if err != nil { // of its parameters, mostly
		media, _, _ = strings.Cut(contentType, ";")
		media = strings.ToLower(strings.TrimSpace(media))
	}
	switch {
	case media == "", media == "application/octet-stream", media == "binary/octet-stream", strings.HasPrefix(media, "image/"):
		return nil
	case media == "text/html" || media == "application/xhtml+xml":
		return isHTML
	default:
		return answerError(fmt.Sprintf("its content type is %q; it should be image/… or application/octet-stream", shorten(media, 60)))
	}
}
