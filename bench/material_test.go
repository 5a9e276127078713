package bench

import (
	"bytes"
	"image"
	_ "image/gif"
	_ "image/jpeg"
	_ "image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	_ "golang.org/x/image/bmp"
	_ "golang.org/x/image/tiff"
)

func TestCaptions(t *testing.T) {
	check := func(style string, least, most int, mean float64) {
		t.Helper()
		texts, err := Captions(3000, style, 5)
		if err != nil {
			t.Fatal(err)
		}
		again, _ := Captions(3000, style, 5)
		other, _ := Captions(3000, style, 6)
		if !slices.Equal(texts, again) || slices.Equal(texts, other) {
			t.Errorf("%s: the same seed gives the same texts, another one others", style)
		}
		total, different := 0, map[string]bool{}
		for _, text := range texts {
			n := len(strings.Fields(text))
			total += n
			different[text] = true
			if n < least || n > most {
				t.Fatalf("%s: %d words in %q", style, n, text)
			}
		}
		if got := float64(total) / 3000; got < mean*0.95 || got > mean*1.05 {
			t.Errorf("%s: %v words on average; about %v were wanted", style, got, mean)
		}
		if style == "caption" && len(different) != 3000 {
			t.Errorf("%d of 3000 captions are different", len(different))
		}
	}
	check("caption", 6, 40, 10.3)
	check("short", 2, 5, 4.0) // the shortest are soon used up
	check("long", 45, 70, 57.5)
	if _, err := Captions(1, "poem", 1); err == nil || !strings.Contains(err.Error(), "poem") {
		t.Errorf("%v", err)
	}
}

func TestPictures(t *testing.T) {
	var sources []PictureSource
	for _, s := range []string{"64x48", "40x30.png", "20x50.gif", "8x8.bmp", "33x17.tif"} {
		p, err := ParsePicture(s)
		if err != nil {
			t.Fatal(err)
		}
		sources = append(sources, p)
	}
	pictures, err := Pictures(200, sources, 3)
	if err != nil {
		t.Fatal(err)
	}
	again, _ := Pictures(200, sources, 3)
	seen := map[string]int{}
	for i, p := range pictures {
		if !bytes.Equal(p, again[i]) {
			t.Fatalf("picture %d differs with the same seed", i)
		}
		if before, twice := seen[string(p)]; twice {
			t.Errorf("pictures %d and %d are the same", before, i)
		}
		seen[string(p)] = i
		config, format, err := image.DecodeConfig(bytes.NewReader(p))
		want := sources[i%5]
		if err != nil || format != want.Format || config.Width != want.Width || config.Height != want.Height {
			t.Errorf("picture %d: %s of %d×%d, %v; wanted %+v", i, format, config.Width, config.Height, err, want)
		}
	}
}

func TestPicturesOfTheUser(t *testing.T) {
	dir := t.TempDir()
	png, err := Pictures(2, []PictureSource{{Width: 4, Height: 4, Format: "png"}}, 1)
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{"a.png": png[0], "b": png[1], "notes.txt": []byte("no picture")} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	read := func(path string) ([][]byte, error) {
		p, err := ParsePicture(path)
		if err != nil {
			t.Fatal(err)
		}
		return Pictures(4, []PictureSource{p}, 1)
	}
	got, err := read(dir)
	if err != nil || !bytes.Equal(got[0], png[0]) || !bytes.Equal(got[1], png[1]) || !bytes.Equal(got[2], png[0]) {
		t.Errorf("a folder: %v, %d pictures", err, len(got))
	}
	if got, err = read(filepath.Join(dir, "b")); err != nil || !bytes.Equal(got[3], png[1]) {
		t.Errorf("a file: %v", err)
	}
	if _, err = read(filepath.Join(dir, "notes.txt")); err == nil || !strings.Contains(err.Error(), "no picture") {
		t.Errorf("a file that is no picture: %v", err)
	}
	for _, s := range []string{"", "640", "640x", "0x5", "640x480.webm", "99999x1", "-5x5", filepath.Join(dir, "missing")} {
		if _, err := ParsePicture(s); err == nil {
			t.Errorf("%q was taken for a picture", s)
		}
	}
}

func TestItems(t *testing.T) {
	material := Material{Texts: "caption", Pictures: []PictureSource{{Width: 8, Height: 8, Format: "jpeg"}}, Seed: 1}
	items := func(kind string, underWay int) []Item {
		t.Helper()
		m := material
		m.Kind = kind
		all, err := m.Items(underWay)
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	if n := len(items("text", 10)); n != leastTexts {
		t.Errorf("%d texts", n)
	}
	if n := len(items("text", 5000)); n != 10000 {
		t.Errorf("%d texts; twice as many as are under way were wanted", n)
	}
	if n := len(items("image", 100)); n != 200 {
		t.Errorf("%d pictures", n)
	}
	for i, it := range items("mixed", 10) {
		if (it.Picture == nil) != (i%2 == 0) || (it.Text != "") != (i%2 == 0) {
			t.Fatalf("item %d: a text of %d bytes and a picture of %d", i, len(it.Text), len(it.Picture))
		}
	}
	file := filepath.Join(t.TempDir(), "texts")
	if err := os.WriteFile(file, []byte("one\n\n two \n"), 0o666); err != nil {
		t.Fatal(err)
	}
	material.Texts = file
	if got := items("text", 1); len(got) != 2 || got[0].Text != "one" || got[1].Text != "two" {
		t.Errorf("from a file: %v", got)
	}
	if _, err := (Material{Kind: "sound"}).Items(1); err == nil {
		t.Error("a kind that does not exist was taken")
	}
}

// Where a request holds one kind only, every other request holds pictures.
func TestMixedRequestsOfOneKind(t *testing.T) {
	var kinds []string
	l := Load{Material: Material{Kind: "mixed", Texts: "caption", Pictures: []PictureSource{{Width: 8, Height: 8, Format: "jpeg"}}}, Batch: 4}
	items, err := l.Items(4)
	if err != nil {
		t.Fatal(err)
	}
	target := &oneKind{t: t, kinds: &kinds}
	if _, err := l.encode(target, items); err != nil {
		t.Fatal(err)
	}
	if len(kinds) < 10 || kinds[0] != "text" || kinds[1] != "image" || kinds[2] != "text" {
		t.Errorf("requests of %v", kinds)
	}
	kinds = nil
	l.Batch = 200 // more than there are of each
	if _, err := l.encode(target, items); err != nil || len(kinds) != 2 {
		t.Errorf("%v, requests of %v", err, kinds)
	}
}

type oneKind struct {
	server
	t     *testing.T
	kinds *[]string
}

func (o *oneKind) Encode(items []Item) ([]byte, error) {
	kind := "text"
	if items[0].Picture != nil {
		kind = "image"
	}
	for _, it := range items {
		if (it.Picture != nil) != (kind == "image") {
			o.t.Errorf("a request of %d items holds both kinds", len(items))
		}
	}
	*o.kinds = append(*o.kinds, kind)
	return nil, nil
}
