package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"clipd/engine/tune"
	"clipd/flows"
)

// tuneFlags are what the command line of clipd tune says.
type tuneFlags struct {
	fromStdin bool
	executor  string
	objective string
	time      time.Duration
	write     bool
	asJSON    bool
}

// tuneDocument is what clipd tune --json prints.
type tuneDocument struct {
	Executor string         `json:"executor"`
	Machine  tune.Key       `json:"machine"`
	Keys     map[string]any `json:"keys"`             // for the flow, under uses: with:
	Stored   string         `json:"stored,omitempty"` // the file, with --write
	*tune.Result
}

func newTune() *cobra.Command {
	t := &tuneFlags{}
	cmd := &cobra.Command{
		Use:   "tune [FLOW.yml]",
		Short: "Measure which lanes, threads and batch sizes are best for a flow on this machine",
		Long: `Measures settings of a flow's model in this process, on texts and JPEGs that it makes itself, prints what each of them
does, and the keys to put in the flow. A change is recommended only when it is better than the present settings by more than
the noise seen.

--write stores the result beside the compiled model, where a start of any flow with this model, runtime and machine
finds it; keys that a flow sets itself go before. docs/tuning.md says more.`,
		Example: `  clipd tune torch-flow.yml
  clipd tune flow.yml --for latency --time 5m --write`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if t.fromStdin && len(args) > 0 {
				return fmt.Errorf("-i reads the flow from standard input; do not name %s as well", args[0])
			}
			name := "torch-flow.yml"
			if len(args) > 0 {
				name = args[0]
			}
			return t.run(cmd, name)
		},
	}
	f := cmd.Flags()
	f.BoolVarP(&t.fromStdin, "stdin", "i", false, "read the flow from standard input")
	f.StringVar(&t.executor, "executor", "", "name of the executor, where the flow has several")
	f.StringVar(&t.objective, "for", string(tune.Balanced), "throughput, latency (of a lonely caller) or balanced")
	f.DurationVar(&t.time, "time", 2*time.Minute, "longest time to measure")
	f.BoolVar(&t.write, "write", false, "store the result for later starts on this machine")
	f.BoolVar(&t.asJSON, "json", false, "print JSON")
	return cmd
}

func (t *tuneFlags) run(cmd *cobra.Command, name string) error {
	objective, err := tune.ParseObjective(t.objective)
	if err != nil {
		return fmt.Errorf("--for: %w", err)
	}
	if t.time <= 0 {
		return fmt.Errorf("--time is %v; it must be above 0, such as 2m", t.time)
	}
	flow, err := readFlow(name, t.fromStdin)
	if err != nil {
		return err
	}
	x, err := chooseExecutor(flow, t.executor)
	if err != nil {
		return err
	}
	if err := setEnv(flow); err != nil {
		return err
	}
	boundHeap()
	tuning, err := newTuning(cmd.Context(), flow, x, newLogger())
	if err != nil {
		return x.Errorf("", "executor %s: %v", x.Name, err)
	}
	if stored, err := tune.Find(tuning.folder, tuning.key); err == nil {
		tuning.executor = tuning.with(stored.Setting) // what a start would have
	}
	line := newProgressLine(os.Stderr)
	result, err := tuning.search(cmd.Context(), tune.Options{For: objective, Time: t.time, Progress: func(p tune.Progress) {
		line.say(fmt.Sprintf("%.0f of %.0f s, %s, round %d: %s", p.Elapsed.Seconds(), p.All.Seconds(), p.Stage, p.Round, p.Setting))
	}})
	line.clear()
	if err != nil {
		return x.Errorf("", "executor %s: %v", x.Name, err)
	}
	document := tuneDocument{Executor: x.Name, Machine: tuning.key, Keys: flowKeys(result.Best.Setting), Result: result}
	if t.write {
		if document.Stored, err = tuning.save(result); err != nil {
			return fmt.Errorf("cannot store the result: %w", err)
		}
	}
	if t.asJSON {
		out := json.NewEncoder(cmd.OutOrStdout())
		out.SetIndent("", "  ")
		return out.Encode(document)
	}
	return document.print(cmd.OutOrStdout(), x)
}

