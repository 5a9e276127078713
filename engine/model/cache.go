package model

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// writerVersion is part of every cache key. Raise it whenever the graphs of one checkpoint come out differently.
const writerVersion = 4

// cache keeps built graphs, one folder each: image.onnx, text.onnx, the files with their weights, and model.json.
type cache struct {
	dir      string
	progress func(stage string, done, total int64)
}

// entry is model.json.
type entry struct {
	Version int
	Model   Model // with Graphs as names inside the folder
	Files   map[string]fileMark
}

// fileMark tells whether a file of an entry is still what was written: its size, and for the small graph files their
// SHA-256. The weights, which may be gigabytes, are not read again; they were synced to disk before the entry appeared.
type fileMark struct {
	Size   int64
	SHA256 string `json:",omitempty"`
}

// hashedSize is the largest file of which a mark holds the hash.
const hashedSize = 4 << 20

// graphs returns the model from the cache, building it when it is not there or damaged.
func (c *cache) graphs(ctx context.Context, s *source, d DType) (*Model, error) {
	key := sha256.New()
	// The hash holds the names of the files, but not that of their folder, which may say what the activation is.
	fmt.Fprintf(key, "%d %s %s %v %v\n", writerVersion, s.hash, d, s.pair, nameHint(s.path) != nil)
	if s.facts != nil { // what the name says goes into the graph where the files say nothing
		facts, err := json.Marshal(s.facts)
		if err != nil {
			return nil, err
		}
		key.Write(facts)
	}
	folder := filepath.Join(c.dir, "graphs", hex.EncodeToString(key.Sum(nil)[:16]))
	m, err := readEntry(folder)
	if err != nil {
		if m, err = c.build(ctx, s, d, folder); err != nil {
			return nil, err
		}
	}
	// The same bytes may lie elsewhere today.
	m.Name, m.Source = s.name, s.path
	if s.path == "" {
		m.Source = "built in"
	}
	return m, nil
}

// build makes an entry in a folder of its own and then puts it in place.
func (c *cache) build(ctx context.Context, s *source, d DType, folder string) (*Model, error) {
	parent := filepath.Dir(folder)
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return nil, c.unwritable(err)
	}
	removeStale(parent)
	work, err := os.MkdirTemp(parent, ".new-*")
	if err != nil {
		return nil, c.unwritable(err)
	}
	defer os.RemoveAll(work)
	m, err := s.build(ctx, d, work, c.progress)
	if err != nil {
		return nil, err
	}
	m.ContentHash, m.Bytes = s.hash, s.bytes
	if err := writeEntry(work, m); err != nil {
		return nil, c.unwritable(err)
	}
	return publish(work, folder)
}

func (c *cache) unwritable(err error) error {
	return fmt.Errorf("cannot write to the model cache %s; CLIPD_CACHE may name another folder: %w", c.dir, err)
}

// publish renames a finished folder into place. Another process may have been quicker; a damaged entry gives way.
func publish(work, folder string) (*Model, error) {
	err := os.Rename(work, folder)
	if err != nil {
		if m, broken := readEntry(folder); broken == nil {
			return m, nil
		}
		old, made := os.MkdirTemp(filepath.Dir(folder), ".old-*")
		if made != nil {
			return nil, made
		}
		defer os.RemoveAll(old)
		// Either may fail when another process does the same; then its entry is there.
		err = errors.Join(os.Rename(folder, filepath.Join(old, "entry")), os.Rename(work, folder))
	}
	m, broken := readEntry(folder)
	if broken != nil {
		return nil, fmt.Errorf("cannot put the built model into the cache: %w", errors.Join(err, broken))
	}
	return m, nil
}

// removeStale removes what processes that were killed while building left behind.
func removeStale(parent string) {
	const age = 24 * time.Hour
	left, _ := filepath.Glob(filepath.Join(parent, ".*-*")) // the pattern is right
	for _, folder := range left {
		if info, err := os.Stat(folder); err == nil && time.Since(info.ModTime()) > age {
			os.RemoveAll(folder)
		}
	}
}

// readEntry reads an entry and checks that its files are whole.
func readEntry(folder string) (*Model, error) {
	data, err := os.ReadFile(filepath.Join(folder, "model.json"))
	if err != nil {
		return nil, err
	}
	var e entry
	if err := json.Unmarshal(data, &e); err != nil {
		return nil, err
	}
	if e.Version != writerVersion || len(e.Files) == 0 {
		return nil, fmt.Errorf("%s was written by another version", folder)
	}
	for name, want := range e.Files {
		got, err := mark(filepath.Join(folder, name), false)
		if err != nil {
			return nil, err
		}
		if got != want {
			return nil, fmt.Errorf("%s in the cache is damaged", filepath.Join(folder, name))
		}
	}
	for i, name := range e.Model.Graphs {
		if _, ok := e.Files[name]; !ok {
			return nil, fmt.Errorf("%s: graph %q is not among the files", folder, name)
		}
		e.Model.Graphs[i] = filepath.Join(folder, name)
	}
	return &e.Model, nil
}

// writeEntry writes model.json over the files of a folder, after these are safely on disk.
func writeEntry(folder string, m *Model) error {
	e := entry{Version: writerVersion, Model: *m, Files: map[string]fileMark{}}
	e.Model.Graphs = [2]string{Image.String() + ".onnx", Text.String() + ".onnx"}
	err := filepath.WalkDir(folder, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(folder, path)
		if err != nil {
			return err
		}
		e.Files[name], err = mark(path, true)
		return err
	})
	if err != nil {
		return err
	}
	data, err := json.MarshalIndent(e, "", " ")
	if err != nil {
		return err
	}
	return writeAtomically(filepath.Join(folder, "model.json"), append(data, '\n'))
}

func mark(path string, sync bool) (fileMark, error) {
	f, err := os.Open(path)
	if err != nil {
		return fileMark{}, err
	}
	defer f.Close()
	if sync {
		if err := f.Sync(); err != nil {
			return fileMark{}, err
		}
	}
	info, err := f.Stat()
	if err != nil {
		return fileMark{}, err
	}
	m := fileMark{Size: info.Size()}
	if m.Size <= hashedSize {
		data, err := os.ReadFile(path)
		if err != nil {
			return fileMark{}, err
		}
		sum := sha256.Sum256(data)
		m.SHA256 = hex.EncodeToString(sum[:])
	}
	return m, nil
}
