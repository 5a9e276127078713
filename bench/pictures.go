package bench

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/image/bmp"
	"golang.org/x/image/tiff"

	"clipd/engine/preprocess"
)

// Bounds of pictures that are given by name, and of the memory that drawn ones take.
const (
	maxFiles     = 4096
	maxFileBytes = 1 << 30 // of all files together
	maxSide      = 16384
	drawn        = 16 // pictures drawn from nothing; the others are those, moved
)

// PictureSource is where pictures come from: drawn at a size, or the user's own.
type PictureSource struct {
	Width, Height int
	Format        string // of drawn pictures: "jpeg", "png", "gif", "bmp", "tiff"
	Path          string // a file or a folder instead
}

var encoders = map[string]func(*bytes.Buffer, image.Image) error{
	"jpeg": func(b *bytes.Buffer, m image.Image) error { return jpeg.Encode(b, m, &jpeg.Options{Quality: 87}) },
	"png":  func(b *bytes.Buffer, m image.Image) error { return png.Encode(b, m) },
	"gif":  func(b *bytes.Buffer, m image.Image) error { return gif.Encode(b, m, nil) },
	"bmp":  func(b *bytes.Buffer, m image.Image) error { return bmp.Encode(b, m) },
	"tiff": func(b *bytes.Buffer, m image.Image) error { return tiff.Encode(b, m, nil) },
}

// ParsePicture reads "640x480", "640x480.png" or the name of a file or folder.
func ParsePicture(s string) (PictureSource, error) {
	if _, err := os.Stat(s); err == nil {
		return PictureSource{Path: s}, nil
	}
	size, format, _ := strings.Cut(strings.ToLower(s), ".")
	if format == "" || format == "jpg" {
		format = "jpeg"
	}
	if format == "tif" {
		format = "tiff"
	}
	w, h, found := strings.Cut(size, "x")
	width, errW := strconv.Atoi(w)
	height, errH := strconv.Atoi(h)
	if !found || errW != nil || errH != nil || encoders[format] == nil {
		return PictureSource{}, fmt.Errorf("picture %q is neither a file or folder nor a size such as 640x480 or 640x480.png (jpeg, png, gif, bmp, tiff)", s)
	}
	if min(width, height) < 1 || max(width, height) > maxSide {
		return PictureSource{}, fmt.Errorf("picture %q: each side must be from 1 to %d pixels", s, maxSide)
	}
	return PictureSource{Width: width, Height: height, Format: format}, nil
}

// Pictures returns n encoded pictures, from each source in turn. Drawn ones are all different, as a server may compute
// identical inputs once; files are repeated when there are fewer.
func Pictures(n int, sources []PictureSource, seed uint64) ([][]byte, error) {
	each := make([][][]byte, len(sources))
	for i, s := range sources {
		var err error
		if s.Path != "" {
			each[i], err = readPictures(s.Path)
		} else {
			each[i], err = draw((n+len(sources)-1)/len(sources), s, seed+uint64(i))
		}
		if err != nil {
			return nil, err
		}
	}
	pictures := make([][]byte, n)
	for i := range pictures {
		from := each[i%len(each)]
		pictures[i] = from[i/len(each)%len(from)]
	}
	return pictures, nil
}

// readPictures reads a file, or the pictures of a folder, that clipd can decode.
func readPictures(path string) ([][]byte, error) {
	names := []string{path}
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		if names, err = filepath.Glob(filepath.Join(path, "*")); err != nil {
			return nil, err
		}
	}
	var pictures [][]byte
	var total int64
	for _, name := range names {
		info, err := os.Stat(name)
		if err != nil || !info.Mode().IsRegular() {
			continue
		}
		if total += info.Size(); total > maxFileBytes || len(pictures) == maxFiles {
			return nil, fmt.Errorf("%s holds more than %d pictures or %d MiB; give a smaller folder", path, maxFiles, maxFileBytes>>20)
		}
		data, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		if preprocess.Format(data) != "" {
			pictures = append(pictures, data)
		}
	}
	if len(pictures) == 0 {
		return nil, fmt.Errorf("%s holds no picture that clipd reads", path)
	}
	return pictures, nil
}

// draw returns n different pictures with the detail and the bytes of photographs: smooth shapes with noise; JPEGs of
// quality 87 with chroma halved both ways.
func draw(n int, s PictureSource, seed uint64) ([][]byte, error) {
	rnd := rand.New(rand.NewPCG(seed, 2))
	bases := make([]*image.RGBA, min(n, drawn))
	for i := range bases {
		bases[i] = drawOne(s.Width, s.Height, rnd)
	}
	pictures := make([][]byte, n)
	moved := image.NewRGBA(image.Rect(0, 0, s.Width, s.Height))
	for i := range pictures {
		// Rows and columns move around the edges by steps that no other picture of this base has.
		base, step := bases[i%len(bases)], i/len(bases)
		down, right := step*7%s.Height, (step*5+step*7/s.Height)%s.Width
		for y := range s.Height {
			from := base.Pix[base.PixOffset(0, (y+down)%s.Height):][:4*s.Width]
			to := moved.Pix[moved.PixOffset(0, y):]
			copy(to[copy(to, from[4*right:]):], from[:4*right])
		}
		var b bytes.Buffer
		if err := encoders[s.Format](&b, moved); err != nil {
			return nil, fmt.Errorf("cannot encode a %s of %d×%d: %w", s.Format, s.Width, s.Height, err)
		}
		pictures[i] = b.Bytes()
	}
	return pictures, nil
}

func drawOne(width, height int, rnd *rand.Rand) *image.RGBA {
	var waves [9][4]float64 // frequencies in x and y, phase, amplitude; three for each channel
	for w := range waves {
		f := math.Exp(rnd.Float64()*3) / float64(width)
		angle := rnd.Float64() * 2 * math.Pi
		waves[w] = [4]float64{f * math.Cos(angle) * 2 * math.Pi, f * math.Sin(angle) * 2 * math.Pi, rnd.Float64() * 7, 45}
	}
	img := image.NewRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			noise := rnd.NormFloat64() * 6
			var c [3]uint8
			for ch := range c {
				v := 128 + noise
				for _, w := range waves[3*ch : 3*ch+3] {
					v += w[3] * math.Sin(w[0]*float64(x)+w[1]*float64(y)+w[2])
				}
				c[ch] = uint8(max(0, min(255, v)))
			}
			img.SetRGBA(x, y, color.RGBA{c[0], c[1], c[2], 255})
		}
	}
	return img
}
