package main

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"clipd/engine"
	"clipd/flows"
	"clipd/frontend"
)

// printBox says where the server listens and what is in force; framed on a terminal, plain lines otherwise.
func printBox(out *os.File, f *flows.Flow, loaded models, urls []frontend.URL) {
	lines := boxLines(f, loaded, urls)
	if isTerminal(out) {
		writeFrame(out, lines)
		return
	}
	for _, line := range lines {
		fmt.Fprintln(out, line)
	}
}

func boxLines(f *flows.Flow, loaded models, urls []frontend.URL) []string {
	rows := [][2]string{{"clipd", version + " is ready"}}
	for _, u := range urls {
		rows = append(rows, [2]string{u.Name, u.URL})
	}
	rows = append(rows, callerRows(f.Gateway)...)
	for i, l := range loaded {
		if len(loaded) > 1 {
			rows = append(rows, [2]string{"executor", f.Executors[i].Name})
		}
		rows = append(rows, modelRows(l)...)
	}
	lines := make([]string, len(rows))
	for i, r := range rows {
		lines[i] = fmt.Sprintf("%-10s %s", r[0], r[1])
	}
	return lines
}

// callerRows say what callers have to show; nothing when everyone may call.
func callerRows(g flows.Gateway) (rows [][2]string) {
	switch {
	case g.SSLCACerts == "":
	case g.SSLClientAuth == flows.ClientAuthRequired:
		rows = append(rows, [2]string{"callers", "show a certificate of " + g.SSLCACerts})
	case g.SSLClientAuth == flows.ClientAuthOptional:
		rows = append(rows, [2]string{"callers", "may show a certificate of " + g.SSLCACerts})
	}
	if g.Auth != nil {
		rows = append(rows, [2]string{"keys", "needed: " + cmp.Or(g.Auth.KeysFile, "$"+g.Auth.KeysEnv)})
	}
	return rows
}

func modelRows(l *engine.Loaded) [][2]string {
	image, text := l.Session[engine.ImageTower], l.Session[engine.TextTower]
	precision := image.Precision.String()
	if text.Precision != image.Precision {
		precision = fmt.Sprintf("%s images, %s texts", image.Precision, text.Precision)
	}
	cores := fmt.Sprintf("%s × %s × %s", count(l.Replicas, "replica"), count(l.LaneCount, "lane"), count(l.Threads, "thread"))
	return [][2]string{
		{"model", fmt.Sprintf("%s (%d columns, %d px, %d tokens)", l.Name, l.Dim, l.ImageSize, l.ContextLength)},
		{"runtime", l.Runtime.Name + " " + shortVersion(l.Runtime.Version)},
		{"precision", precision},
		{"device", image.Device + ", " + cores},
	}
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// shortVersion drops what follows the number: "2026.4.1-22982-abc" is "2026.4.1".
func shortVersion(v string) string {
	if i := strings.IndexAny(v, "- "); i > 0 {
		return v[:i]
	}
	return v
}

func writeFrame(w io.Writer, lines []string) {
	width := 0
	for _, l := range lines {
		width = max(width, utf8.RuneCountInString(l))
	}
	edge := strings.Repeat("─", width+2)
	fmt.Fprintf(w, "╭%s╮\n", edge)
	for _, l := range lines {
		fmt.Fprintf(w, "│ %s%s │\n", l, strings.Repeat(" ", width-utf8.RuneCountInString(l)))
	}
	fmt.Fprintf(w, "╰%s╯\n", edge)
}
