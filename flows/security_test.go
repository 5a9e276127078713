package flows

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"
)

func TestTLSValues(t *testing.T) {
	const pair = "ssl_certfile: c, ssl_keyfile: k, "
	refused(t, with("ssl_keyfile: k"), "f.yml:1:21: ssl_keyfile stands without ssl_certfile; TLS needs both")
	refused(t, with("ssl_certfile: c"), "f.yml:1:22: ssl_certfile stands without ssl_keyfile; TLS needs both")
	refused(t, with("ssl_keyfile_password: x"), "f.yml:1:30: ssl_keyfile_password stands without ssl_keyfile, the file that it opens")
	refused(t, with("uvicorn_kwargs: {ssl_keyfile_password: x}"), "f.yml:1:47: ssl_keyfile_password stands without ssl_keyfile, the file that it opens")
	refused(t, with("uvicorn_kwargs: {ssl_certfile: x}"), "f.yml:1:39: ssl_certfile stands without ssl_keyfile; TLS needs both")
	refused(t, with(pair+"ssl_keyfile_password: [secret]"), "f.yml:1:63: ssl_keyfile_password is a text, not a list")
	refused(t, with("ssl_ca_certs: a"), "f.yml:1:22: ssl_ca_certs stands without ssl_certfile and ssl_keyfile; callers show certificates over TLS only")
	refused(t, with("ssl_client_auth: none, ssl_ca_certs: a"),
		"f.yml:1:45: ssl_ca_certs stands without ssl_certfile and ssl_keyfile; callers show certificates over TLS only")
	refused(t, with(pair+"ssl_client_auth: required"),
		"f.yml:1:58: ssl_client_auth is required, but there is no ssl_ca_certs with the authorities whose certificates are good")
	refused(t, with(pair+"ssl_client_auth: optional"),
		"f.yml:1:58: ssl_client_auth is optional, but there is no ssl_ca_certs with the authorities whose certificates are good")
	refused(t, with(pair+"uvicorn_kwargs: {ssl_cert_reqs: 2}"),
		"f.yml:1:73: ssl_cert_reqs is 2, but there is no ssl_ca_certs with the authorities whose certificates are good")
	refused(t, with(pair+"uvicorn_kwargs: {ssl_cert_reqs: 3}"), "f.yml:1:73: ssl_cert_reqs is a whole number from 0 to 2 (none, optional, required), not 3")
	refused(t, with("ssl_client_auth: yes"), `f.yml:1:25: ssl_client_auth is one of none, optional, required, not yes; write "required" or "optional"`)
	refused(t, with("ssl_client_auth: reqired"), `f.yml:1:25: ssl_client_auth is one of none, optional, required, not "reqired"; did you mean "required"?`)
	refused(t, with("ssl_client_auth: 2"), `f.yml:1:25: ssl_client_auth is one of none, optional, required, not 2; did you mean "required"?`)
	refused(t, with("ssl_ca_cert: a"), `f.yml:1:8: unknown key "ssl_ca_cert" in with; did you mean "ssl_ca_certs"?`)
	refused(t, "executors: [{uses: CLIPEncoder, ssl_ca_certs: a}]", `f.yml:1:33: the key "ssl_ca_certs" does not belong to executors; it goes under with`)

	check := func(settings string, want ...any) {
		t.Helper()
		g := accepted(t, with(pair+settings)).Gateway
		equal(t, settings, []any{g.SSLCertFile, g.SSLKeyFile, g.SSLKeyPassword, g.SSLCACerts, g.SSLClientAuth}, append([]any{"c", "k"}, want...))
	}
	check("", "", "", ClientAuthNone)
	check("ssl_keyfile_password: 007", "007", "", ClientAuthNone)
	check("ssl_ca_certs: a", "", "a", ClientAuthRequired)
	check("ssl_ca_certs: a, ssl_client_auth: OPTIONAL", "", "a", ClientAuthOptional)
	check("ssl_ca_certs: a, ssl_client_auth: none", "", "a", ClientAuthNone)
	check("ssl_client_auth: none", "", "", ClientAuthNone)
	check("uvicorn_kwargs: {ssl_ca_certs: a, ssl_cert_reqs: 1, ssl_keyfile_password: 12}", "12", "a", ClientAuthOptional)
	check("uvicorn_kwargs: {ssl_ca_certs: a, ssl_cert_reqs: 0}", "", "a", ClientAuthNone)
	check("uvicorn_kwargs: {ssl_ca_certs: a, ssl_cert_reqs: 2}", "", "a", ClientAuthRequired)
	// The flow's own keys go before uvicorn's words, wherever they stand.
	check("ssl_client_auth: required, uvicorn_kwargs: {ssl_ca_certs: a, ssl_cert_reqs: 0, ssl_certfile: C}, ssl_ca_certs: b", "", "b", ClientAuthRequired)
	f := accepted(t, "gateway: {uvicorn_kwargs: {ssl_ca_certs: g, ssl_certfile: C, ssl_keyfile: K}}\n"+with("ssl_ca_certs: w"))
	equal(t, "with before kwargs", []any{f.Gateway.SSLCertFile, f.Gateway.SSLKeyFile, f.Gateway.SSLCACerts}, []any{"C", "K", "w"})
	equal(t, "notices", len(f.Notices), 0)
	f = accepted(t, with(pair+"uvicorn_kwargs: {ssl_ca_certs: a}"))
	equal(t, "demanded", f.Gateway.SSLClientAuth, ClientAuthRequired)
	equal(t, "notice", fmt.Sprint(f.Notices), "[f.yml:1:72: ssl_ca_certs: callers must show a certificate of these authorities, which uvicorn asks for "+
		"with ssl_cert_reqs: 2 only; write ssl_client_auth: none to let callers in without.]")
}

