// clipd serves CLIP: texts and pictures in, embeddings out. It takes the place of CLIP-as-service, speaks its
// protocol and reads its flow files.
package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"
)

func main() {
	root := newRoot()
	if err := root.Execute(); err != nil {
		var quiet *exitError
		if errors.As(err, &quiet) {
			os.Exit(quiet.code)
		}
		fmt.Fprintf(os.Stderr, "clipd: %v\n", err)
		os.Exit(1)
	}
}

// exitError ends the program with a code after everything was said.
type exitError struct{ code int }

func (e *exitError) Error() string { return fmt.Sprintf("exit %d", e.code) }

func newRoot() *cobra.Command {
	var fromStdin bool
	root := &cobra.Command{
		Use:   "clipd [FLOW.yml]",
		Short: "Serve CLIP: texts and pictures in, embeddings out",
		Long: `clipd turns texts and pictures into CLIP embeddings, as a server that the Python clip_client talks to unchanged.

FLOW.yml is a flow file of CLIP-as-service: a path, or the name of one that is built in:
  demo-flow.yml       a small model that comes with clipd; needs no download
  torch-flow.yml      ViT-B-32::openai on the fastest runtime of this machine
  onnx-flow.yml       the same on ONNX Runtime
  tensorrt-flow.yml   the same on TensorRT (NVIDIA GPUs)
Without an argument torch-flow.yml is used.`,
		Example: `  clipd demo-flow.yml
  cat flow.yml | clipd -i
  clipd encode 'a red circle' picture.jpg
  clipd rank picture.jpg 'a red circle' 'a blue square'`,
		Args:          cobra.MaximumNArgs(1),
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			if fromStdin && len(args) > 0 {
				return fmt.Errorf("-i reads the flow from standard input; do not name %s as well", args[0])
			}
			name := "torch-flow.yml"
			if len(args) > 0 {
				name = args[0]
			}
			return serve(cmd.Context(), name, fromStdin)
		},
	}
	root.Flags().BoolVarP(&fromStdin, "stdin", "i", false, "read the flow from standard input")
	root.CompletionOptions.HiddenDefaultCmd = true
	root.AddCommand(newEncode(), newRank(), newModel(), newBench(), newTune(), newKey(), newDevices(), newVersion())
	return root
}
