package flows

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Options say where a flow's surroundings are. The zero value means the process's own.
type Options struct {
	// LookupEnv finds environment variables; nil means os.LookupEnv.
	LookupEnv func(name string) (string, bool)
	// ReadFile reads a YAML file that the flow names under uses; nil means regular files of at most 1 MiB from the disk.
	ReadFile func(path string) ([]byte, error)
	// Dir is the folder from which relative paths of such files start; empty means the working directory. Load sets it
	// to the folder of the flow file.
	Dir string
}

// Load reads a flow: a file on the disk, or a built-in flow by its name, with or without ".yml". A file goes before a
// built-in flow of the same name. Mistakes in the flow are returned as Errors.
func Load(nameOrPath string, o Options) (*Flow, error) {
	data, err := readRegular(nameOrPath)
	if errors.Is(err, fs.ErrNotExist) && filepath.Base(nameOrPath) == nameOrPath {
		name := builtinName(nameOrPath)
		if data, err := ReadBuiltin(name); err == nil {
			return parse(data, name, o)
		}
		return nil, fmt.Errorf("there is no flow %s: no such file, and the built-in flows are %s%s", quote(nameOrPath),
			strings.Join(Builtin(), ", "), didYouMean(nearest(name, Builtin())))
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the flow: %w", err)
	}
	if o.Dir == "" {
		o.Dir = filepath.Dir(nameOrPath)
	}
	return parse(data, nameOrPath, o)
}

// Parse reads a flow from r, at most 1 MiB. source names it in messages. Mistakes in the flow are returned as Errors.
func Parse(r io.Reader, source string, o Options) (*Flow, error) {
	data, err := readBounded(r, source)
	if err != nil {
		return nil, err
	}
	return parse(data, source, o)
}

func parse(data []byte, source string, o Options) (*Flow, error) {
	if o.LookupEnv == nil {
		o.LookupEnv = os.LookupEnv
	}
	if o.ReadFile == nil {
		o.ReadFile = readRegular
	}
	root, errs := readDocument(data, source)
	if len(errs) == 0 {
		errs = expand(root, o.LookupEnv)
	}
	if len(errs) > 0 {
		return nil, errs.sorted(source)
	}
	r := &reader{source: source, options: o, noticed: map[string]bool{}, places: places, data: data}
	f := r.flow(root)
	if len(r.errs) > 0 {
		return nil, r.errs.sorted(source)
	}
	return f, nil
}

// readBounded reads everything, up to maxBytes.
func readBounded(r io.Reader, source string) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxBytes+1))
	if err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", source, err)
	}
	if len(data) > maxBytes {
		return nil, fmt.Errorf("%s is longer than %d bytes, which no flow file needs", source, maxBytes)
	}
	return data, nil
}

// readRegular reads a regular file; a pipe or a device could keep the start of the server waiting for ever.
func readRegular(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no regular file; a flow from elsewhere can come through standard input with -i", path)
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }() // only read from
	return readBounded(file, path)
}

// include reads the YAML file whose path v is, with its variables replaced. It gives nil after a mistake.
func (r *reader) include(v *value) *value {
	path := v.text
	if !filepath.IsAbs(path) {
		path = filepath.Join(r.options.Dir, path)
	}
	data, err := r.options.ReadFile(path)
	if err != nil {
		r.fail(v, "cannot read the file %s that stands here: %v", quote(v.text), err)
		return nil
	}
	root, errs := readDocument(data, path)
	if len(errs) == 0 {
		errs = expand(root, r.options.LookupEnv)
	}
	r.errs = append(r.errs, errs...)
	if len(errs) > 0 {
		return nil
	}
	return root
}
