package flows

var clientAuths = []string{string(ClientAuthNone), string(ClientAuthOptional), string(ClientAuthRequired)}

// otherClientAuths are what other programs write for the words of ssl_client_auth.
var otherClientAuths = map[string]string{
	"true": `write "required" or "optional"`, "yes": `write "required" or "optional"`, "require": `did you mean "required"?`,
	"mandatory": `did you mean "required"?`, "2": `did you mean "required"?`, "1": `did you mean "optional"?`, "request": `did you mean "optional"?`,
	"false": `write "none"`, "no": `write "none"`, "off": `write "none"`, "0": `did you mean "none"?`,
}

// checkTLS refuses half of TLS, and fills in what follows from the rest.
func (r *reader) checkTLS(g *Gateway, at map[string]*value) {
	for _, pair := range [][2]string{{"ssl_certfile", "ssl_keyfile"}, {"ssl_keyfile", "ssl_certfile"}} {
		if at[pair[0]] != nil && at[pair[1]] == nil {
			r.fail(at[pair[0]], "%s stands without %s; TLS needs both", pair[0], pair[1])
		}
	}
	if v := at["ssl_keyfile_password"]; v != nil && at["ssl_keyfile"] == nil {
		r.fail(v, "ssl_keyfile_password stands without ssl_keyfile, the file that it opens")
	}
	authorities, demand := at["ssl_ca_certs"], at["ssl_client_auth"]
	if authorities != nil && at["ssl_certfile"] == nil && at["ssl_keyfile"] == nil {
		r.fail(authorities, "ssl_ca_certs stands without ssl_certfile and ssl_keyfile; callers show certificates over TLS only")
	}
	if demand != nil && g.SSLClientAuth != "" && g.SSLClientAuth != ClientAuthNone && authorities == nil {
		name := "ssl_client_auth"
		if demand.kind == integer {
			name = "ssl_cert_reqs"
		}
		r.fail(demand, "%s is %s, but there is no ssl_ca_certs with the authorities whose certificates are good", name, demand.text)
	}
	if kwargs := at["uvicorn_kwargs"]; demand == nil && kwargs != nil && authorities != nil && kwargs.at("ssl_ca_certs") == authorities {
		r.notice(kwargs, entry{key: "ssl_ca_certs", line: authorities.line, column: authorities.column}, "callers must show a certificate of these "+
			"authorities, which uvicorn asks for with ssl_cert_reqs: 2 only; write ssl_client_auth: none to let callers in without.")
	}
	switch {
	case g.SSLClientAuth != "":
	case g.SSLCACerts != "":
		g.SSLClientAuth = ClientAuthRequired
	default:
		g.SSLClientAuth = ClientAuthNone
	}
}
