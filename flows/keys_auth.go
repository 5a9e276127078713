package flows

import "regexp"

// DefaultKeysEnv is the environment variable that holds keys when the flow names no other.
const DefaultKeysEnv = "CLIPD_KEYS"

var authSection = section[Auth]{name: "auth", fields: []field[Auth]{
	textField("keys_file", "", "file with a line for each key; `clipd key new NAME` makes a key and prints its line",
		func(a *Auth) *string { return &a.KeysFile }),
	{name: "keys_env", typ: "name of an environment variable", def: DefaultKeysEnv, doc: "variable that holds such lines, too, ended by line ends or semicolons",
		setDef: func(a *Auth) { a.KeysEnv = DefaultKeysEnv }, read: readKeysEnv},
}}

func readAuth(r *reader, g *Gateway, v *value) {
	if v.kind != object {
		r.fail(v, "auth is an object such as {keys_file: keys.txt}, not %s; without the key everyone may call", v.describe())
		return
	}
	g.Auth = &Auth{}
	authSection.setDefaults(g.Auth)
	readSection(r, &authSection, v, g.Auth, nil)
}

var environmentName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// readKeysEnv does not repeat the value in its message: whoever writes $CLIPD_KEYS puts the keys themselves there.
func readKeysEnv(r *reader, a *Auth, v *value) {
	name, ok := r.text("keys_env", v)
	if !ok {
		return
	}
	if v.kind != text || len(name) > 255 || !environmentName.MatchString(name) {
		r.fail(v, "keys_env is the name of an environment variable, such as %s, without $; what stands here is no such name", DefaultKeysEnv)
		return
	}
	a.KeysEnv = name
}
