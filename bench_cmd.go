package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"clipd/bench"
)

// benchFlags are what the command line of a load says.
type benchFlags struct {
	load     bench.Load
	target   bench.TargetOptions
	batches  []int
	clients  []int
	pictures []string
	headers  []string
	arrival  string
	rounds   int
	scenario string
	bulk     int
	bulks    int
	factor   float64
	out      benchOutput
}

func newBench() *cobra.Command {
	b := &benchFlags{}
	cmd := &cobra.Command{
		Use:   "bench SERVER",
		Short: "Load a server and measure it; or a runtime without one",
		Long: `Loads a server with requests that were encoded before and measures throughput and latency.

SERVER is grpc://, grpcs://, http://, https://, ws:// or wss:// with Jina's protocol (clipd, CLIP-as-service), or
http(s)://host:port/v1/embeddings with OpenAI's (clipd, infinity).

By default each client waits for its answer before it sends its next request (a closed loop). With --arrival constant
or poisson requests are due at --rate a second whether or not earlier ones are answered, and latencies count from when a
request was due. Lists for --batch and --clients give a table. --scenario fairness measures the latency of single texts
alone and beside a client that sends batches of 256 without pause; --scenario overload finds the best throughput and
offers twice that. The exit code is 1 when nothing was answered.`,
		Example: `  clipd bench grpc://127.0.0.1:51000 --batch 1,8,32 --clients 1,8
  clipd bench http://127.0.0.1:51000 --kind image --picture 640x480,1920x1080.png --rounds 3
  clipd bench grpc://127.0.0.1:51000 --arrival poisson --rate 200 --duration 30s
  clipd bench http://127.0.0.1:7997/embeddings --model ViT-B-32 --clients 8
  clipd bench grpc://127.0.0.1:51000 --scenario overload
  clipd bench raw --model-path vit-b-32 --kind text --batch 8,32`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			t, err := b.parse(cmd, args[0])
			if err != nil {
				return err
			}
			if err := b.run(cmd.Context(), cmd.OutOrStdout(), t, args[0]); err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			}
			return nil
		},
	}
	b.addFlags(cmd)
	cmd.AddCommand(newBenchRaw())
	return cmd
}

func (b *benchFlags) addFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	addMaterial(cmd, &b.load.Material, &b.pictures)
	f.StringVar(&b.load.Kind, "kind", "text", "text, image or mixed")
	f.IntSliceVar(&b.clients, "clients", []int{8}, "clients at a time, each with a connection of its own; a list gives a table")
	f.IntSliceVar(&b.batches, "batch", []int{1}, "texts or pictures in a request; a list gives a table")
	f.StringVar(&b.arrival, "arrival", "closed", "closed, constant or poisson")
	f.Float64Var(&b.load.Rate, "rate", 0, "requests a second that are due with --arrival constant or poisson")
	f.IntVar(&b.load.MaxUnderWay, "max-under-way", 1024, "most requests under way with --arrival constant or poisson")
	f.DurationVar(&b.load.Duration, "duration", 10*time.Second, "how long to measure")
	f.DurationVar(&b.load.Warmup, "warmup", 3*time.Second, "how long to load before that")
	f.DurationVar(&b.load.Timeout, "timeout", time.Minute, "of one request; it counts as failed after that (overload: 5m)")
	f.IntVar(&b.rounds, "rounds", 1, "how often to measure everything; medians are shown")
	f.StringVar(&b.scenario, "scenario", "", "fairness or overload")
	f.IntVar(&b.bulk, "bulk", 256, "fairness: texts in a request of the large client")
	f.IntVar(&b.bulks, "bulk-clients", 1, "fairness: large clients")
	f.DurationVar(&b.load.Fill, "fill", 0, "open loop: load at most this long before the warm-up, until the server refuses something (overload: 2m)")
	f.Float64Var(&b.factor, "factor", 2, "overload: how many times the best throughput to offer")
	f.StringVar(&b.target.API, "api", "", "jina or openai (default: openai for a path that ends in /embeddings)")
	f.StringVar(&b.target.Model, "model", "", "model to ask for, with OpenAI's API")
	f.BoolVar(&b.target.JSON, "json-messages", false, "WebSocket: JSON in text messages instead of protobuf")
	f.StringArrayVar(&b.headers, "header", nil, "name=value, sent with every request (repeatable)")
	f.StringVar(&b.target.Credential, "credential", os.Getenv("CLIP_AUTH_TOKEN"), "value of the header Authorization (default: $CLIP_AUTH_TOKEN)")
	f.Lookup("credential").DefValue = ""
	f.BoolVar(&b.target.Insecure, "insecure", false, "take any TLS certificate")
	b.out.addFlags(cmd)
}

// addMaterial adds the flags that say what the inputs are.
func addMaterial(cmd *cobra.Command, m *bench.Material, pictures *[]string) {
	f := cmd.Flags()
	f.StringVar(&m.Texts, "texts", "caption", "caption (about ten words), short, long, or a file with a text on each line")
	f.StringSliceVar(pictures, "picture", []string{"640x480"}, "sizes, such as 640x480 or 640x480.png, files or folders; taken in turn")
	f.Uint64Var(&m.Seed, "seed", 1, "of texts, pictures and arrivals")
}

