package bench

import (
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
)

// openaiRequest is the body of POST /embeddings. Modality is infinity's field for inputs that are not texts.
type openaiRequest struct {
	Model    string   `json:"model,omitempty"`
	Input    []string `json:"input"`
	Encoding string   `json:"encoding_format,omitempty"`
	Modality string   `json:"modality,omitempty"`
}

// newOpenAI posts to the path of the address, or to /v1/embeddings.
func newOpenAI(u *url.URL, host string, config *tls.Config, o TargetOptions) *httpTarget {
	at := *u
	if at.Path == "" || at.Path == "/" {
		at.Path = "/v1/embeddings"
	}
	header := o.header()
	if auth := header.Get("Authorization"); o.Credential != "" && !strings.Contains(auth, " ") {
		header.Set("Authorization", "Bearer "+auth)
	}
	return &httpTarget{
		url: at.String(), host: host, tls: config, header: header, check: countEmbeddings,
		encode: func(items []Item) ([]byte, error) { return encodeOpenAI(items, o.Model) },
	}
}

// encodeOpenAI makes a request of texts, or of pictures as data URIs.
func encodeOpenAI(items []Item, model string) ([]byte, error) {
	r := openaiRequest{Model: model, Input: make([]string, len(items)), Encoding: "float"}
	for i, it := range items {
		if (it.Picture != nil) != (items[0].Picture != nil) {
			return nil, errors.New("a request to /embeddings holds either texts or pictures")
		}
		if it.Picture == nil {
			r.Input[i] = it.Text
			continue
		}
		r.Modality = "image"
		r.Input[i] = "data:" + http.DetectContentType(it.Picture) + ";base64," + base64.StdEncoding.EncodeToString(it.Picture)
	}
	return json.Marshal(r)
}
