package flows

import (
	"embed"
	"fmt"
	"io/fs"
	"strings"
)

//go:embed *-flow.yml
var builtin embed.FS

// Builtin lists the names of the built-in flows, sorted.
func Builtin() []string {
	names, err := fs.Glob(builtin, "*.yml")
	if err != nil {
		panic("BUG: bad pattern: " + err.Error())
	}
	return names
}

// ReadBuiltin gives the YAML of a built-in flow, named with or without ".yml".
func ReadBuiltin(name string) ([]byte, error) {
	data, err := builtin.ReadFile(builtinName(name))
	if err != nil {
		return nil, fmt.Errorf("there is no built-in flow %s; there are %s%s", quote(name), strings.Join(Builtin(), ", "),
			didYouMean(nearest(builtinName(name), Builtin())))
	}
	return data, nil
}

// builtinName completes torch-flow to torch-flow.yml.
func builtinName(name string) string {
	if strings.HasSuffix(name, ".yml") {
		return name
	}
	return name + ".yml"
}
