package bench

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Target is a server: what its requests look like, and connections to it.
type Target interface {
	// Encode makes one request.
	Encode(items []Item) ([]byte, error)
	// Mixed reports whether a request can hold both texts and pictures.
	Mixed() bool
	// Dial prepares a connection. It does not wait: the first exchange does.
	Dial() (Conn, error)
}

// Conn is one connection. It opens itself again when it breaks.
type Conn interface {
	// Exchange sends a request of so many items and waits for the whole answer. A server that has no room now gives
	// an error that is ErrRefused.
	Exchange(ctx context.Context, request []byte, items int) error
	// Streams is how many exchanges may run at a time.
	Streams() int
	Close() error
}

// ErrRefused is a server that says it has no room, or is not ready, and may later: RESOURCE_EXHAUSTED and UNAVAILABLE
// over gRPC, 429 and 503 over HTTP.
var ErrRefused = errors.New("refused")

// TargetOptions say how to speak to a server.
type TargetOptions struct {
	API        string // "jina", "openai"; "": OpenAI's for a path that ends in /embeddings, Jina's for others
	Model      string // OpenAI: the model asked for
	JSON       bool   // WebSocket: JSON in text messages, as browsers send it, instead of protobuf
	Credential string // value of the header Authorization; OpenAI's gets "Bearer " in front when it has no scheme
	Headers    [][2]string
	Insecure   bool // take any TLS certificate
}

// header returns every header to send.
func (o TargetOptions) header() http.Header {
	h := http.Header{}
	for _, kv := range o.Headers {
		h.Add(kv[0], kv[1])
	}
	if o.Credential != "" {
		h.Set("Authorization", o.Credential)
	}
	return h
}

// ParseHeader reads "name=value".
func ParseHeader(s string) ([2]string, error) {
	name, value, found := strings.Cut(s, "=")
	if !found || name == "" || strings.ContainsAny(s, "\r\n") {
		return [2]string{}, fmt.Errorf("header %q is not of the form name=value", s)
	}
	return [2]string{name, value}, nil
}

// ParseTarget makes the target of an address: grpc(s)://host:port, http(s)://host:port[/path], ws(s)://host:port.
func ParseTarget(address string, o TargetOptions) (Target, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return nil, fmt.Errorf("server %q is no address; write grpc://host:port, http://host:port, ws://host:port or http://host:port/v1/embeddings", address)
	}
	api := o.API
	if api == "" {
		api = "jina"
		if strings.HasSuffix(u.Path, "/embeddings") {
			api = "openai"
		}
	}
	if api != "jina" && api != "openai" {
		return nil, fmt.Errorf("API %q is not known; there are jina and openai", o.API)
	}
	scheme := strings.TrimSuffix(u.Scheme, "s")
	if u.Scheme == "ws" || u.Scheme == "wss" || u.Scheme == "websocket" {
		scheme = "ws"
	}
	secure := u.Scheme == "grpcs" || u.Scheme == "https" || u.Scheme == "wss"
	var config *tls.Config
	port := "80"
	if secure {
		config, port = &tls.Config{MinVersion: tls.VersionTLS12, ServerName: u.Hostname(), InsecureSkipVerify: o.Insecure}, "443"
	}
	if u.Port() != "" {
		port = u.Port()
	}
	host := net.JoinHostPort(u.Hostname(), port)
	switch {
	case scheme == "http" && api == "openai":
		return newOpenAI(u, host, config, o), nil
	case api == "openai":
		return nil, fmt.Errorf("server %q: OpenAI's API needs http or https", address)
	case scheme == "grpc":
		return &grpcTarget{host: host, tls: config, header: o.header()}, nil
	case scheme == "http":
		return newJinaHTTP(u, host, config, o), nil
	case scheme == "ws":
		return &wsTarget{url: u, host: host, tls: config, header: o.header(), json: o.JSON}, nil
	}
	return nil, fmt.Errorf("server %q: the scheme must be grpc, grpcs, http, https, ws or wss", address)
}

// refused makes an ErrRefused that says why.
func refused(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrRefused, fmt.Sprintf(format, args...))
}

// fromGRPC sorts an error of gRPC.
func fromGRPC(err error) error {
	switch status.Code(err) {
	case codes.ResourceExhausted:
		return refused("%v", err)
	case codes.Unavailable:
		// gRPC calls a server that cannot be reached unavailable too; that one refused nothing.
		if strings.Contains(err.Error(), "connection error") || strings.Contains(err.Error(), "error reading from server") {
			return err
		}
		return refused("%v", err)
	}
	return err
}

// fromHTTP sorts an HTTP status that is not 200.
func fromHTTP(code int, body []byte) error {
	text := strings.TrimSpace(string(body[:min(len(body), 300)]))
	if code == http.StatusTooManyRequests || code == http.StatusServiceUnavailable {
		return refused("HTTP %d: %s", code, text)
	}
	return fmt.Errorf("HTTP %d: %s", code, text)
}

// fromException sorts an error that a Jina answer carries, by its Python class: BlockingIOError is what a limit of now
// is called there, ConnectionError a server that is not ready.
func fromException(name, description string) error {
	if name == "BlockingIOError" || name == "ConnectionError" {
		return refused("%s", description)
	}
	return fmt.Errorf("the server answered an error: %s", description)
}

// leastBytes is less than any embedding takes on the wire: an answer with fewer for each item holds none.
const leastBytes = 128

// checkSize refuses answers that are too short to hold an embedding for each item.
func checkSize(answer []byte, items int) error {
	if len(answer) < items*leastBytes {
		return fmt.Errorf("an answer of %d bytes holds no embeddings of %d items", len(answer), items)
	}
	return nil
}

// deadline is when an exchange has to end, or the zero time.
func deadline(ctx context.Context) time.Time {
	t, _ := ctx.Deadline()
	return t
}
