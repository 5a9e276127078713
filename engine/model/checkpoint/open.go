// Package checkpoint reads the files in which CLIP weights are published, mapped and without running anything that
// they contain: OpenAI's TorchScript archives, state dicts of torch.save, and safetensors (one file or shards).
package checkpoint

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"
)

// Format is how a checkpoint is stored.
type Format string

// The formats that Open knows.
const (
	FormatTorchScript Format = "TorchScript archive"
	FormatStateDict   Format = "PyTorch state_dict"
	FormatSafetensors Format = "safetensors"
)

// Checkpoint is an open checkpoint. Its tensors read from mapped files and are valid until Close.
type Checkpoint struct {
	Path    string
	Format  Format
	Tensors []*Tensor // sorted by name
	Files   []string  // every file that was read: weights, index and config
	// Config is open_clip_config.json or the config.json of transformers from beside the weights, nil if there
	// is none. TextConfig is text_config.json, which some models with a Hugging Face text tower bring, Preprocessor
	// the preprocessor_config.json of transformers.
	Config, TextConfig, Preprocessor []byte

	byName   map[string]*Tensor
	mappings []*mapping
}

// Tensor finds a tensor by its name, nil if there is none.
func (c *Checkpoint) Tensor(name string) *Tensor { return c.byName[name] }

// Close unmaps the files. No tensor may be read after it.
func (c *Checkpoint) Close() error {
	var errs []error
	for _, m := range c.mappings {
		errs = append(errs, m.close())
	}
	c.mappings, c.Tensors, c.byName = nil, nil, nil
	return errors.Join(errs...)
}

// Release drops the pages of the mapped files from this process. Call it now and then while much is read, to keep
// the process small.
func (c *Checkpoint) Release() {
	for _, m := range c.mappings {
		m.release()
	}
}

// weightFiles are the names that weights have in a folder, best first.
var weightFiles = []string{
	"open_clip_model.safetensors", "model.safetensors", "model.safetensors.index.json", "open_clip_model.safetensors.index.json",
	"open_clip_pytorch_model.bin", "pytorch_model.bin", "open_clip_pytorch_model.safetensors",
}

// Open opens a checkpoint: a file, or a folder that holds one.
func Open(path string) (*Checkpoint, error) {
	file, err := Locate(path)
	if err != nil {
		return nil, err
	}
	c := &Checkpoint{Path: path}
	if filepath.Ext(file) == ".json" {
		err = c.openShards(file)
	} else {
		err = c.openFile(file)
	}
	if err == nil {
		err = c.index()
	}
	if err == nil {
		err = c.readConfigs(filepath.Dir(file))
	}
	if err != nil {
		_ = c.Close() // the first error tells more
		return nil, err
	}
	return c, nil
}

// OpenBytes reads a checkpoint of one file that lies in memory, which must stay unchanged until Close. name is
// used in messages; config may be nil.
func OpenBytes(name string, data, config []byte) (*Checkpoint, error) {
	c := &Checkpoint{Path: name, Config: config}
	if err := c.read(name, data); err != nil {
		return nil, err
	}
	return c, c.index()
}

// Locate returns the file with the weights: path itself, or the right one in a folder.
func Locate(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", fmt.Errorf("cannot open checkpoint: %w", err)
	}
	if !info.IsDir() {
		return path, nil
	}
	for _, name := range weightFiles {
		if _, err := os.Stat(filepath.Join(path, name)); err == nil {
			return filepath.Join(path, name), nil
		}
	}
	var found []string
	for _, pattern := range []string{"*.safetensors", "*.pt", "*.pth", "*.bin"} {
		files, _ := filepath.Glob(filepath.Join(path, pattern)) // the only error is a bad pattern
		found = append(found, files...)
	}
	if len(found) == 1 {
		return found[0], nil
	}
	if len(found) > 1 {
		return "", fmt.Errorf("folder %s holds several weight files (%s, %s ...): name one of them", path, filepath.Base(found[0]), filepath.Base(found[1]))
	}
	return "", fmt.Errorf("folder %s holds no weights: expected *.safetensors, *.pt or *.bin, or textual.onnx with visual.onnx", path)
}

func (c *Checkpoint) openFile(file string) error {
	m, err := mapFile(file)
	if err != nil {
		return fmt.Errorf("cannot open checkpoint: %w", err)
	}
	c.mappings = append(c.mappings, m)
	c.Files = append(c.Files, file)
	return Guard(file, func() error { return c.read(file, m.data) })
}

