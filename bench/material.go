// Package bench measures servers and raw runtimes with the same inputs.
package bench

import (
	"bytes"
	"image"
	"image/color"
	"image/jpeg"
	"math"
	"math/rand/v2"
	"strings"
)

// Captions returns n different short captions in the manner of COCO's, 6 to 14 tokens each.
func Captions(n int, seed uint64) []string {
	rnd := rand.New(rand.NewPCG(seed, 1))
	pick := func(words string) string {
		list := strings.Split(words, "|")
		return list[rnd.IntN(len(list))]
	}
	seen := make(map[string]bool)
	captions := make([]string, 0, n)
	for len(captions) < n {
		c := pick("a|the|one|an old|a small|a young|a wet") + " " +
			pick("dog|cat|man|woman|child|bird|horse|train|boat|bicycle|car|zebra|kite|bus|cow") + " " +
			pick("standing|sitting|running|waiting|resting|moving|looking back|lying down") + " " +
			pick("on the beach|in the snow|next to a tree|near a bridge|in front of a house|on a street|behind a fence|in a field|under the sky") +
			pick("| at night| in the rain| with other people| in black and white| on a sunny day")
		if !seen[c] || len(seen) > 40000 {
			seen[c] = true
			captions = append(captions, c)
		}
	}
	return captions
}

// Pictures returns n different JPEGs of width × height with the detail and size of photographs: smooth shapes with noise,
// quality 87, chroma halved both ways.
func Pictures(n, width, height int, seed uint64) [][]byte {
	rnd := rand.New(rand.NewPCG(seed, 2))
	pictures := make([][]byte, n)
	for i := range pictures {
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
		var b bytes.Buffer
		if err := jpeg.Encode(&b, img, &jpeg.Options{Quality: 87}); err != nil {
			panic("BUG: encoding a picture in memory: " + err.Error())
		}
		pictures[i] = b.Bytes()
	}
	return pictures
}
