// Command tokenizer measures clipd's tokenizer for compare.py, which starts it: it reads texts from the file that is its
// argument, one JSON string a line, then for each line with a number of seconds on standard input encodes all of them
// again and again for about that time on one core, and prints a JSON object with the texts it encoded a second. Before that it prints
// the ids of each text, one JSON list a line.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"clipd/engine/tokenizer"
)

const (
	vocabulary    = 49408
	contextLength = 77
)

func main() {
	if err := run(os.Args[1:], os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "tokenizer:", err)
		os.Exit(1)
	}
}

func run(arguments []string, in io.Reader, out io.Writer) error {
	if len(arguments) != 1 {
		return fmt.Errorf("%d arguments, want the file of texts", len(arguments))
	}
	runtime.GOMAXPROCS(1)
	texts, err := readTexts(arguments[0])
	if err != nil {
		return err
	}
	tok, err := tokenizer.New(vocabulary)
	if err != nil {
		return err
	}
	answers := json.NewEncoder(out)
	for _, text := range texts {
		if err := answers.Encode(tok.Append(nil, text, contextLength)); err != nil {
			return err
		}
	}
	rounds := bufio.NewScanner(in)
	for rounds.Scan() {
		seconds, err := strconv.ParseFloat(strings.TrimSpace(rounds.Text()), 64)
		if err != nil {
			return fmt.Errorf("cannot read a number of seconds: %w", err)
		}
		rate := measure(tok, texts, time.Duration(seconds*float64(time.Second)))
		if err := answers.Encode(map[string]float64{"texts_per_second": rate}); err != nil {
			return err
		}
	}
	return rounds.Err()
}

// measure encodes the texts for about the given time and returns how many it did a second.
func measure(tok *tokenizer.Tokenizer, texts []string, atLeast time.Duration) float64 {
	var ids []int32
	done := 0
	start := time.Now()
	for time.Since(start) < atLeast {
		for _, text := range texts {
			ids = tok.Append(ids[:0], text, contextLength)
		}
		done += len(texts)
	}
	return float64(done) / time.Since(start).Seconds()
}

// readTexts reads a file of JSON strings.
func readTexts(path string) ([]string, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	var texts []string
	for decoder := json.NewDecoder(file); decoder.More(); {
		var text string
		if err := decoder.Decode(&text); err != nil {
			return nil, fmt.Errorf("text %d of %s: %w", len(texts), path, err)
		}
		texts = append(texts, text)
	}
	if len(texts) == 0 {
		return nil, fmt.Errorf("%s has no texts", path)
	}
	return texts, nil
}
