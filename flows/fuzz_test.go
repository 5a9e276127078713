package flows

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"
)

// FuzzParse: whatever the bytes are, Parse gives a whole Flow or an error with places, and reads no file.
func FuzzParse(f *testing.F) {
	for _, name := range Builtin() {
		data, err := ReadBuiltin(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	for _, pattern := range []string{"testdata/accepted/*.yml", "testdata/examples/*.yml", "testdata/refused/*.yml"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			f.Fatal(err, files)
		}
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data)
		}
	}
	noFiles := Options{
		LookupEnv: environ("X", "abc", "N", "12", "CHAIN", "$N$N", "REF", "${{root.with.port}}", "EMPTY", ""),
		ReadFile:  func(string) ([]byte, error) { return nil, errors.New("no files here") },
	}
	f.Add([]byte(with("allow_uris: {schemes: [https, file], hosts: ['*.a.b', 10.0.0.1], networks: [10.0.0.0/8, 'fd00::/8'], folder: /a, timeout: 5, " +
		"max_bytes: 1MiB, max_redirects: 0}, auth: {keys_file: a, keys_env: B}, limits: {max_inflight_bytes: 1GiB, read_timeout: -1}")))
	f.Add([]byte(with("uvicorn_kwargs: {ssl_certfile: c, ssl_keyfile: k, ssl_keyfile_password: p, ssl_ca_certs: a, ssl_cert_reqs: 1, timeout_keep_alive: 0, " +
		"limit_concurrency: 5, h11_max_incomplete_event_size: 65536, x: 1}, grpc_server_options: {grpc.max_receive_message_length: -1, " +
		"grpc.max_concurrent_streams: 5, grpc.max_connection_age_ms: 2147483647, grpc.max_connection_idle_ms: 5, grpc.x: 1}, ssl_client_auth: none")))
	f.Fuzz(func(t *testing.T, data []byte) {
		flow, err := Parse(bytes.NewReader(data), "fuzz.yml", noFiles)
		if err != nil {
			var all Errors
			if errors.As(err, &all) {
				for _, e := range all {
					if e.Source != "fuzz.yml" || e.Line < 0 || e.Column < 0 || e.Line > 1+bytes.Count(data, []byte("\n"))+bytes.Count(data, []byte("\r"))+
						bytes.Count(data, []byte("\u0085"))+bytes.Count(data, []byte("\u2028"))+bytes.Count(data, []byte("\u2029")) || e.Message == "" {
						t.Errorf("place or message of %#v", e)
					}
				}
			} else if len(data) <= maxBytes {
				t.Errorf("got %v, want Errors", err)
			}
			return
		}
		checkFlow(t, flow)
	})
}

// checkFlow holds what the server relies on in every flow that was accepted.
func checkFlow(t *testing.T, f *Flow) {
	t.Helper()
	g := f.Gateway
	if len(g.Ports) == 0 || len(g.Protocols) == 0 || (len(g.Ports) > 1 && len(g.Ports) != len(g.Protocols)) || g.Host == "" ||
		(g.SSLCertFile == "") != (g.SSLKeyFile == "") || g.Prefetch < 0 || g.TimeoutSend < 0 || g.Limits.MaxPixels < 1 || g.Limits.MaxQueued < 1 ||
		g.Limits.MaxImageBytes < 1 || g.Limits.MaxMessageBytes < 1 || g.Env == nil {
		t.Errorf("gateway %+v", g)
	}
	checkSecurity(t, g)
	checkTimes(t, g.Limits)
	if len(f.Executors) == 0 || len(f.Executors) > maxExecutors {
		t.Errorf("%d executors", len(f.Executors))
	}
	names := map[string]bool{}
	for _, e := range f.Executors {
		if names[e.Name] || e.Name == "" || (e.Model == "" && e.ModelPath == "") || e.MinibatchSize < 1 || e.NumWorkerPreprocess < 1 || e.Replicas < 1 ||
			e.Lanes < 0 || e.Threads < 0 || e.AccessPaths == "" || e.Backend == "" || e.TimeoutReady == 0 || e.Env == nil {
			t.Errorf("executor %+v", e)
		}
		names[e.Name] = true
		for endpoint, b := range e.DynamicBatching {
			if b.PreferredBatchSize < 1 || b.Timeout < 0 {
				t.Errorf("batching of %s: %+v", endpoint, b)
			}
		}
	}
}

// checkSecurity: nothing of TLS, keys and uris is half on.
func checkSecurity(t *testing.T, g Gateway) {
	t.Helper()
	tls := g.SSLCertFile != ""
	switch g.SSLClientAuth {
	case ClientAuthNone:
	case ClientAuthOptional, ClientAuthRequired:
		if g.SSLCACerts == "" {
			t.Errorf("client certificates without authorities: %+v", g)
		}
	default:
		t.Errorf("ssl_client_auth %q", g.SSLClientAuth)
	}
	if !tls && (g.SSLCACerts != "" || g.SSLKeyPassword != "") {
		t.Errorf("half of TLS: %+v", g)
	}
	if g.Auth != nil && !environmentName.MatchString(g.Auth.KeysEnv) {
		t.Errorf("auth %+v", g.Auth)
	}
	u := g.AllowURIs
	if !u.Any() && !reflect.DeepEqual(u, AllowURIs{}) {
		t.Errorf("off, but not empty: %+v", u)
	}
	if u.Any() && (u.Timeout <= 0 || u.MaxBytes <= 0 || u.MaxRedirects < 0 || u.MaxRedirects > 10 || (u.Folder != "" && filepath.Clean(u.Folder) == "/")) {
		t.Errorf("uris %+v", u)
	}
	for _, h := range u.Hosts {
		if again, ok := hostOf(h); !ok || again != h || h == "" {
			t.Errorf("host %q", h)
		}
	}
	for _, n := range u.Networks {
		if !n.IsValid() || n != n.Masked() || n.Addr().Is4In6() {
			t.Errorf("network %v", n)
		}
	}
}

func checkTimes(t *testing.T, l Limits) {
	t.Helper()
	for _, d := range []time.Duration{l.HeaderTimeout, l.ReadTimeout, l.WriteTimeout, l.IdleTimeout, l.GRPCIdleTimeout, l.MaxConnectionAge} {
		if d < 0 || d+d/10 < d {
			t.Errorf("times of %+v", l)
		}
	}
	if l.MaxDocuments < 1 || l.MaxInflightBytes < 0 || l.MaxConnections < 1 || l.MaxConnectionsPerAddress < 0 || l.MaxStreams < 1 || l.MaxHeaderBytes < 1<<10 ||
		(l.MaxInflightBytes > 0 && l.MaxInflightBytes < l.MaxMessageBytes) {
		t.Errorf("limits %+v", l)
	}
}
