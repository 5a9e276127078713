package fetch

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"clipd/engine"
)

// web loads http(s) URIs.
type web struct {
	schemes      map[string]bool
	hosts        hostList
	reach        reach
	transport    *http.Transport
	slots        *slots
	timeout      time.Duration
	maxBytes     int64
	maxRedirects int
}

func newWeb(o Options, h hooks) (*web, error) {
	hosts, err := parseHosts(o.Hosts)
	if err != nil {
		return nil, err
	}
	d := newDialer(o, h)
	w := &web{
		schemes:      map[string]bool{"http": o.HTTP, "https": o.HTTPS},
		hosts:        hosts,
		reach:        d.reach,
		slots:        newSlots(loadsAtATime, loadsPerHost),
		timeout:      o.Timeout,
		maxBytes:     o.MaxBytes,
		maxRedirects: o.MaxRedirects,
	}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true) // so one connection is one load, and is bounded as such
	w.transport = &http.Transport{
		Proxy:                  nil, // one from the environment would ask addresses that nobody checks
		DialContext:            d.dial,
		DialTLSContext:         d.dialTLS,
		Protocols:              protocols,
		DisableCompression:     true,
		MaxIdleConns:           idleAll,
		MaxIdleConnsPerHost:    idlePerHost,
		IdleConnTimeout:        idleTime,
		ResponseHeaderTimeout:  min(headerTime, o.Timeout),
		MaxResponseHeaderBytes: headerBytes,
	}
	return w, nil
}

// load returns what uri, an http(s) URI, names.
func (w *web) load(ctx context.Context, uri string) ([]byte, error) {
	t, err := w.target(nil, uri)
	if err != nil {
		return nil, err
	}
	limited, cancel := context.WithTimeout(ctx, w.timeout)
	defer cancel()
	for redirects := 0; ; redirects++ {
		data, location, err := w.visit(limited, t)
		switch {
		case err == nil && location == "":
			return data, nil
		case err == nil && redirects == w.maxRedirects:
			if redirects == 0 {
				return nil, errors.New("it redirects, and this server follows no redirects")
			}
			return nil, fmt.Errorf("it redirects more than %d times", redirects)
		case err == nil:
			next, err := w.target(t.url, location)
			if err != nil {
				return nil, fmt.Errorf("it redirects to %s, and %w", display(location), err)
			}
			t = next
			continue
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case errors.Is(err, errNoTurn):
			return nil, engine.Errorf(engine.Overloaded,
				"the uri %s is not loaded: this server loads %d uris at a time, %d from one host, and none ended in %v; try again later",
				display(uri), loadsAtATime, loadsPerHost, w.timeout)
		}
		if e := machineError(err); e != nil {
			return nil, e
		}
		reason := explain(err, t.host.name)
		if limited.Err() != nil {
			reason = fmt.Errorf("host %q did not give it within %v", t.host.name, w.timeout)
		}
		if redirects > 0 {
			return nil, fmt.Errorf("it redirects to %s, and %w", display(t.url.String()), reason)
		}
		return nil, reason
	}
}

// visit asks for t. It returns the bytes, or where to go on.
func (w *web) visit(ctx context.Context, t target) (data []byte, location string, err error) {
	give, err := w.slots.take(ctx, t.host.name)
	if err != nil {
		return nil, "", err
	}
	defer give()
	// The transport goes on dialing for a request that has ended; this lets the dialer know.
	ctx = context.WithValue(ctx, loadKey{}, ctx)
	request := (&http.Request{
		Method: http.MethodGet,
		URL:    t.url,
		Host:   t.url.Host,
		Header: http.Header{
			"User-Agent":      {"Mozilla/5.0"}, // as the original server; some picture hosts refuse others
			"Accept-Encoding": {"identity"},
		},
	}).WithContext(ctx)
	// The bare transport has no cookies, sends no Referer and follows nothing by itself.
	answer, err := w.transport.RoundTrip(request)
	if err != nil {
		return nil, "", err
	}
	defer answer.Body.Close()
	if isRedirect(answer.StatusCode) {
		if location = answer.Header.Get("Location"); location == "" {
			err = answerError("it redirects without saying where to")
		}
		return nil, location, err
	}
	data, err = readAnswer(answer, w.maxBytes)
	return data, "", err
}

func isRedirect(status int) bool {
	switch status {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return true
	}
	return false
}

// target is a URL that passed every check that needs no network.
type target struct {
	url  *url.URL // without user and fragment; its host is host
	host host
}
