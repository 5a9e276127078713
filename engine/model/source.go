package model

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"clipd/engine/model/checkpoint"
	"clipd/engine/model/demo"
	"clipd/engine/model/onnx"
	"clipd/engine/model/registry"
)

// source is where a model's weights are.
type source struct {
	name  string
	path  string               // file or folder; "" for the built-in model
	pair  bool                 // a folder with textual.onnx and visual.onnx
	facts *registry.Checkpoint // what is published under the name, may be nil
	hash  string               // SHA-256 over its files
	bytes int64
}

// The files of an ONNX pair, named as CLIP-as-service names them.
const (
	visualFile  = "visual.onnx"
	textualFile = "textual.onnx"
)

// demoName is the model that comes with clipd.
const demoName = "demo"

// resolve finds the source of the options' model.
func resolve(ctx context.Context, c *cache, o Options) (*source, error) {
	s := &source{name: o.Name, path: o.Path}
	facts, err := registry.Find(o.Name)
	if err == nil {
		s.name, s.facts = facts.Name, facts
	}
	switch {
	case o.Path != "":
		if s.name == "" {
			s.name = filepath.Base(o.Path)
		}
	case o.Name == "":
		return nil, errors.New("no model is named: give a name such as ViT-B-32::openai, demo, or a file or folder")
	case o.Name == demoName:
		return s, nil
	case facts != nil:
		if s.path, err = fetch(ctx, c, facts); err != nil {
			return nil, err
		}
	default:
		if _, missing := os.Stat(o.Name); missing != nil {
			return nil, err
		}
		s.path, s.name = o.Name, filepath.Base(o.Name)
	}
	if s.path, err = filepath.Abs(s.path); err != nil {
		return nil, err
	}
	s.pair, err = isPair(s.path)
	return s, err
}

// fetch looks for published weights in the cache and where CLIP-as-service keeps its own, and downloads them otherwise.
func fetch(ctx context.Context, c *cache, facts *registry.Checkpoint) (string, error) {
	store := registry.Store{Folder: filepath.Join(c.dir, "models"), Progress: c.progress, Pause: time.Second}
	if home, err := os.UserHomeDir(); err == nil {
		store.Also = []string{filepath.Join(home, ".cache", "clip")}
	}
	return store.Fetch(ctx, facts)
}

// isPair says whether path is a folder with an ONNX pair.
func isPair(path string) (bool, error) {
	info, err := os.Stat(path)
	if err != nil {
		return false, fmt.Errorf("cannot open the model: %w", err)
	}
	if !info.IsDir() {
		if filepath.Ext(path) == ".onnx" {
			return false, fmt.Errorf("%s is one tower: give the folder that holds %s and %s", path, visualFile, textualFile)
		}
		return false, nil
	}
	_, visual := os.Stat(filepath.Join(path, visualFile))
	_, textual := os.Stat(filepath.Join(path, textualFile))
	if (visual == nil) != (textual == nil) {
		return false, fmt.Errorf("folder %s holds only one of %s and %s", path, visualFile, textualFile)
	}
	return visual == nil, nil
}

// files lists what the source consists of.
func (s *source) files() ([]string, error) {
	if !s.pair {
		return checkpoint.Files(s.path)
	}
	var files []string
	for _, name := range []string{visualFile, textualFile} {
		file := filepath.Join(s.path, name)
		files = append(files, file)
		err := checkpoint.WithMapped(file, func(data []byte) error {
			m, err := onnx.Parse(data)
			if err != nil {
				return fmt.Errorf("%s: %w", file, err)
			}
			for _, external := range m.External {
				files = append(files, filepath.Join(s.path, external))
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return files, nil
}

// open reads the source's checkpoint; it is not a pair.
func (s *source) open() (*checkpoint.Checkpoint, error) {
	if s.path == "" {
		return checkpoint.OpenBytes("built-in model "+demoName, demo.Weights(), demo.Config())
	}
	return checkpoint.Open(s.path)
}
