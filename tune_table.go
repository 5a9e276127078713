package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"

	"clipd/engine/tune"
)

// writeTuneTable writes a line for each candidate, in the order of what was asked for, those that were dropped below.
func writeTuneTable(w io.Writer, r *tune.Result) error {
	sorted := slices.Clone(r.Candidates)
	slices.SortStableFunc(sorted, func(a, b *tune.Candidate) int {
		if (a.Dropped == "") != (b.Dropped == "") {
			return cmp.Compare(a.Dropped, b.Dropped) // "" first
		}
		if r.For == tune.Latency {
			return cmp.Compare(a.Figures.Alone(), b.Figures.Alone())
		}
		return cmp.Compare(b.Figures.Rate(), a.Figures.Rate())
	})
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "lanes\tthreads\twide\tminibatch\talone text\talone picture\t8×1 texts/s\t4×32 texts/s\t4×8 pictures/s\trounds\t")
	for _, c := range sorted {
		threads, wide := "-", "no"
		if c.Threads > 0 {
			threads = fmt.Sprint(c.Threads)
		}
		if c.Wide {
			wide = "yes"
		}
		fmt.Fprintf(t, "%d\t%s\t%s\t%d\t", c.Lanes, threads, wide, c.Minibatch)
		if f := c.Figures; len(c.Rounds) > 0 {
			fmt.Fprintf(t, "%s\t%s\t%.0f\t%.0f\t%.0f\t", milliseconds(f.AloneText), milliseconds(f.AlonePicture), f.Callers, f.Bulk, f.Pictures)
		} else {
			fmt.Fprint(t, "\t\t\t\t\t")
		}
		fmt.Fprintf(t, "%d\t%s\n", len(c.Rounds), remark(r, c))
	}
	return t.Flush()
}

func milliseconds(d time.Duration) string {
	return fmt.Sprintf("%.2f ms", float64(d)/float64(time.Millisecond))
}

// remark says what is to know of a candidate.
func remark(r *tune.Result, c *tune.Candidate) string {
	switch {
	case c == r.Best && r.Change:
		return "  ← best"
	case c == r.Best:
		return "  ← best, present"
	case c == r.Present():
		return "  present"
	case c.Dropped != "":
		return "  " + c.Dropped
	case len(c.Rounds) == 0:
		return "  no time left"
	}
	return ""
}