func TestHTTPValues(t *testing.T) {
	refused(t, with("http_compression: gzip"), `f.yml:1:26: http_compression is true or false, not "gzip"`)
	refused(t, with("http_plain_returns: on"), `f.yml:1:28: http_plain_returns is true or false, not "on"; write true`)
	refused(t, with("http_compresion: true"), `f.yml:1:8: unknown key "http_compresion" in with; did you mean "http_compression"?`)
	g := accepted(t, "gateway: {http_compression: true}\n"+with("http_compression: false, http_plain_returns: true")).Gateway
	equal(t, "gateway first", []bool{g.HTTPCompression, g.HTTPPlainReturns}, []bool{true, true})
	equal(t, "off", accepted(t, with("http_compression: no")).Gateway.HTTPCompression, false)
}

func TestAuthValues(t *testing.T) {
	const noName = "keys_env is the name of an environment variable, such as CLIPD_KEYS, without $; what stands here is no such name"
	refused(t, with("auth: true"), "f.yml:1:14: auth is an object such as {keys_file: keys.txt}, not true; without the key everyone may call")
	refused(t, with("auth: false"), "f.yml:1:14: auth is an object such as {keys_file: keys.txt}, not false; without the key everyone may call")
	refused(t, with("auth: keys.txt"), `f.yml:1:14: auth is an object such as {keys_file: keys.txt}, not "keys.txt"; without the key everyone may call`)
	// An object left empty by accident must not open the server.
	refused(t, "with:\n  auth:\n"+minimal, "f.yml:2:8: auth stands without a value, so it is not clear who may call; write {keys_file: keys.txt}, "+
		"or remove it and everyone may call")
	refused(t, with("auth: {keys_file: [a, b]}"), "f.yml:1:26: keys_file is a text, not a list")
	refused(t, with("auth: {key_file: a}"), `f.yml:1:15: unknown key "key_file" in auth; did you mean "keys_file"?`)
	refused(t, with("auth: {tokens: a}"), `f.yml:1:15: unknown key "tokens" in auth; known are keys_file, keys_env`)
	refused(t, with("keys_file: a"), `f.yml:1:8: the key "keys_file" does not belong to with; it goes under auth`)
	refused(t, with("auth: {keys_env: 'MY KEYS'}"), "f.yml:1:25: "+noName)
	refused(t, with("auth: {keys_env: 5}"), "f.yml:1:25: "+noName)
	refused(t, with("auth: {keys_env: $CLIPD_KEYS}"), "f.yml:1:25: "+noName)
	// The value of the variable, which holds keys, does not get into a message.
	_, err := Parse(strings.NewReader(with("auth: {keys_env: $CLIPD_KEYS}")), "f.yml", Options{LookupEnv: environ("CLIPD_KEYS", "alice plain:secret")})
	if err == nil || err.Error() != "f.yml:1:25: "+noName {
		t.Error(err)
	}
	equal(t, "off", accepted(t, minimal).Gateway.Auth, (*Auth)(nil))
	equal(t, "empty", *accepted(t, with("auth: {}")).Gateway.Auth, Auth{KeysEnv: "CLIPD_KEYS"})
	equal(t, "both", *accepted(t, with("auth: {keys_file: /k, keys_env: MY_KEYS}")).Gateway.Auth, Auth{KeysFile: "/k", KeysEnv: "MY_KEYS"})
	equal(t, "gateway goes first as a whole", *accepted(t, "gateway: {auth: {keys_env: X}}\n"+with("auth: {keys_file: /k}")).Gateway.Auth, Auth{KeysEnv: "X"})
}

