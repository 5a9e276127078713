package checkpoint

import (
	"archive/zip"
	"bytes"
	"fmt"
	"path"
	"strings"
)

// archive is a zip file as torch.save and torch.jit.save write it: every entry stored, under one folder.
type archive struct {
	file    string
	data    []byte
	prefix  string // folder of data.pkl with its slash
	entries map[string]*zip.File
}

func openArchive(file string, data []byte) (*archive, error) {
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return nil, fmt.Errorf("%s: the zip directory cannot be read (was the file copied whole?): %w", file, err)
	}
	a := &archive{file: file, data: data, entries: make(map[string]*zip.File, len(z.File))}
	found := false
	for _, f := range z.File {
		if _, twice := a.entries[f.Name]; twice {
			return nil, fmt.Errorf("%s: zip entry %q occurs twice", file, f.Name)
		}
		a.entries[f.Name] = f
		if path.Base(f.Name) == "data.pkl" && strings.Count(f.Name, "/") <= 1 {
			if found {
				return nil, fmt.Errorf("%s: more than one data.pkl", file)
			}
			found = true
			a.prefix = strings.TrimSuffix(f.Name, "data.pkl")
		}
	}
	if !found {
		return nil, fmt.Errorf("%s: a zip file without data.pkl is no PyTorch checkpoint", file)
	}
	if order, err := a.read("byteorder"); err == nil && string(order) != "little" {
		return nil, fmt.Errorf("%s: byte order %q is not supported, only little", file, order)
	}
	return a, nil
}

// read returns the bytes of an entry, a part of the file.
func (a *archive) read(name string) ([]byte, error) {
	f, ok := a.entries[a.prefix+name]
	if !ok {
		return nil, fmt.Errorf("%s: there is no entry %q", a.file, a.prefix+name)
	}
	if f.Method != zip.Store {
		return nil, fmt.Errorf("%s: entry %q is compressed (zip method %d); PyTorch stores its entries: unpack and zip again with -0", a.file, f.Name, f.Method)
	}
	offset, err := f.DataOffset()
	if err != nil {
		return nil, fmt.Errorf("%s: the local header of entry %q cannot be read: %w", a.file, f.Name, err)
	}
	size := f.UncompressedSize64
	if size != f.CompressedSize64 || offset < 0 || offset > int64(len(a.data)) || size > uint64(int64(len(a.data))-offset) {
		return nil, fmt.Errorf("%s: entry %q of %d bytes at offset %d reaches past the end of the file (%d bytes)", a.file, f.Name, size, offset, len(a.data))
	}
	return a.data[offset : offset+int64(size) : offset+int64(size)], nil
}

// offset is where an entry's bytes begin in the file, for messages.
func (a *archive) offset(name string) int64 {
	if f, ok := a.entries[a.prefix+name]; ok {
		if o, err := f.DataOffset(); err == nil {
			return o
		}
	}
	return -1
}
