package metrics

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/rs/zerolog"
)

// Path is where the metrics are.
const Path = "/metrics"

// Listener serves metrics over HTTP on a port of its own. A nil *Listener serves nothing.
type Listener struct {
	inner net.Listener
	http  *http.Server
}

// Times of a reader of metrics. One that needs longer is cut off: Prometheus itself gives up after 10 s.
const (
	readTime  = 10 * time.Second
	writeTime = 30 * time.Second
	idleTime  = 5 * time.Minute // longer than between two reads
)

// mostReaders is how many may read at a time; more are told 503.
const mostReaders = 4

// Listen serves the metrics at Path of an address, host:port, from now on; port 0 picks one. It needs no key, as health
// checks do: who may reach the port is for the network to say.
func (m *Metrics) Listen(address string, log zerolog.Logger) (*Listener, error) {
	inner, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s for metrics: %w; choose another port_monitoring", address, err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET "+Path, promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{
		MaxRequestsInFlight: mostReaders, ErrorLog: complaints{log}, Registry: nil, EnableOpenMetrics: true,
	}))
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "The metrics are at "+Path+".\n") })
	l := &Listener{inner, &http.Server{
		Handler: mux, ReadTimeout: readTime, WriteTimeout: writeTime, IdleTimeout: idleTime, MaxHeaderBytes: 16 << 10,
		ErrorLog: nil,
	}}
	go func() {
		if err := l.http.Serve(inner); !errors.Is(err, http.ErrServerClosed) {
			log.Error().Err(err).Msg("the port of the metrics failed; requests are answered still")
		}
	}()
	return l, nil
}

// URL is where the metrics are.
func (l *Listener) URL(host string) string {
	_, port, _ := net.SplitHostPort(l.inner.Addr().String())
	return "http://" + net.JoinHostPort(host, port) + Path
}

// Shutdown frees the port, and waits until what is being read was sent or ctx ends.
func (l *Listener) Shutdown(ctx context.Context) {
	if l == nil {
		return
	}
	if l.http.Shutdown(ctx) != nil {
		l.http.Close()
	}
}

// complaints takes what goes wrong while metrics are gathered.
type complaints struct{ log zerolog.Logger }

// Println implements promhttp.Logger.
func (c complaints) Println(v ...any) { c.log.Error().Msg("metrics: " + fmt.Sprint(v...)) }
