// Package model turns a CLIP checkpoint into two ONNX graphs that every runtime compiles, and keeps them in a cache.
//
// A model is named (ViT-B-32::openai, ViT-B/32, demo) or given as a file or folder. Its parts have packages of their own:
// registry (names and downloads), checkpoint (file formats), arch (which network it is), tower (the graphs), pair (ONNX
// models of the user) and onnx (the format).
package model

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"clipd/engine/model/arch"
	"clipd/engine/model/onnx"
)

// Architecture describes both towers.
type Architecture = arch.Architecture

// DType is the type in which weights are stored and matrix products run.
type DType int

// The types of weights. Float32 is for every runtime; the others are for those that compute in the graph's own types.
const (
	Float32 DType = iota
	Float16
	BFloat16
)

// String is the type's name.
func (d DType) String() string { return [...]string{"float32", "float16", "bfloat16"}[d] }

func (d DType) onnx() onnx.Type { return [...]onnx.Type{onnx.Float, onnx.Float16, onnx.BFloat16}[d] }

// Tower is one of the two halves of a CLIP.
type Tower int

// The towers, also the index of Model.Graphs.
const (
	Image Tower = 0 // input "pixels" uint8 [N, S, S, 3]
	Text  Tower = 1 // input "ids" int32 [N, L]
)

// String is the name of the tower's graph file without its extension.
func (t Tower) String() string { return [...]string{"image", "text"}[t] }

// Options say which model to load.
type Options struct {
	Name     string // a published name, "demo", or a path
	Path     string // a file or folder that is loaded instead of the published weights of Name
	Weights  DType  // of the graphs; an ONNX pair of the user keeps its own
	CacheDir string // "": $CLIPD_CACHE, else $XDG_CACHE_HOME/clipd, else ~/.cache/clipd
	// Progress hears of long work: stage ("download", "read", "image tower", "text tower") and bytes; total is -1 when unknown.
	// It may be nil.
	Progress func(stage string, done, total int64)
}

// Model is a checkpoint made ready: where its graphs are and what a server must know beside them.
type Model struct {
	Name         string
	Architecture Architecture // zero for an ONNX pair of the user
	Dim          int          // columns of an embedding
	ImageSize    int          // height and width of the pictures
	// ContextLength is the most ids of a text, VocabSize the number of different ids; PadID fills rows at the end.
	ContextLength, VocabSize int
	PadID                    int32
	LogitScale               float32    // exp applied: 100 for OpenAI's models
	Mean, Std                [3]float32 // of pixels from 0 to 1; they are in the graph already
	ResizeMode               string     // "shortest": shorter side to ImageSize, then crop; "squash": both sides
	Graphs                   [2]string  // paths of the ONNX graphs, by Tower
	Source                   string     // the file or folder that was read, or "built in"
	ContentHash              string     // SHA-256 over the source's files
	Bytes                    int64      // of the source's files
}

// Load finds a model, downloading it when it is not here, and returns its graphs, building them when the cache has none.
func Load(ctx context.Context, o Options) (*Model, error) {
	if o.Weights < Float32 || o.Weights > BFloat16 {
		return nil, fmt.Errorf("weights of type %d do not exist: use Float32, Float16 or BFloat16", o.Weights)
	}
	dir, err := CacheDir(o.CacheDir)
	if err != nil {
		return nil, err
	}
	if o.Progress == nil {
		o.Progress = func(string, int64, int64) {}
	}
	c := &cache{dir: dir, progress: o.Progress}
	s, err := resolve(ctx, c, o)
	if err != nil {
		return nil, err
	}
	if err := s.identify(ctx, c); err != nil {
		return nil, err
	}
	return c.graphs(ctx, s, o.Weights)
}

// CacheDir is the folder of the cache: wanted when it is not empty, else what the environment says.
func CacheDir(wanted string) (string, error) {
	if wanted == "" {
		wanted = os.Getenv("CLIPD_CACHE")
	}
	if wanted == "" {
		if base := os.Getenv("XDG_CACHE_HOME"); base != "" {
			wanted = filepath.Join(base, "clipd")
		}
	}
	if wanted == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", fmt.Errorf("no place for the model cache: set CLIPD_CACHE to a folder: %w", err)
		}
		wanted = filepath.Join(home, ".cache", "clipd")
	}
	return filepath.Abs(wanted)
}
