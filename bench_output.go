package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"clipd/bench"
)

// benchOutput writes what clipd bench measured: a table for readers, an object on each line as soon as it is known, or
// one whole document.
type benchOutput struct {
	format string
	asJSON bool
	file   string

	w        io.Writer
	progress *progressLine
	began    time.Time
	server   string
	err      error // of the lines written so far
}

// benchDocument is everything that one run of the command found.
type benchDocument struct {
	Command []string  `json:"command"`
	Server  string    `json:"server,omitempty"`
	Clipd   string    `json:"clipd"` // version of the generator
	Cores   int       `json:"cores"` // that it may use
	Began   time.Time `json:"began"`
	Seconds float64   `json:"seconds"`
	Results any       `json:"results"`
}

func (o *benchOutput) addFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&o.format, "format", "", "table, lines (one JSON object each) or document (default: a table on a terminal, else lines)")
	f.BoolVar(&o.asJSON, "json", false, "the same as --format lines")
	f.StringVar(&o.file, "output", "", "also write the whole document, JSON, to this file")
}

func (o *benchOutput) check() error {
	if o.format == "" {
		o.format = "lines"
		if isTerminal(os.Stdout) && !o.asJSON {
			o.format = "table"
		}
	}
	if o.format != "table" && o.format != "lines" && o.format != "document" {
		return fmt.Errorf("--format is %q; it must be table, lines or document", o.format)
	}
	return nil
}

func (o *benchOutput) begin(w io.Writer, progress *progressLine, server string) {
	o.w, o.progress, o.began, o.server = w, progress, time.Now(), server
}

// line writes a result as soon as it is known.
func (o *benchOutput) line(result any) {
	if o.format != "lines" || o.err != nil {
		return
	}
	o.progress.clear()
	o.err = json.NewEncoder(o.w).Encode(result)
}

// end writes what is written at the end.
func (o *benchOutput) end(results any, table func(io.Writer) error) error {
	o.progress.clear()
	if o.err != nil {
		return o.err
	}
	document := benchDocument{Command: os.Args, Server: o.server, Clipd: version, Cores: runtime.GOMAXPROCS(0), Began: o.began.UTC().Truncate(time.Second),
		Seconds: time.Since(o.began).Seconds(), Results: results}
	if o.file != "" {
		data, err := json.MarshalIndent(document, "", " ")
		if err != nil {
			return err
		}
		if err := os.WriteFile(o.file, append(data, '\n'), 0o666); err != nil {
			return err
		}
	}
	switch o.format {
	case "table":
		return table(o.w)
	case "document":
		e := json.NewEncoder(o.w)
		e.SetIndent("", " ")
		return e.Encode(document)
	}
	return nil
}

// progressLine is one line on a terminal that is written again and again; elsewhere nothing is written.
type progressLine struct {
	out   *os.File // nil: no terminal
	shown bool
}

func newProgressLine(out *os.File) *progressLine {
	if !isTerminal(out) {
		return &progressLine{}
	}
	return &progressLine{out: out}
}

func (p *progressLine) show(what string, progress bench.Progress) {
	p.say(what + ": " + progress.String())
}

func (p *progressLine) say(text string) {
	if p.out == nil {
		return
	}
	if width, _, err := term.GetSize(int(p.out.Fd())); err == nil && width > 1 {
		if runes := []rune(text); len(runes) >= width {
			text = string(runes[:width-1])
		}
	}
	fmt.Fprint(p.out, "\r\x1b[K", text)
	p.shown = true
}

func (p *progressLine) clear() {
	if p.shown {
		fmt.Fprint(p.out, "\r\x1b[K")
		p.shown = false
	}
}

// joinInts writes a list as a flag takes it.
func joinInts(values []int) string {
	return strings.Trim(strings.ReplaceAll(fmt.Sprint(values), " ", ","), "[]")
}
