package bench

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// number writes a figure with as many digits as say something.
func number(v float64) string {
	switch {
	case v >= 1000:
		return fmt.Sprintf("%.0f", v)
	case v >= 100:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

// WriteTable writes results in columns, latencies in milliseconds, and below them what a reader must know to trust them.
func WriteTable(w io.Writer, results []*Result) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, strings.Join([]string{"kind", "load", "items/s", "requests/s", "p50 ms", "p90", "p95", "p99", "p99.9", "max",
		"requests", "refused", "failed", "client cores", ""}, "\t"))
	for _, r := range results {
		l := r.Latency
		cells := []string{r.Kind, r.load(), number(r.ItemsPerSec), number(r.RequestsPerSec)}
		for _, v := range []float64{l.P50, l.P90, l.P95, l.P99, l.P999, l.Max} {
			cells = append(cells, number(v))
		}
		cells = append(cells, fmt.Sprint(r.Requests), fmt.Sprint(r.Refused), fmt.Sprint(r.Failed), number(r.ClientCores), "")
		fmt.Fprintln(t, strings.Join(cells, "\t"))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, r := range results {
		for _, note := range r.notes() {
			if _, err := fmt.Fprintf(w, "%s %s: %s\n", r.Kind, r.load(), note); err != nil {
				return err
			}
		}
	}
	return nil
}

// load names the load in a word or two.
func (r *Result) load() string {
	if r.Arrival == Closed {
		return fmt.Sprintf("%d × %d", r.Clients, r.Batch)
	}
	return fmt.Sprintf("%s/s × %d %v", number(r.Rate), r.Batch, r.Arrival)
}

func (r *Result) notes() []string {
	var notes []string
	if r.Rounds > 1 {
		notes = append(notes, fmt.Sprintf("medians of %d rounds; requests, refused and failed are sums", r.Rounds))
	}
	if r.Refused > 0 {
		notes = append(notes, fmt.Sprintf("refusals took p50 %s ms, p99 %s ms; the first one: %s", number(r.Refusal.P50), number(r.Refusal.P99), r.FirstRefusal))
	}
	if r.Failed > 0 {
		notes = append(notes, "first error: "+r.FirstError)
	}
	if r.Unfinished > 0 {
		notes = append(notes, fmt.Sprintf("%d requests had no answer at the end; the latencies hold the time that they had waited, so they are too low", r.Unfinished))
	}
	if !r.KeptRate() {
		notes = append(notes, fmt.Sprintf("the generator could not keep the rate: %d starts were more than 10 ms late (at most %s ms), "+
			"%d found every place for a request under way taken", r.Late.Starts, number(r.Late.Max), r.Late.Waited))
	}
	return notes
}

// WriteTable writes the fairness result for a reader.
func (f *FairnessResult) WriteTable(w io.Writer) error {
	if err := WriteTable(w, []*Result{f.Alone, f.Beside, f.Bulk}); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "p99 of %d × %d beside batches of %d / alone: %.2f  (p50: %.2f)\n", f.Alone.Clients, f.Alone.Batch, f.Bulk.Batch, f.P99Ratio, f.P50Ratio)
	return err
}

// WriteTable writes the overload result for a reader.
func (o *OverloadResult) WriteTable(w io.Writer) error {
	if err := WriteTable(w, append(o.Closed[:len(o.Closed):len(o.Closed)], o.Offered)); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "goodput at %.3g times the best throughput / best throughput: %.3f  (%.0f %% refused, after p50 %s ms, p99 %s ms)\n",
		o.Factor, o.GoodputRatio, 100*o.RefusedPart, number(o.RefusalP50), number(o.RefusalP99))
	return err
}

// WriteRawTable writes raw results in columns.
func WriteRawTable(w io.Writer, results []*RawResult) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, strings.Join([]string{"kind", "batch", "lanes × threads", "items/s", "batch p50 ms", "p99", "tokens", "how", ""}, "\t"))
	for _, r := range results {
		tokens, how := "", "in order"
		switch {
		case r.Same:
			how = "the same again"
		case r.Packed:
			how = "packed"
		case r.Sorted:
			how = "by length"
		}
		if r.Alone {
			how += ", alone"
		}
		if r.Kind == "text" {
			tokens = fmt.Sprintf("%.1f", r.Tokens)
		}
		fmt.Fprintln(t, strings.Join([]string{r.Kind, fmt.Sprint(r.Batch), fmt.Sprintf("%d × %d", r.Lanes, r.Threads), number(r.ItemsPerSec),
			number(r.Latency.P50), number(r.Latency.P99), tokens, how, ""}, "\t"))
	}
	return t.Flush()
}