// read recognises the format by its first bytes.
func (c *Checkpoint) read(file string, data []byte) (err error) {
	var tensors []*Tensor
	switch {
	// First, because the length of a header may look like the beginning of any other format.
	case isSafetensors(data):
		c.Format = FormatSafetensors
		tensors, err = readSafetensors(file, data)
	case bytes.HasPrefix(data, []byte("PK\x03\x04")):
		tensors, c.Format, err = readTorch(file, data)
	case bytes.HasPrefix(data, []byte("\x80\x02")):
		err = fmt.Errorf("%s is in the format of PyTorch before 1.6; load it in PyTorch and save it again with torch.save", file)
	case bytes.HasPrefix(data, []byte("version https://git-lfs")):
		err = fmt.Errorf("%s is a Git LFS pointer, not the weights: run git lfs pull", file)
	case bytes.HasPrefix(bytes.TrimLeft(data[:min(len(data), 64)], " \r\n\t"), []byte("<")):
		err = fmt.Errorf("%s is a web page, not weights: the download went wrong", file)
	default:
		err = fmt.Errorf("%s is neither a PyTorch zip archive nor safetensors (it begins with %q)", file, data[:min(len(data), 8)])
	}
	c.Tensors = append(c.Tensors, tensors...)
	return err
}

// readIndex reads model.safetensors.index.json: the names of the shards, and which one holds each tensor.
func readIndex(file string) (shards []string, where map[string]string, err error) {
	const maxIndex = 16 << 20
	data, err := readSmall(file, maxIndex)
	if err != nil {
		return nil, nil, err
	}
	var index struct {
		WeightMap map[string]string `json:"weight_map"`
	}
	if err := json.Unmarshal(data, &index); err != nil {
		return nil, nil, fmt.Errorf("%s: the index of shards cannot be read: %w", file, err)
	}
	seen := map[string]bool{}
	for name, shard := range index.WeightMap {
		if !filepath.IsLocal(shard) {
			return nil, nil, fmt.Errorf("%s: tensor %q is said to be in %q, which lies outside the folder", file, name, shard)
		}
		if !seen[shard] {
			seen[shard] = true
			shards = append(shards, shard)
		}
	}
	sort.Strings(shards)
	return shards, index.WeightMap, nil
}

func (c *Checkpoint) openShards(file string) error {
	shards, where, err := readIndex(file)
	if err != nil {
		return err
	}
	c.Files = append(c.Files, file)
	for _, shard := range shards {
		if err := c.openFile(filepath.Join(filepath.Dir(file), shard)); err != nil {
			return err
		}
	}
	have := map[string]bool{}
	for _, t := range c.Tensors {
		have[t.Name] = true
	}
	for name, shard := range where {
		if !have[name] {
			return fmt.Errorf("%s: tensor %q is missing from shard %q", file, name, shard)
		}
	}
	return nil
}

func (c *Checkpoint) index() error {
	sort.Slice(c.Tensors, func(i, j int) bool { return c.Tensors[i].Name < c.Tensors[j].Name })
	c.byName = make(map[string]*Tensor, len(c.Tensors))
	for _, t := range c.Tensors {
		if other := c.byName[t.Name]; other != nil {
			return fmt.Errorf("tensor %q occurs twice: %s and %s", t.Name, other.Origin, t.Origin)
		}
		c.byName[t.Name] = t
	}
	return nil
}

// configFiles may describe a model from beside its weights.
var configFiles = []string{"open_clip_config.json", "config.json", "text_config.json", "preprocessor_config.json"}

// Files lists the files that a checkpoint consists of, without opening the weights.
func Files(path string) ([]string, error) {
	file, err := Locate(path)
	if err != nil {
		return nil, err
	}
	files := []string{file}
	if filepath.Ext(file) == ".json" {
		shards, _, err := readIndex(file)
		if err != nil {
			return nil, err
		}
		for _, shard := range shards {
			files = append(files, filepath.Join(filepath.Dir(file), shard))
		}
	}
	for _, name := range configFiles {
		config := filepath.Join(filepath.Dir(file), name)
		if _, err := os.Stat(config); err == nil {
			files = append(files, config)
		}
	}
	return files, nil
}

// readConfigs looks for a description of the model beside the weights.
func (c *Checkpoint) readConfigs(folder string) error {
	const maxConfig = 1 << 20
	read := func(name string) ([]byte, error) {
		file := filepath.Join(folder, name)
		data, err := readSmall(file, maxConfig)
		if errors.Is(err, os.ErrNotExist) {
			return nil, nil
		}
		if err == nil {
			c.Files = append(c.Files, file)
		}
		return data, err
	}
	var err error
	name := "open_clip_config.json"
	if c.Tensor("text_model.embeddings.token_embedding.weight") != nil {
		name = "config.json"
		if c.Preprocessor, err = read("preprocessor_config.json"); err != nil {
			return err
		}
	}
	if c.Config, err = read(name); err != nil {
		return err
	}
	if c.Tensor("text.transformer.embeddings.word_embeddings.weight") != nil {
		c.TextConfig, err = read("text_config.json")
	}
	return err
}

func readSmall(file string, limit int64) ([]byte, error) {
	info, err := os.Stat(file)
	if err != nil {
		return nil, err
	}
	if info.Size() > limit {
		return nil, fmt.Errorf("%s has %d bytes, the limit is %d", file, info.Size(), limit)
	}
	return os.ReadFile(file)
}