func TestAllowURIsMistakes(t *testing.T) {
	const hosts = "hosts lists names such as images.example.com or '*.example.com', or addresses, without scheme, port and path, not "
	refused(t, with("allow_uris: https"), `f.yml:1:20: allow_uris is true, false or an object such as {hosts: [images.example.com]}, not "https"; write {schemes: [https]}`)
	refused(t, with("allow_uris: file"),
		`f.yml:1:20: allow_uris is true, false or an object such as {hosts: [images.example.com]}, not "file"; write {schemes: [file], folder: /path}`)
	refused(t, with("allow_uris: on"), `f.yml:1:20: allow_uris is true, false or an object such as {hosts: [images.example.com]}, not "on"; write true`)
	refused(t, with("allow_uris: [https]"), `f.yml:1:20: allow_uris is true, false or an object such as {hosts: [images.example.com]}, not a list`)
	refused(t, with("allow_uris: 0"), `f.yml:1:20: allow_uris is true, false or an object such as {hosts: [images.example.com]}, not 0; write false`)
	refused(t, with("allow_uris: $WHAT"),
		`f.yml:1:20: allow_uris is true, false or an object such as {hosts: [images.example.com]}, not "$WHAT"; the environment variable WHAT is not set`)
	uris := func(settings string, want ...string) {
		t.Helper()
		refused(t, with("allow_uris: {"+settings+"}"), want...)
	}
	uris("schemes: ftp", `f.yml:1:30: schemes is one of http, https, file, not "ftp"`)
	uris("schemes: [data, http]", `f.yml:1:31: schemes is one of http, https, file, not "data"; data: URIs are always allowed`)
	uris("schemes: ['https://']", `f.yml:1:31: schemes is one of http, https, file, not "https://"; did you mean "https"?`)
	uris("schemes: [http, HTTP]", "f.yml:1:37: scheme http stands in the list twice")
	uris("schemes: []", "f.yml:1:30: the list of schemes is empty; write allow_uris: false for data: URIs only")
	uris("schemes: [https, file]", "f.yml:1:30: schemes lists file, but there is no folder below which files may be named; write folder: /path")
	uris("schemes: file, folder: /a, hosts: a.b", "f.yml:1:55: hosts has no meaning here, because schemes lists neither http nor https")
	uris("schemes: file, folder: /a, networks: 10.0.0.0/8", "f.yml:1:58: networks has no meaning here, because schemes lists neither http nor https")
	uris("schemes: file, folder: /a, max_redirects: 1", "f.yml:1:63: max_redirects has no meaning here, because schemes lists neither http nor https")
	uris("hosts: 'https://images.example.com/a'", "f.yml:1:28: "+hosts+`"https://images.example.com/a"; did you mean "images.example.com"?`)
	uris("hosts: [a.b, 'a.b:8080']", "f.yml:1:34: "+hosts+`"a.b:8080"; did you mean "a.b"?`)
	uris("hosts: ['[::1]:80']", "f.yml:1:29: "+hosts+`"[::1]:80"; did you mean "::1"?`)
	uris("hosts: .example.com", "f.yml:1:28: "+hosts+`".example.com"; did you mean "*.example.com"?`)
	uris("hosts: '*'", "f.yml:1:28: "+hosts+`"*"; leave hosts out for all hosts`)
	uris("hosts: 'a.*.b'", "f.yml:1:28: "+hosts+`"a.*.b"`)
	uris("hosts: 'a..b'", "f.yml:1:28: "+hosts+`"a..b"`)
	uris("hosts: bücher.example", "f.yml:1:28: "+hosts+`"bücher.example"; names of other letters are written in their form with xn--`)
	uris("hosts: 10.1", "f.yml:1:28: "+hosts+`10.1`)
	uris("hosts: 256.1.1.1", "f.yml:1:28: "+hosts+`"256.1.1.1"`)
	uris("hosts: "+strings.Repeat("a", 64), "f.yml:1:28: "+hosts+`"`+strings.Repeat("a", 64)+`"`)
	uris("hosts: $HOST", "f.yml:1:28: "+hosts+`"$HOST"; the environment variable HOST is not set`)
	uris("hosts: {a: b}", "f.yml:1:28: hosts is a text, not an object")
	uris("networks: 10.1.0.0", `f.yml:1:31: networks lists networks such as 10.1.0.0/16 or fd00::/8, not "10.1.0.0"; did you mean "10.1.0.0/32"?`)
	uris("networks: [10.1.2.3/16]", `f.yml:1:32: networks lists networks such as 10.1.0.0/16 or fd00::/8, not "10.1.2.3/16"; did you mean "10.1.0.0/16"?`)
	uris("networks: 10.0.0.0/33", `f.yml:1:31: networks lists networks such as 10.1.0.0/16 or fd00::/8, not "10.0.0.0/33"`)
	uris("networks: '::ffff:10.0.0.0/104'",
		`f.yml:1:31: networks lists networks such as 10.1.0.0/16 or fd00::/8, not "::ffff:10.0.0.0/104"; write an IPv4 network without ::ffff:`)
	uris("networks: intranet", `f.yml:1:31: networks lists networks such as 10.1.0.0/16 or fd00::/8, not "intranet"`)
	uris("folder: /", `f.yml:1:29: folder is "/", below which lies every file of the machine; name the folder of the pictures`)
	uris("folder: /a/..//", `f.yml:1:29: folder is "/a/..//", below which lies every file of the machine; name the folder of the pictures`)
	uris("folder: [a]", "f.yml:1:29: folder is a text, not a list")
	uris("timeout: -1", "f.yml:1:30: timeout is a whole number from 1 to 600000 (milliseconds), not -1")
	uris("timeout: 10s", `f.yml:1:30: timeout is a whole number from 1 to 600000 (milliseconds), not "10s"`)
	uris("max_bytes: 0", "f.yml:1:32: max_bytes is a number of bytes from 1 to 1024GiB such as 67108864 or 64MiB, not 0")
	uris("max_redirects: 11", "f.yml:1:36: max_redirects is a whole number from 0 to 10, not 11")
	uris("scheme: http", `f.yml:1:21: unknown key "scheme" in allow_uris; did you mean "schemes"?`)
	uris("max_pixels: 5", `f.yml:1:21: the key "max_pixels" does not belong to allow_uris; it goes under limits`)
	uris("schemes: [htps], hosts: '*', folder: /", `f.yml:1:31: schemes is one of http, https, file, not "htps"; did you mean "https"?`,
		"f.yml:1:45: "+hosts+`"*"; leave hosts out for all hosts`, `f.yml:1:58: folder is "/", below which lies every file of the machine; name the folder of the pictures`)
	refused(t, with("networks: [10.0.0.0/8]"), `f.yml:1:8: the key "networks" does not belong to with; it goes under allow_uris`)
}

