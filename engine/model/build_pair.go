package model

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"clipd/engine/model/checkpoint"
	"clipd/engine/model/pair"
	"clipd/engine/model/registry"
)

// What is assumed of an ONNX pair that does not say.
const (
	pairImageSize = 224
	pairContext   = 77
	pairVocab     = 49408
)

// buildPair puts the missing nodes around a user's two graphs.
func (s *source) buildPair(ctx context.Context, folder string) (*Model, error) {
	m := &Model{ImageSize: pairImageSize, ContextLength: pairContext, VocabSize: pairVocab, LogitScale: defaultLogitScale,
		Mean: registry.OpenAIMean, Std: registry.OpenAIStd, ResizeMode: "shortest"}
	if s.facts != nil {
		if s.facts.Mean != nil && s.facts.Std != nil {
			m.Mean, m.Std = *s.facts.Mean, *s.facts.Std
		}
		if _, a, err := registry.FindArchitecture(s.facts.Architecture); err == nil {
			m.ImageSize = a.Vision.ImageSize
		}
	}
	for t, file := range [2]string{visualFile, textualFile} {
		path := filepath.Join(s.path, file)
		err := checkpoint.WithMapped(path, func(data []byte) error {
			var f *pair.Fit
			var err error
			if Tower(t) == Image {
				if f, err = pair.Image(data, m.ImageSize, m.Mean, m.Std); err == nil {
					m.ImageSize, m.Dim = f.Size, f.Dim
				}
			} else if f, err = pair.Text(data, m.ContextLength); err == nil {
				m.ContextLength = f.Size
				if f.Dim != m.Dim {
					err = fmt.Errorf("its embeddings have %d columns, those of %s %d", f.Dim, visualFile, m.Dim)
				}
			}
			if err != nil {
				return err
			}
			for _, external := range f.Model.External {
				if err := adopt(s.path, folder, external); err != nil {
					return err
				}
			}
			return f.Model.Wrap(filepath.Join(folder, Tower(t).String()+".onnx"), f.Before, f.After)
		})
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
	return m, nil
}

// adopt copies a file with external data into the cache under the same name. A link would not do: a program that writes
// into the user's file would change the cache under its old hash. Where the file system can share blocks, the kernel
// does so (copy_file_range).
func adopt(from, to, name string) error {
	switch filepath.Clean(name) {
	case Image.String() + ".onnx", Text.String() + ".onnx", "model.json":
		return fmt.Errorf("its external data is called %q, which clipd writes itself: give it another name", name)
	}
	target := filepath.Join(to, name)
	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
		return err
	}
	in, err := os.Open(filepath.Join(from, name))
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(target, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, fs.ErrExist) { // both graphs may use one file
		return nil
	}
	if err != nil {
		return err
	}
	_, err = out.ReadFrom(in)
	if closed := out.Close(); err == nil {
		err = closed
	}
	return err
}
