package golden_test

import (
	"encoding/binary"
	"encoding/json"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const models = "../../../testdata/models/"

// meta is the part of meta.json that the test needs.
type meta struct {
	Pixels string   `json:"pixels"`
	Images []string `json:"images"`
	Texts  []struct {
		IDs     []int32 `json:"ids"`
		Reduced []int32 `json:"ids_reduced"`
	} `json:"texts"`
}

// golden is what a folder says about its model.
type golden struct {
	pixels         [][]byte // [size, size, 3] each
	size           int
	whole, reduced [][]int32   // ids of each text, in the whole and in the reduced vocabulary
	images, texts  [][]float32 // expected embeddings
}

func readGolden(t *testing.T, folder string) golden {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(models, folder, "meta.json"))
	if err != nil {
		t.Fatal(err)
	}
	var m meta
	if err := json.Unmarshal(data, &m); err != nil {
		t.Fatal(err)
	}
	var g golden
	if strings.HasSuffix(m.Pixels, ".npy") {
		g.size = 64
		raw := readArray(t, "pixels_64.npy")
		for each := g.size * g.size * 3; len(raw) > 0; raw = raw[each:] {
			g.pixels = append(g.pixels, raw[:each])
		}
	} else {
		g.size = 224
		for _, name := range m.Images {
			g.pixels = append(g.pixels, readPicture(t, filepath.Join(models, "pixels_224", name+".png")))
		}
	}
	for _, text := range m.Texts {
		g.whole, g.reduced = append(g.whole, text.IDs), append(g.reduced, text.Reduced)
	}
	g.images = readRows(t, folder+"/image_embeddings.npy", len(g.pixels))
	g.texts = readRows(t, folder+"/text_embeddings.npy", len(g.whole))
	return g
}

// readArray gives the bytes behind the header of a .npy file, version 1.
func readArray(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(models, name))
	if err != nil {
		t.Fatal(err)
	}
	if string(data[:8]) != "\x93NUMPY\x01\x00" {
		t.Fatalf("%s is no .npy file of version 1", name)
	}
	return data[10+binary.LittleEndian.Uint16(data[8:]):]
}

func readRows(t *testing.T, name string, rows int) [][]float32 {
	t.Helper()
	raw := readArray(t, name)
	columns := len(raw) / 4 / rows
	out := make([][]float32, rows)
	for r := range out {
		for c := range columns {
			out[r] = append(out[r], math.Float32frombits(binary.LittleEndian.Uint32(raw[4*(r*columns+c):])))
		}
	}
	return out
}

func readPicture(t *testing.T, path string) []byte {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	picture, err := png.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	var out []byte
	for y := range picture.Bounds().Dy() {
		for x := range picture.Bounds().Dx() {
			r, g, b, _ := picture.At(x, y).RGBA()
			out = append(out, byte(r>>8), byte(g>>8), byte(b>>8))
		}
	}
	return out
}
