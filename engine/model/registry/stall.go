package registry

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// defaultIdle is how long a server may send nothing before an attempt has failed.
const defaultIdle = 60 * time.Second

// newClient returns a client for one attempt, with limits for everything up to the header of the answer; stallReader
// limits what comes after it. Each attempt has its own connections: one that stalled is not used again.
func newClient(idle time.Duration) *http.Client {
	return &http.Client{Transport: &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: idle}).DialContext,
		ForceAttemptHTTP2:     true,
		TLSHandshakeTimeout:   idle,
		ResponseHeaderTimeout: idle,
	}}
}

// stallReader reads the body of an answer and cancels its request when a read waits longer than idle for a byte. The time
// that passes between reads, as when a disk is slow, does not count.
type stallReader struct {
	ctx    context.Context // of the request
	body   io.Reader
	idle   time.Duration
	cancel context.CancelCauseFunc // of ctx
}

func (r *stallReader) Read(p []byte) (int, error) {
	stalled := fmt.Errorf("the server sent nothing for %s", r.idle)
	timer := time.AfterFunc(r.idle, func() { r.cancel(stalled) })
	n, err := r.body.Read(p)
	timer.Stop()
	if err != nil && context.Cause(r.ctx) == stalled {
		err = stalled
	}
	return n, err
}