func TestAllowURIs(t *testing.T) {
	check := func(setting string, want AllowURIs) {
		t.Helper()
		got := accepted(t, with(setting)).Gateway.AllowURIs
		equal(t, setting, got, want)
		equal(t, setting, got.Any(), want.HTTP || want.HTTPS || want.Folder != "")
	}
	public := AllowURIs{HTTP: true, HTTPS: true, Timeout: 10 * time.Second, MaxBytes: 64 << 20, MaxRedirects: 3}
	check("", AllowURIs{})
	check("allow_uris: ", AllowURIs{})
	check("allow_uris: false", AllowURIs{})
	check("allow_uris: true", public)
	check("allow_uris: {}", public)
	check("allow_uris: {hosts: [], networks: []}", public)
	folder := public
	folder.Folder = "pictures"
	check("allow_uris: {folder: pictures}", folder)
	check("allow_uris: {schemes: [http, https], folder: pictures}", folder)
	folder.HTTP, folder.HTTPS = false, false
	check("allow_uris: {schemes: file, folder: pictures}", folder)
	check("allow_uris: {schemes: HTTPS}", AllowURIs{HTTPS: true, Timeout: 10 * time.Second, MaxBytes: 64 << 20, MaxRedirects: 3})
	check("limits: {max_image_bytes: 5}, allow_uris: {timeout: 250, max_redirects: 0}",
		AllowURIs{HTTP: true, HTTPS: true, Timeout: 250 * time.Millisecond, MaxBytes: 5})
	check("allow_uris: {max_bytes: 1MB}, limits: {max_image_bytes: 5}",
		AllowURIs{HTTP: true, HTTPS: true, Timeout: 10 * time.Second, MaxBytes: 1e6, MaxRedirects: 3})
	named := public
	named.Hosts = []string{"images.example.com", "*.example.org", "10.0.0.5", "fd00::1", "localhost"}
	named.Networks = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	check("allow_uris: {hosts: [Images.Example.com., '*.example.ORG', 10.0.0.5, fd00:0::1, localhost, localhost], networks: [10.0.0.0/8, fd00::/8, 10.0.0.0/8]}", named)
	// gateway: goes first as a whole: nothing that with: allows stays.
	equal(t, "narrower", accepted(t, "gateway: {allow_uris: {schemes: https}}\n"+with("allow_uris: {folder: /a, hosts: b}")).Gateway.AllowURIs,
		AllowURIs{HTTPS: true, Timeout: 10 * time.Second, MaxBytes: 64 << 20, MaxRedirects: 3})
	equal(t, "off", accepted(t, "gateway: {allow_uris: false}\n"+with("allow_uris: true")).Gateway.AllowURIs.Any(), false)
}
