package bench

import (
	"bufio"
	"fmt"
	"os"
	"strings"
)

// Item is one input: a text, or an encoded picture.
type Item struct {
	Text    string
	Picture []byte // instead of Text
}

// Material says what the inputs are.
type Material struct {
	Kind     string          // "text", "image" or "mixed" (every other one)
	Texts    string          // a style of Captions, or the name of a file with a text on each line
	Pictures []PictureSource // taken in turn
	Seed     uint64
}

// Pools bound the different inputs that are made: twice as many as can be under way, so that a server that computes
// identical inputs once gains nothing by it.
const (
	leastTexts    = 4096
	mostTexts     = 1 << 16
	leastPictures = 96
	mostPictures  = 512
)

// Items returns inputs for a load that has underWay of them with a server at a time.
func (m Material) Items(underWay int) ([]Item, error) {
	var texts []string
	var pictures [][]byte
	var err error
	if m.Kind != "image" {
		if texts, err = m.texts(min(max(2*underWay, leastTexts), mostTexts)); err != nil {
			return nil, err
		}
	}
	if m.Kind != "text" {
		if pictures, err = Pictures(min(max(2*underWay, leastPictures), mostPictures), m.Pictures, m.Seed); err != nil {
			return nil, err
		}
	}
	switch m.Kind {
	case "text":
		items := make([]Item, len(texts))
		for i, t := range texts {
			items[i].Text = t
		}
		return items, nil
	case "image":
		items := make([]Item, len(pictures))
		for i, p := range pictures {
			items[i].Picture = p
		}
		return items, nil
	case "mixed":
		items := make([]Item, 2*len(pictures))
		for i, p := range pictures {
			items[2*i].Text, items[2*i+1].Picture = texts[i%len(texts)], p
		}
		return items, nil
	}
	return nil, fmt.Errorf("kind %q is not text, image or mixed", m.Kind)
}

func (m Material) texts(n int) ([]string, error) {
	f, err := os.Open(m.Texts)
	if err != nil {
		return Captions(n, m.Texts, m.Seed)
	}
	defer f.Close()
	var texts []string
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() && len(texts) < mostTexts {
		if t := strings.TrimSpace(lines.Text()); t != "" {
			texts = append(texts, t)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", m.Texts, err)
	}
	if len(texts) == 0 {
		return nil, fmt.Errorf("%s holds no text", m.Texts)
	}
	return texts, nil
}
