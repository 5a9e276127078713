package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"

	"github.com/spf13/cobra"

	"clipd/engine"
	"clipd/engine/model"
	"clipd/engine/runtime"
)

func newModel() *cobra.Command {
	cmd := &cobra.Command{Use: "model", Short: "Make, describe and check checkpoints"}
	cmd.AddCommand(newModelMake(), newModelInfo(), newModelCheck())
	return cmd
}

func newModelMake() *cobra.Command {
	var random bool
	var seed int64
	cmd := &cobra.Command{
		Use:     "make ARCHITECTURE FOLDER",
		Short:   "Write a checkpoint with random weights, to measure and test with",
		Long:    "Writes open_clip_model.safetensors and open_clip_config.json into FOLDER. Architectures have open_clip's names.",
		Example: "  clipd model make ViT-B-32 --random build/ViT-B-32",
		Args:    cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !random {
				return errors.New("weights can only be made at random; say so with --random")
			}
			if err := model.Make(args[0], seed, args[1]); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s with random weights: %s\n", args[0], args[1])
			return nil
		},
	}
	cmd.Flags().BoolVar(&random, "random", false, "draw the weights at random")
	cmd.Flags().Int64Var(&seed, "seed", 1, "of the random weights")
	return cmd
}

func newModelInfo() *cobra.Command {
	return &cobra.Command{
		Use:   "info FILE | FOLDER",
		Short: "Describe a checkpoint: format, architecture, tensors",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			info, err := model.Info(args[0])
			if err != nil {
				return err
			}
			fmt.Fprint(cmd.OutOrStdout(), info)
			return nil
		},
	}
}

func newModelCheck() *cobra.Command {
	t := &target{}
	cmd := &cobra.Command{
		Use:   "check [MODEL | FILE | FOLDER]",
		Short: "Compare the runtimes and precisions of this machine on a model",
		Long: `Embeds the same pictures and texts on each runtime and precision found here and compares the answers with those of the
first runtime that computes in fp32: the lowest cosine must be 0.99999 in fp32 and 0.9995 in bf16 and fp16. The
exit code is 1 when one is below.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				t.model = args[0]
				if _, err := os.Stat(args[0]); err == nil {
					t.path = args[0]
				}
			}
			return t.check(cmd.Context(), cmd.OutOrStdout())
		},
	}
	cmd.Flags().StringVarP(&t.model, "model", "m", defaultModel, "model name, such as ViT-B-32::openai")
	return cmd
}

// trial is one runtime at one precision.
type trial struct {
	runtime   string
	precision runtime.Precision
}

// check runs every trial and prints its lowest cosine to the first, which is the reference.
func (t *target) check(ctx context.Context, w io.Writer) error {
	var trials []trial
	for _, p := range []runtime.Precision{runtime.FP32, runtime.BF16, runtime.FP16} {
		for _, f := range runtime.Discover() {
			if f.Err == nil {
				trials = append(trials, trial{f.Name, p})
			}
		}
	}
	var reference [][]float32
	low := false
	for _, tr := range trials {
		rows, err := t.embedProbes(ctx, tr)
		if errors.Is(err, runtime.ErrUnavailable) {
			fmt.Fprintf(w, "%-12s %-5s not here: %v\n", tr.runtime, tr.precision, err)
			continue
		}
		if err != nil {
			return fmt.Errorf("%s %s: %w", tr.runtime, tr.precision, err)
		}
		if reference == nil {
			reference = rows
			fmt.Fprintf(w, "%-12s %-5s reference\n", tr.runtime, tr.precision)
			continue
		}
		least, needed := lowestCosine(reference, rows), 0.99999
		if tr.precision != runtime.FP32 {
			needed = 0.9995
		}
		verdict := "ok"
		if !(least >= needed) {
			verdict, low = fmt.Sprintf("TOO LOW, %v is needed", needed), true
		}
		fmt.Fprintf(w, "%-12s %-5s cosine %.7f  %s\n", tr.runtime, tr.precision, least, verdict)
	}
	if reference == nil {
		return errors.New("no runtime computes in fp32 here; see clipd version")
	}
	if low {
		return &exitError{1}
	}
	return nil
}

// embedProbes embeds a few texts of different lengths and pictures of smooth and rough patterns.
func (t *target) embedProbes(ctx context.Context, tr trial) ([][]float32, error) {
	trial := *t
	trial.runtime, trial.dtype = tr.runtime, tr.precision.String()
	l, err := trial.load(ctx, engine.Options{})
	if err != nil {
		return nil, err
	}
	defer l.Close()
	var inputs []engine.Input
	for _, text := range []string{"", "a cat", "a photo of a dog in the snow", "two red circles above a large blue square, on a striped background, drawn by a child"} {
		inputs = append(inputs, engine.Input{Tower: engine.TextTower, Text: text})
	}
	size := l.ImageSize
	for pattern := range 4 {
		p := &engine.Pixels{Height: size, Width: size, Channels: 3, Data: make([]byte, size*size*3)}
		for i := range p.Data {
			x, y, c := i/3%size, i/3/size, i%3
			p.Data[i] = byte(128 + 100*math.Sin(float64((pattern+1)*(x+c*y))/9)*math.Cos(float64(y)/float64(5+pattern)))
		}
		inputs = append(inputs, engine.Input{Tower: engine.ImageTower, Pixels: p})
	}
	names := make([]string, len(inputs))
	for i, in := range inputs {
		names[i] = fmt.Sprintf("the %s probe %d", in.Tower, i)
	}
	return encodeLocal(ctx, l, inputs, names)
}

func lowestCosine(a, b [][]float32) float64 {
	least := 1.0
	for i := range a {
		var dot float64
		for j := range a[i] {
			dot += float64(a[i][j]) * float64(b[i][j])
		}
		least = min(least, dot/(norm(a[i])*norm(b[i])))
	}
	return least
}
