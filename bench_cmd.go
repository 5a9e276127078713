package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/grpc"

	"clipd/bench"
	"clipd/engine"
)

func newBench() *cobra.Command {
	load := bench.Load{}
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "bench SERVER",
		Short: "Measure a server, or a runtime without one",
		Long: `Sends a server (clipd or CLIP-as-service, over gRPC) the same encoded requests again and again: each client waits for its
answer before it sends the next request. "clipd bench raw" runs a model's lanes without a server, which is what a
server's figure is to be compared with.`,
		Example: `  clipd bench grpc://127.0.0.1:51000 --kind text --clients 8 --batch 1
  clipd bench raw --model-path vit-b-32 --kind text --batch 8,32`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkLoad(load); err != nil {
				return err
			}
			r, err := load.Run(cmd.Context(), func() (*grpc.ClientConn, error) { return dial(args[0]) })
			if err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			}
			if asJSON || !isTerminal(os.Stdout) {
				return json.NewEncoder(cmd.OutOrStdout()).Encode(r)
			}
			printLoad(cmd.OutOrStdout(), r)
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVar(&load.Kind, "kind", "text", "text, image or mixed")
	f.IntVar(&load.Clients, "clients", 8, "clients at a time, each with a connection of its own")
	f.IntVar(&load.Batch, "batch", 1, "documents in a request")
	f.DurationVar(&load.Duration, "duration", 10*time.Second, "how long to measure")
	f.DurationVar(&load.Warmup, "warmup", 3*time.Second, "how long to load before that")
	f.IntVar(&load.Width, "width", 640, "width of the pictures")
	f.IntVar(&load.Height, "height", 480, "height of the pictures")
	f.Uint64Var(&load.Seed, "seed", 1, "of captions and pictures")
	f.BoolVar(&asJSON, "json", false, "print JSON on a terminal too")
	cmd.AddCommand(newBenchRaw())
	return cmd
}

func checkLoad(l bench.Load) error {
	switch {
	case l.Kind != "text" && l.Kind != "image" && l.Kind != "mixed":
		return fmt.Errorf("--kind is %q; it must be text, image or mixed", l.Kind)
	case l.Clients < 1 || l.Batch < 1:
		return fmt.Errorf("--clients %d and --batch %d must be at least 1", l.Clients, l.Batch)
	case l.Duration <= 0 || l.Width < 1 || l.Height < 1:
		return fmt.Errorf("--duration %v, --width %d and --height %d must be above 0", l.Duration, l.Width, l.Height)
	}
	return nil
}

func printLoad(w io.Writer, r *bench.Result) {
	fmt.Fprintf(w, "%s, %d clients × %d: %.1f items/s\n", r.Kind, r.Clients, r.Batch, r.ItemsPerSec)
	fmt.Fprintf(w, "latency of a request, ms: p50 %.2f  p90 %.2f  p99 %.2f  max %.2f\n", r.P50, r.P90, r.P99, r.Max)
	fmt.Fprintf(w, "%d requests in %.0f s, %d failed\n", r.Requests, r.Seconds, r.Failed)
	if r.FirstError != "" {
		fmt.Fprintf(w, "first error: %s\n", r.FirstError)
	}
}

func newBenchRaw() *cobra.Command {
	t := &target{}
	var kind string
	var batches []int
	var lanes, threads int
	var duration, warmup time.Duration
	cmd := &cobra.Command{
		Use:   "raw",
		Short: "Measure a model's lanes in this process, with inputs ready in memory",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o, err := t.loadOptions(engine.Options{})
			if err != nil {
				return err
			}
			o.LaneCount, o.Threads = lanes, threads
			m, err := engine.Open(cmd.Context(), o)
			if err != nil {
				return err
			}
			defer m.Close()
			for _, b := range batches {
				if b < 1 {
					return fmt.Errorf("--batch %d must be at least 1", b)
				}
				r, err := bench.Raw(cmd.Context(), m, kind, b, warmup, duration, 1)
				if err != nil {
					return err
				}
				if !isTerminal(os.Stdout) {
					if err := json.NewEncoder(cmd.OutOrStdout()).Encode(r); err != nil {
						return err
					}
					continue
				}
				fmt.Fprintf(cmd.OutOrStdout(), "%s, batch %3d, %d lanes: %8.1f items/s, %.2f ms a batch\n", r.Kind, r.Batch, r.Lanes, r.ItemsPerSec, r.MeanMS)
			}
			return nil
		},
	}
	t.addModelFlags(cmd)
	f := cmd.Flags()
	f.StringVar(&kind, "kind", "text", "text or image")
	f.IntSliceVar(&batches, "batch", []int{1, 8, 32}, "batch sizes to measure")
	f.IntVar(&lanes, "lanes", 0, "lanes (0: as the server chooses)")
	f.IntVar(&threads, "threads", 0, "threads of all lanes (0: one for each core)")
	f.DurationVar(&duration, "duration", 5*time.Second, "how long to measure each")
	f.DurationVar(&warmup, "warmup", 2*time.Second, "how long to run before that")
	return cmd
}