func parsePictures(m *bench.Material, pictures []string) error {
	for _, s := range pictures {
		p, err := bench.ParsePicture(s)
		if err != nil {
			return fmt.Errorf("--picture: %w", err)
		}
		m.Pictures = append(m.Pictures, p)
	}
	return nil
}

// parse reads what flags and arguments say in words.
func (b *benchFlags) parse(cmd *cobra.Command, address string) (bench.Target, error) {
	var err error
	if b.load.Arrival, err = bench.ParseArrival(b.arrival); err != nil {
		return nil, fmt.Errorf("--arrival: %w", err)
	}
	set := cmd.Flags().Changed
	if set("rate") && b.load.Arrival == bench.Closed && b.scenario == "" {
		return nil, fmt.Errorf("--rate %v has no meaning in a closed loop; add --arrival constant or poisson", b.load.Rate)
	}
	if b.rounds < 1 {
		return nil, fmt.Errorf("--rounds is %d; it must be at least 1", b.rounds)
	}
	switch b.scenario {
	case "":
	case "fairness":
		b.setDefault(set, "clients", &b.clients, 1)
	case "overload":
		b.setDefault(set, "clients", &b.clients, 8, 16, 32)
		b.setDefault(set, "batch", &b.batches, 8)
		if !set("max-under-way") {
			b.load.MaxUnderWay = 4096 // more than a server queues, or it would never refuse
		}
		if !set("fill") {
			b.load.Fill = 2 * time.Minute
		}
		if !set("timeout") {
			b.load.Timeout = 5 * time.Minute // behind full queues an answer takes long; that is no error
		}
	default:
		return nil, fmt.Errorf("--scenario is %q; it must be fairness or overload", b.scenario)
	}
	if b.scenario != "" && len(b.batches) != 1 {
		return nil, fmt.Errorf("--scenario %s takes one batch size; --batch has %d", b.scenario, len(b.batches))
	}
	if b.scenario == "fairness" && len(b.clients) != 1 {
		return nil, fmt.Errorf("--scenario fairness takes one number of clients; --clients has %d", len(b.clients))
	}
	if err := parsePictures(&b.load.Material, b.pictures); err != nil {
		return nil, err
	}
	for _, s := range b.headers {
		h, err := bench.ParseHeader(s)
		if err != nil {
			return nil, fmt.Errorf("--header: %w", err)
		}
		b.target.Headers = append(b.target.Headers, h)
	}
	if err := b.out.check(); err != nil {
		return nil, err
	}
	return bench.ParseTarget(address, b.target)
}

// setDefault gives a list what a scenario wants when the flag was not given.
func (b *benchFlags) setDefault(set func(string) bool, name string, list *[]int, values ...int) {
	if !set(name) {
		*list = values
	}
}

// run measures and writes what came out.
func (b *benchFlags) run(ctx context.Context, w io.Writer, t bench.Target, address string) error {
	line := newProgressLine(os.Stderr)
	defer line.clear()
	b.out.begin(w, line, address)
	if b.scenario == "" {
		sweep := bench.Sweep{Load: b.load, Batches: b.batches, Clients: b.clients, Rounds: b.rounds, Status: line.show,
			Each: func(r *bench.Result) { b.out.line(r) }}
		cells, silent := sweep.Run(ctx, t)
		if cells == nil {
			return silent
		}
		medians := make([]*bench.Result, len(cells))
		for i, c := range cells {
			medians[i] = c.Median
		}
		return errors.Join(b.out.end(cells, func(w io.Writer) error { return bench.WriteTable(w, medians) }), silent)
	}
	var rounds []scenarioResult
	for n := 1; n <= b.rounds; n++ {
		r, err := b.scenarioRound(ctx, t, n, line)
		if err != nil {
			return err
		}
		rounds = append(rounds, r)
		b.out.line(r)
	}
	return b.out.end(rounds, func(w io.Writer) error {
		for _, r := range rounds {
			if err := r.WriteTable(w); err != nil {
				return err
			}
		}
		return nil
	})
}

// scenarioResult is what one round of a scenario gives.
type scenarioResult interface {
	WriteTable(w io.Writer) error
}

func (b *benchFlags) scenarioRound(ctx context.Context, t bench.Target, round int, line *progressLine) (scenarioResult, error) {
	l := b.load
	l.Batch, l.Clients = b.batches[0], b.clients[0]
	if b.scenario == "fairness" {
		r, err := bench.Fairness{Load: l, Bulk: b.bulk, BulkClients: b.bulks, Status: line.show}.Run(ctx, t)
		if err != nil {
			return nil, err
		}
		r.Round = round
		return r, nil
	}
	r, err := bench.Overload{Load: l, Sweep: b.clients, Factor: b.factor, Status: line.show}.Run(ctx, t)
	if err != nil {
		return nil, err
	}
	r.Round = round
	return r, nil
}
