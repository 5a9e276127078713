// Package fetch loads what the uri of a document names. A server that opens any address or file that a client names
// is a hole in its network, so only data: URIs are read unless the flow allows more: http(s) from public addresses,
// and files below one folder.
//
// What guards http(s):
//   - The address is checked on the socket, after name resolution and before connecting, for every connection. A name
//     that changes its address between a check and its use gains nothing. Redirects go through the same checks.
//   - Everything that is not public is refused, and so are the machine's own addresses, unless Options.Networks holds
//     them. "No such host", a refused address and a refused port give one and the same message, so that nobody maps
//     the inner network by asking.
//   - Public addresses are asked on the ports of HTTP only (80, 443, 8080, 8443), so that the server is no tool for
//     scanning others or for talking to their mail servers. In Options.Networks any port may be asked: whoever names
//     a private network there has its picture store in mind, and those listen anywhere.
//   - A load has one time limit, one size limit, no cookies, no credentials, no compression, and HTTP/1.1 only.
package fetch

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"clipd/engine"
)

// Loader loads URIs. The zero value reads data: URIs only. It is safe for concurrent use, and copies share everything.
type Loader struct {
	maxBytes int64   // 0 = DefaultMaxBytes
	web      *web    // nil = no http(s)
	folder   *folder // nil = no files
}

// New makes a loader of what o allows. It fails when the folder cannot be opened or an option makes no sense.
func New(o Options) (*Loader, error) { return newLoader(o, hooks{}) }

func newLoader(o Options, h hooks) (*Loader, error) {
	o, err := o.checked()
	if err != nil {
		return nil, err
	}
	l := &Loader{maxBytes: o.MaxBytes}
	if o.HTTP || o.HTTPS {
		if l.web, err = newWeb(o, h); err != nil {
			return nil, err
		}
	}
	if o.Folder != "" {
		if l.folder, err = openFolder(o.Folder, o.MaxBytes); err != nil {
			return nil, err
		}
	}
	return l, nil
}

// Close closes idle connections and the folder. Loads that are under way end by themselves.
func (l Loader) Close() error {
	if l.web != nil {
		l.web.transport.CloseIdleConnections()
	}
	if l.folder != nil {
		return l.folder.root.Close()
	}
	return nil
}

// Load returns the bytes behind uri; they belong to the caller. Errors are of *engine.Error: Invalid when the uri is
// wrong, is not allowed here, or its server does not give a picture; Overloaded when too many loads are under way;
// Deadline when ctx ended.
func (l Loader) Load(ctx context.Context, uri string) ([]byte, error) {
	data, err := l.load(ctx, uri)
	if err == nil {
		return data, nil
	}
	if e := (*engine.Error)(nil); errors.As(err, &e) {
		return nil, err
	}
	if ctx.Err() != nil {
		return nil, &engine.Error{Kind: engine.Deadline, Message: fmt.Sprintf("the uri %s was not loaded in time", display(uri)), Err: ctx.Err()}
	}
	// Only the text goes on: what caused it may say more of the inner network than the caller should learn.
	return nil, engine.Errorf(engine.Invalid, "the uri %s is not loaded: %v", display(uri), err)
}

func (l Loader) load(ctx context.Context, uri string) ([]byte, error) {
	scheme, rest := cutScheme(uri)
	switch {
	case scheme == "data":
		return decodeData(rest, l.limit())
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case l.web != nil && l.web.schemes[scheme]:
		return l.web.load(ctx, uri)
	case (scheme == "" || scheme == "file") && l.folder != nil:
		path := uri
		if scheme == "file" {
			var err error
			if path, err = filePath(rest); err != nil {
				return nil, err
			}
		}
		return l.folder.load(ctx, path)
	case scheme == "" || scheme == "file":
		return nil, fmt.Errorf("this server reads no files, it reads %s; send the picture's bytes in blob", l.allowed())
	case scheme == "http" || scheme == "https":
		return nil, fmt.Errorf("this server reads %s; send the picture's bytes in blob", l.allowed())
	default:
		return nil, fmt.Errorf("the scheme %q is unknown; this server reads %s", shorten(scheme, 20), l.allowed())
	}
}

func (l Loader) limit() int64 {
	if l.maxBytes == 0 {
		return DefaultMaxBytes
	}
	return l.maxBytes
}

// allowed names what this server reads, as the end of a sentence.
func (l Loader) allowed() string {
	kinds := []string{"data:"}
	if l.web != nil {
		for _, scheme := range []string{"http", "https"} {
			if l.web.schemes[scheme] {
				kinds = append(kinds, scheme+":")
			}
		}
	}
	if l.folder != nil {
		kinds = append(kinds, "file:")
	}
	last := len(kinds) - 1
	switch {
	case last == 0:
		return "data: URIs only"
	case l.folder != nil:
		return strings.Join(kinds[:last], ", ") + " and " + kinds[last] + " URIs, and paths of files below one folder"
	default:
		return strings.Join(kinds[:last], ", ") + " and " + kinds[last] + " URIs"
	}
}