// chooseExecutor finds the executor that a flag names; without the flag the flow must have one only.
func chooseExecutor(f *flows.Flow, name string) (flows.Executor, error) {
	names := make([]string, len(f.Executors))
	for i, x := range f.Executors {
		if names[i] = x.Name; x.Name == name || name == "" && len(f.Executors) == 1 {
			return x, nil
		}
	}
	if name == "" {
		return flows.Executor{}, fmt.Errorf("%s has %d executors; say which with --executor: %s", f.Source, len(names), strings.Join(names, ", "))
	}
	return flows.Executor{}, fmt.Errorf("--executor: %s has no executor %q; it has %s", f.Source, name, strings.Join(names, ", "))
}

// flowKeys are the keys of a flow that make a setting.
func flowKeys(s tune.Setting) map[string]any {
	keys := map[string]any{"lanes": s.Lanes, "wide_lane": s.Wide, "minibatch_size": s.Minibatch}
	if s.Threads > 0 {
		keys["threads"] = s.Threads
	}
	return keys
}

// print writes the table, what to conclude from it, and the keys.
func (d tuneDocument) print(w io.Writer, x flows.Executor) error {
	fmt.Fprintf(w, "%s on %s (%d cores), measured for %v, for %s\n\n", x.Name, d.Machine.Runtime, d.Machine.Cores, d.Took.Round(time.Second), d.For)
	if err := writeTuneTable(w, d.Result); err != nil {
		return err
	}
	fmt.Fprintf(w, "\n%s\n", d.conclusion())
	if d.Change {
		fmt.Fprintf(w, "In the flow, under uses: with: of executor %s:\n\n    lanes: %d\n", x.Name, d.Best.Lanes)
		if d.Best.Threads > 0 {
			fmt.Fprintf(w, "    threads: %d\n", d.Best.Threads)
		}
		fmt.Fprintf(w, "    wide_lane: %t\n    minibatch_size: %d\n", d.Best.Wide, d.Best.Minibatch)
	}
	if d.Stored != "" {
		fmt.Fprintf(w, "\nstored in %s; starts on this machine use it\n", d.Stored)
		if givesLayout(x) || x.Given("minibatch_size") {
			fmt.Fprintf(w, "this flow sets some of the keys itself, which go before what is stored: leave them out\n")
		}
	}
	return nil
}

// judged names what was compared in the end.
func judged(r *tune.Result) string {
	if r.Judged == tune.Latency {
		return "the waits of a lonely caller are"
	}
	return "the rates are"
}

// conclusion says in a sentence what was found.
func (d tuneDocument) conclusion() string {
	r := d.Result
	switch {
	case r.Change:
		return fmt.Sprintf("Best: %s: %s %.0f %% better than with the present settings (%d rounds of comparison; more than %.0f %% is not noise).",
			r.Best.Setting, judged(r), 100*r.Gain, r.Compared, 100*r.Margin)
	case r.Rival == nil:
		return fmt.Sprintf("Only the present settings could be measured: %s. Give more --time to compare others.", r.Best.Setting)
	case r.Compared >= 3 && r.Gain > 0.03 && r.Gain <= r.Margin:
		return fmt.Sprintf("The present settings stay: %s. %s seems %.0f %% better, but noise explains up to %.0f %% here; a quieter machine or more --time tells.",
			r.Best.Setting, r.Rival.Setting, 100*r.Gain, 100*r.Margin)
	case r.Compared > 0 && r.Gain > r.Margin:
		return fmt.Sprintf("The present settings stay: %s. %s seems %.0f %% better, but %d rounds of comparison are too few to be sure, or it was slower for a lonely caller there; give more --time.",
			r.Best.Setting, r.Rival.Setting, 100*r.Gain, r.Compared)
	default:
		return fmt.Sprintf("The present settings are as good as any: %s. The nearest other, %s, differs by %+.1f %%; below %.0f %% is noise or not worth a change.",
			r.Best.Setting, r.Rival.Setting, 100*r.Gain, 100*r.Margin)
	}
}
