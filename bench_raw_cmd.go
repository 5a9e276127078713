package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"clipd/bench"
	"clipd/engine"
)

// rawFlags are what the command line of clipd bench raw says.
type rawFlags struct {
	target
	raw      bench.Raw
	kinds    []string
	batches  []int
	pictures []string
	lanes    int
	threads  int
	rounds   int
	orders   []string
	out      benchOutput
}

func newBenchRaw() *cobra.Command {
	r := &rawFlags{}
	cmd := &cobra.Command{
		Use:   "raw",
		Short: "Measure a model's lanes in this process, without a server",
		Long: `Runs a model's lanes without pause, which is what a server's figures are to be compared with.

Kinds: text (ids ready in memory), image (pixels ready), picture (each picture decoded and resized from its file's bytes
first). Orders of texts: in (as they come, each batch padded to its longest), packed (as they come, side by side in
lines as the server puts them), sorted (by length, which no server can know) and same (one batch of median length again and again, so that a runtime never sees another shape). --alone also
measures one item at a time on one lane, and one text on a wide lane, which has all threads: what a server's latency is compared with.`,
		Example: `  clipd bench raw --model-path vit-b-32 --kind text,picture --batch 8,16,32,64 --alone --rounds 3
  clipd bench raw --model-path vit-b-32 --runtime onnxruntime --batch 32`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return r.run(cmd) },
	}
	r.addModelFlags(cmd)
	addMaterial(cmd, &r.raw.Material, &r.pictures)
	f := cmd.Flags()
	f.StringSliceVar(&r.kinds, "kind", []string{"text"}, "text, image, picture")
	f.IntSliceVar(&r.batches, "batch", []int{1, 8, 32}, "batch sizes to measure")
	f.StringSliceVar(&r.orders, "order", []string{"in"}, "of texts: in, packed, sorted, same")
	f.BoolVar(&r.raw.Alone, "alone", false, "also measure one item at a time, with the other lanes idle")
	f.IntVar(&r.lanes, "lanes", 0, "lanes (0: as the server chooses)")
	f.IntVar(&r.threads, "threads", 0, "threads of all lanes (0: one for each core)")
	f.IntVar(&r.rounds, "rounds", 1, "how often to measure everything; medians are shown")
	f.DurationVar(&r.raw.Duration, "duration", 5*time.Second, "how long to measure each")
	f.DurationVar(&r.raw.Warmup, "warmup", 2*time.Second, "how long to run before that")
	r.out.addFlags(cmd)
	return cmd
}

func (r *rawFlags) run(cmd *cobra.Command) error {
	if err := parsePictures(&r.raw.Material, r.pictures); err != nil {
		return err
	}
	if err := r.out.check(); err != nil {
		return err
	}
	measurements, err := r.measurements()
	if err != nil {
		return err
	}
	o, err := r.loadOptions(engine.Options{})
	if err != nil {
		return err
	}
	o.LaneCount, o.Threads = r.lanes, r.threads
	m, err := engine.Open(cmd.Context(), o)
	if err != nil {
		return err
	}
	defer m.Close()
	line := newProgressLine(os.Stderr)
	r.out.begin(cmd.OutOrStdout(), line, "")
	results := make([][]*bench.RawResult, len(measurements))
	for round := 1; round <= r.rounds; round++ {
		for i, x := range measurements {
			line.show(fmt.Sprintf("%s, batch %d, round %d of %d", x.Kind, x.Batch, round, r.rounds), bench.Progress{Of: x.Warmup + x.Duration})
			got, err := x.Run(cmd.Context(), m)
			if errors.Is(err, bench.ErrNoLane) && x.Wide {
				continue // with one thread a replica has none
			}
			if errors.Is(err, bench.ErrTooShort) && len(measurements) > 1 {
				line.clear()
				fmt.Fprintf(cmd.ErrOrStderr(), "clipd: %s, batch %d: %v\n", x.Kind, x.Batch, err)
				continue
			}
			if err != nil {
				return err
			}
			got.Round = round
			results[i] = append(results[i], got)
			r.out.line(got)
		}
	}
	results = slices.DeleteFunc(results, func(rounds []*bench.RawResult) bool { return len(rounds) == 0 })
	if len(results) == 0 {
		return fmt.Errorf("nothing ended within %v; measure longer", r.raw.Duration)
	}
	medians := make([]*bench.RawResult, len(results))
	for i, rounds := range results {
		medians[i] = bench.MedianRaw(rounds)
	}
	return r.out.end(results, func(w io.Writer) error { return bench.WriteRawTable(w, medians) })
}

// measurements are all that the flags ask for, one round of them.
func (r *rawFlags) measurements() ([]bench.Raw, error) {
	if r.rounds < 1 || len(r.batches) == 0 {
		return nil, fmt.Errorf("--rounds %d and --batch %s: at least one round and one batch size are needed", r.rounds, joinInts(r.batches))
	}
	var all []bench.Raw
	for _, kind := range r.kinds {
		if !slices.Contains([]string{"text", "image", "picture"}, kind) {
			return nil, fmt.Errorf("--kind is %q; it must be text, image or picture", kind)
		}
		orders := r.orders
		if kind != "text" {
			orders = []string{"in"}
		}
		for _, order := range orders {
			x := r.raw
			x.Kind, x.Alone = kind, false
			switch order {
			case "in":
			case "packed":
				x.Packed = true
			case "sorted":
				x.Sorted = true
			case "same":
				x.Same = true
			default:
				return nil, fmt.Errorf("--order is %q; it must be in, packed, sorted or same", order)
			}
			for _, x.Batch = range r.batches {
				all = append(all, x)
			}
			if r.raw.Alone {
				x.Batch, x.Alone = 1, true
				all = append(all, x)
				if kind == "text" {
					x.Wide = true
					all = append(all, x)
				}
			}
		}
	}
	return all, nil
}
