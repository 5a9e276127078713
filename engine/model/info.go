package model

import (
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"clipd/engine/model/checkpoint"
	"clipd/engine/model/onnx"
)

// Description is what a checkpoint's files say about it.
type Description struct {
	Path         string
	Format       string
	Architecture string         // in words; "" when it is not known
	Problem      string         // why it cannot be loaded, "" when it can
	Tensors      int            // 0 for an ONNX pair
	Types        map[string]int // tensors by element type
	Parameters   int64          // elements of the floating-point tensors
	Bytes        int64          // of all files
	Files        []string
}

// Info describes the checkpoint at a path, or the built-in model "demo". A file that cannot be read is an error; one that
// can be read but is no CLIP that can be built has a Problem.
func Info(path string) (*Description, error) {
	s := &source{name: path}
	var err error
	if path != demoName {
		s.path = path
		if s.pair, err = isPair(path); err != nil {
			return nil, err
		}
	}
	d := &Description{Path: path, Types: map[string]int{}}
	if s.path != "" {
		if d.Files, err = s.files(); err != nil {
			return nil, err
		}
	}
	for _, file := range d.Files {
		info, err := os.Stat(file)
		if err != nil {
			return nil, err
		}
		d.Bytes += info.Size()
	}
	if s.pair {
		return d, d.describePair(path)
	}
	c, err := s.open()
	if err != nil {
		return nil, err
	}
	defer c.Close()
	return d, checkpoint.Guard(path, func() error {
		d.describe(c)
		return nil
	})
}

func (d *Description) describe(c *checkpoint.Checkpoint) {
	d.Format, d.Tensors = string(c.Format), len(c.Tensors)
	stored := int64(0)
	for _, t := range c.Tensors {
		d.Types[t.DType.String()]++
		stored += int64(t.Len() * t.DType.Size())
		if t.DType.Floating() {
			d.Parameters += int64(t.Len())
		}
	}
	if len(d.Files) == 0 {
		d.Bytes = stored
	}
	_, a, err := detect(c, nil)
	if err != nil {
		d.Problem = err.Error()
		return
	}
	d.Architecture = a.String()
}

func (d *Description) describePair(folder string) error {
	d.Format = "ONNX pair"
	var towers []string
	for _, name := range []string{visualFile, textualFile} {
		file := filepath.Join(folder, name)
		err := checkpoint.WithMapped(file, func(data []byte) error {
			m, err := onnx.Parse(data)
			if err != nil {
				return fmt.Errorf("%s: %w", file, err)
			}
			towers = append(towers, fmt.Sprintf("%s (opset %d): %s -> %s", name, m.Opset, describeValues(m.Inputs), describeValues(m.Outputs)))
			return nil
		})
		if err != nil {
			return err
		}
	}
	d.Architecture = strings.Join(towers, "; ")
	return nil
}

// describeValues writes them as name[N,3,224,224].
func describeValues(values []onnx.Value) string {
	var all []string
	for _, v := range values {
		var dims []string
		for _, dim := range v.Shape {
			switch {
			case dim.Size > 0:
				dims = append(dims, fmt.Sprint(dim.Size))
			case dim.Name != "":
				dims = append(dims, dim.Name)
			default:
				dims = append(dims, "?")
			}
		}
		all = append(all, fmt.Sprintf("%s[%s]", v.Name, strings.Join(dims, ",")))
	}
	return strings.Join(all, ", ")
}

// String is the description as lines for a terminal.
func (d *Description) String() string {
	var b strings.Builder
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "%-14s%s\n", name, fmt.Sprintf(format, args...))
	}
	line("path", "%s", d.Path)
	line("format", "%s", d.Format)
	if d.Architecture != "" {
		line("architecture", "%s", d.Architecture)
	}
	if d.Tensors > 0 {
		var types []string
		for name, n := range d.Types {
			types = append(types, fmt.Sprintf("%d %s", n, name))
		}
		sort.Strings(types)
		line("tensors", "%d (%s)", d.Tensors, strings.Join(types, ", "))
		line("parameters", "%.1f million", float64(d.Parameters)/1e6)
	}
	line("size", "%.1f MB in %d files", float64(d.Bytes)/1e6, max(len(d.Files), 1))
	if d.Problem != "" {
		line("problem", "%s", d.Problem)
	}
	return b.String()
}
